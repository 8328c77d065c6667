// Package observed holds what the cloud last said about each address, and when.
//
//   - One read serves all who ask: those who want a reading no older than one that is under way share it.
//   - A reading's time is when its request was sent.
//   - A reading stays, however old, until a newer one replaces it or it is voided.
//   - A shared read has its own deadline, and nobody waits for it: those who ask come back when it has ended. A call that does not
//     return by then is given up.
//   - A failed read is shared too, until its back-off is over.
//   - All managed addresses are read together at one common instant an interval.
//   - What voids the readings of an address voids those of all that share its resource.
//
// It also finds out, and retries finding out, which server this is. It decides nothing and writes nothing.
package observed

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"floaty/providers"
)

// Options says what to observe. All fields but OnRead are needed. The functions must not block.
type Options struct {
	Provider  providers.Provider
	Addresses func() []netip.Addr // all that are managed now
	Interval  time.Duration       // between refreshes; each carries ±10 % jitter
	Timeout   time.Duration       // of one shared read
	BackOff   BackOff             // between failed reads
	Found     func(server string) // called once, when it is known which server this is
	OnRead    func([]netip.Addr)  // called after each read, also a failed one, with the addresses that it was of; nil: nobody is told
	Log       logr.Logger
}

// A Reading is what the cloud said about one address.
type Reading struct {
	providers.Holding
	At      time.Time // its request was sent
	Since   time.Time // of the first of the readings in a row that have shown these servers
	Refresh bool      // it is a regular one, not a look in between
	Order   uint64    // of its request among requests and voidings: it tells readings apart
}

// minWait is the shortest time between two reads that fail, or two looks at whether a refresh is due, so that no loop turns without a rest.
const minWait = 100 * time.Millisecond

// ErrUnread is what every failure to read wraps.
var ErrUnread = errors.New("reading the cloud failed")

// Observed is what is known. Create it with [New]; it reads only while [Observed.Run] runs.
type Observed struct {
	opts    Options
	wake    chan struct{}                               // there are pending reads
	sharing atomic.Pointer[map[netip.Addr][]netip.Addr] // by address, those of its resource; nil: none shares one

	mu        sync.Mutex // guards all below
	order     uint64     // of the last request or voiding
	readings  map[netip.Addr]Reading
	voided    map[netip.Addr]uint64
	scheduled map[netip.Addr]time.Time
	pending   []*read // to be started by Run
	current   []*read // pending or under way, oldest first
	due       time.Time
	answered  uint64    // the newest request that was answered
	failed    error     // of the last read
	retry     time.Time // not before, after a failed read
	trouble   providers.Trouble
}

// A read is one call of the provider, which serves everybody who asks for what it covers.
type read struct {
	addrs   []netip.Addr // sorted
	refresh bool         // guarded by mu
	at      time.Time
	order   uint64
}

// New returns an Observed that knows nothing yet.
func New(opts Options) *Observed {
	return &Observed{
		opts:      opts,
		wake:      make(chan struct{}, 1),
		readings:  map[netip.Addr]Reading{},
		voided:    map[netip.Addr]uint64{},
		scheduled: map[netip.Addr]time.Time{},
	}
}

// Run finds out which server this is and makes the reads that are asked for, until ctx ends. It returns when every call
// has returned or was given up.
func (o *Observed) Run(ctx context.Context) {
	var calls sync.WaitGroup
	defer calls.Wait()
	calls.Go(func() { o.findServer(ctx) })
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.wake:
		}
		o.mu.Lock()
		pending := o.pending
		o.pending = nil
		o.mu.Unlock()
		for _, r := range pending {
			calls.Add(1)
			go o.perform(ctx, r, calls.Done)
		}
	}
}

// Last returns the newest reading of addr, and whether it counts: false if there is none or it was voided.
func (o *Observed) Last(addr netip.Addr) (Reading, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last(addr)
}

// Void makes every reading of addr that was begun before now count for nothing.
func (o *Observed) Void(addr netip.Addr) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.order++
	o.voided[addr] = o.order
	for _, other := range o.Sharing(addr) {
		o.voided[other] = o.order
	}
}

// ScheduleRead batches reads: the next read that starts at that time or later, whoever asks for it, also covers addrs.
func (o *Observed) ScheduleRead(at time.Time, addrs ...netip.Addr) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, addr := range addrs {
		o.scheduled[addr] = at
	}
}

// Forget drops what is known of an address that is no longer managed.
func (o *Observed) Forget(addr netip.Addr) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.readings, addr)
	delete(o.voided, addr)
	delete(o.scheduled, addr)
	if o.Sharing(addr) != nil {
		o.share()
	}
}

// Due returns when the next refresh is to begin: the common instant, or earlier when the last read failed.
func (o *Observed) Due() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	refreshing := slices.ContainsFunc(o.current, func(r *read) bool { return r.refresh })
	if o.failed != nil && !refreshing && o.retry.Before(o.due) {
		return o.retry
	}
	return o.due
}

