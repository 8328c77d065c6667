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

// A pace bounds how often each address is written. It is the queue's rate limiter, a [workqueue.TypedRateLimiter]:
//
//   - After a failed write, the address waits: at first for the initial interval of the back-off, then longer and longer, with ±20 %
//     jitter. After the back-off's MaxElapsed it waits for a refresh interval, ±10 %.
//   - It may be told to wait (Hold), as a cloud asks with Retry-After.
//   - An address is written four times in a row at most, then once a second.
//
// The queue takes the earliest of several times at which a key was to be added, and any event adds it at once. So Reserve has the last
// word on whether a write may be made. Its methods may be called from many goroutines at once.
type pace struct {
	backOff  observed.BackOff
	interval time.Duration // between refreshes

	mu     sync.Mutex // guards all below
	limits map[netip.Addr]limit
}

// A limit is that of one address.
type limit struct {
	failures  int       // in a row
	since     time.Time // of the first of them
	notBefore time.Time // no write before
	full      time.Time // when four writes in a row may be made again; each write moves it by a second
}

func newPace(backOff observed.BackOff, interval time.Duration) *pace {
	return &pace{backOff: backOff, interval: interval, limits: map[netip.Addr]limit{}}
}

// When counts a failure of addr and returns how long it waits.
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

// Forget ends the wait of addr, and the row of its failures.
func (p *pace) Forget(addr netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l, known := p.limits[addr]; known {
		p.limits[addr] = limit{full: l.full}
	}
}

// Drop forgets all about addr, which is no longer written.
func (p *pace) Drop(addr netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.limits, addr)
}

// NumRequeues returns how many times in a row addr has failed.
func (p *pace) NumRequeues(addr netip.Addr) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.limits[addr].failures
}

// Hold makes addr wait that long from now on, whatever it waited for before. It is no failure.
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

// Reserve takes one of the writes of addr and returns 0, or returns how long it is until one may be made.
func (p *pace) Reserve(addr netip.Addr) time.Duration {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.limits[addr]
	if wait := later(l.notBefore, l.full.Add(-(writesInRow-1)*writeRest)).Sub(now); wait > 0 {
		return wait
	}
	l.full = later(l.full, now).Add(writeRest)
	p.limits[addr] = l
	return 0
}

// Idle returns for how long addr has not been written; after several writes in a row, up to three seconds less.
func (p *pace) Idle(addr netip.Addr) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.limits[addr].full.Add(-writeRest))
}
