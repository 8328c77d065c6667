package controller

import (
	"net/netip"
	"sync"
	"time"

	"floaty/observed"
)

const (
	writesInRow = 4           // a claim and the answers to three rivals, after which an address is contested
	writeRest   = time.Second // between two writes of one address after that
)

// A pace limits how often each address is written. It is the queue's rate limiter, a [workqueue.TypedRateLimiter]:
//
//   - After a failed write, the address waits for the back-off, which grows with each failure in a row (±20 % jitter). When failures have
//     lasted for the back-off's MaxElapsed, it waits for a refresh interval (±10 %).
//   - Hold makes an address wait for a given time, as a cloud requests with Retry-After.
//   - An address is written at most four times in a row, then at most once per second.
//
// The queue adds a key at the earliest of all times that were given, and events add it at once. Therefore Reserve has the last word on
// whether a write may be made. The methods may be called from many goroutines at once.
type pace struct {
	backOff  observed.BackOff
	interval time.Duration // between refreshes

	mu     sync.Mutex // guards all below
	limits map[netip.Addr]limit
}

// A limit holds for one address.
type limit struct {
	failures  int       // in a row
	since     time.Time // of the first of them
	notBefore time.Time // the earliest time of the next write
	full      time.Time // when four writes in a row are possible again; each write moves it by a second (the generic cell rate algorithm)
}

func newPace(backOff observed.BackOff, interval time.Duration) *pace {
	return &pace{backOff: backOff, interval: interval, limits: map[netip.Addr]limit{}}
}

// When counts a failure of addr and returns how long addr waits.
func (p *pace) When(addr netip.Addr) time.Duration {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.limits[addr]
	if l.failures == 0 {
		l.since = now
	}
	l.failures++
	wait := p.backOff.Wait(l.failures)
	if p.backOff.MaxElapsed > 0 && now.Sub(l.since) >= p.backOff.MaxElapsed {
		wait = observed.Jitter(p.interval, 0.1)
	}
	l.notBefore = now.Add(wait)
	p.limits[addr] = l
	return wait
}

// Forget ends the wait of addr and resets its failures.
func (p *pace) Forget(addr netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l, known := p.limits[addr]; known {
		p.limits[addr] = limit{full: l.full}
	}
}

// Drop removes everything about addr, which is no longer managed.
func (p *pace) Drop(addr netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.limits, addr)
}

// NumRequeues returns the number of failures of addr in a row.
func (p *pace) NumRequeues(addr netip.Addr) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.limits[addr].failures
}

// Hold makes addr wait for the given time from now, whatever it waited for before. It does not count as a failure.
func (p *pace) Hold(addr netip.Addr, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.limits[addr]
	l.notBefore = time.Now().Add(wait)
	p.limits[addr] = l
}

// Resume ends the waits of all addresses.
func (p *pace) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for addr, l := range p.limits {
		l.notBefore = time.Time{}
		p.limits[addr] = l
	}
}

// Reserve uses up one write of addr and returns 0. If addr may not be written now, it returns the time until it may. If anew is true, it
// first does what Forget does.
func (p *pace) Reserve(addr netip.Addr, anew bool) time.Duration {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.limits[addr]
	if anew {
		l = limit{full: l.full}
	}
	wait := max(l.next().Sub(now), 0)
	if wait == 0 {
		l.full = later(l.full, now).Add(writeRest)
	}
	p.limits[addr] = l
	return wait
}

// Next returns the earliest time of the next write of addr.
func (p *pace) Next(addr netip.Addr) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.limits[addr].next()
}

// next returns the earliest time of the next write.
func (l limit) next() time.Time {
	return later(l.notBefore, l.full.Add(-(writesInRow-1)*writeRest))
}

// Idle returns the time since addr was written last; after several writes in a row, up to three seconds less.
func (p *pace) Idle(addr netip.Addr) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.limits[addr].full.Add(-writeRest))
}