// Retry returns when a read may be tried again after a failed one; the past if the last one succeeded.
func (o *Observed) Retry() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.retry
}

// Resume lets reads be tried again at once after a failed one.
func (o *Observed) Resume() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.retry = time.Time{}
}

// Refresh starts a read of all managed addresses if one is due, and sets the next common instant. It returns how long it is until
// the next one is due, always above 0. That changes when a read ends.
func (o *Observed) Refresh() time.Duration {
	if wait := time.Until(o.Due()); wait > 0 {
		return wait
	}
	o.startRefresh(o.opts.Addresses())
	return max(time.Until(o.Due()), minWait)
}

// startRefresh starts a read of addrs, which are all that are managed, and sets the next common instant.
func (o *Observed) startRefresh(addrs []netip.Addr) {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if !now.Before(o.due) {
		o.due = now.Add(Jitter(o.opts.Interval, 0.1))
	}
	switch {
	case len(addrs) == 0: // nothing is read, so there is nothing to try again
		o.failed = nil
	case o.barred(now) == nil:
		r := o.covering(addrs, now)
		if r == nil {
			r = o.begin(now, addrs, true)
		}
		r.refresh = true
	}
}

// Read returns a reading of addr that was begun at after or later and is not voided. If there is none yet, it is pending: a read under
// way will tell, or a new one, which then also covers every managed address of which nothing valid is known or a reading is expected by
// now. OnRead is called once that read has ended. The error is that of the last read, until its back-off is over. A reading whose Err
// is set is no error of Read's.
func (o *Observed) Read(addr netip.Addr, after time.Time) (reading Reading, pending bool, err error) {
	var managed []netip.Addr // asked for only where a read must be made
	for {
		o.mu.Lock()
		reading, ok := o.last(addr)
		ok = ok && !reading.At.Before(after)
		now := time.Now()
		barred := o.barred(now)
		pending := o.underWay(addr, after)
		if !ok && barred == nil && !pending && managed != nil {
			o.begin(now, o.wanted(addr, managed, now), false)
			pending = true
		}
		o.mu.Unlock()
		switch {
		case ok:
			return reading, false, nil
		case barred != nil:
			return Reading{}, false, barred
		case pending:
			return Reading{}, true, nil
		}
		managed = append([]netip.Addr{addr}, o.opts.Addresses()...)
	}
}

func (o *Observed) last(addr netip.Addr) (Reading, bool) {
	r, ok := o.readings[addr]
	return r, ok && r.Order > o.voided[addr]
}

// barred returns the failure that is shared by all until its back-off is over; nil if a read may be made.
func (o *Observed) barred(now time.Time) error {
	if o.failed == nil || !now.Before(o.retry) {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrUnread, o.failed)
}

// underWay reports whether a read is under way that will tell what somebody wants to know.
func (o *Observed) underWay(addr netip.Addr, after time.Time) bool {
	return slices.ContainsFunc(o.current, func(r *read) bool {
		_, covered := slices.BinarySearchFunc(r.addrs, addr, netip.Addr.Compare)
		return covered && !r.at.Before(after) && r.order > o.voided[addr]
	})
}

// covering returns a read that has just begun and tells about all of addrs; nil if there is none. At the start, an address
// may have asked for all before the first refresh does.
func (o *Observed) covering(addrs []netip.Addr, now time.Time) *read {
	for _, r := range o.current {
		if now.Sub(r.at) > o.opts.Interval/10 {
			continue
		}
		lacks := func(addr netip.Addr) bool {
			_, covered := slices.BinarySearchFunc(r.addrs, addr, netip.Addr.Compare)
			return !covered || r.order <= o.voided[addr]
		}
		if !slices.ContainsFunc(addrs, lacks) {
			return r
		}
	}
	return nil
}

// wanted returns addr and every managed address that a read should cover as well, sorted.
func (o *Observed) wanted(addr netip.Addr, managed []netip.Addr, now time.Time) []netip.Addr {
	addrs := []netip.Addr{addr}
	for _, other := range managed {
		last, ok := o.last(other)
		due, scheduled := o.scheduled[other]
		if other != addr && (!ok || scheduled && !now.Before(due) && last.At.Before(due)) {
			addrs = append(addrs, other)
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return addrs
}

// begin hands a read to Run. Its time is that of now, so that nothing that happens after this counts as seen by it.
func (o *Observed) begin(now time.Time, addrs []netip.Addr, refresh bool) *read {
	o.order++
	r := &read{addrs: addrs, refresh: refresh, at: now, order: o.order}
	o.pending = append(o.pending, r)
	o.current = append(o.current, r)
	select {
	case o.wake <- struct{}{}:
	default: // Run is about to look
	}
	return r
}
