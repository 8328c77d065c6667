// Package observed holds what the cloud last said about each address, and when.
//
//   - One read serves all who ask: those who want a reading no older than one that is under way share it.
//   - A reading's time is when its request was sent.
//   - A reading stays, however old, until a newer one replaces it or it is voided.
//   - A shared read has its own deadline; an asker who goes away does not end it. A call that does not return then is given up.
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

// Options says what to observe. All fields are needed.
type Options struct {
	Provider  providers.Provider
	Addresses func() []netip.Addr // all that are managed now
	Interval  time.Duration       // between refreshes; each carries ±10 % jitter
	Timeout   time.Duration       // of one shared read
	BackOff   BackOff             // between failed reads
	Found     func(server string) // called once, when it is known which server this is
	Log       logr.Logger
}

// A Reading is what the cloud said about one address.
type Reading struct {
	providers.Holding
	At      time.Time // its request was sent
	Refresh bool      // it is a regular one, not a look in between
	Order   uint64    // of its request among requests and voidings: it tells readings apart
}

// minWait is how long a failed read waits at least, whatever a cloud says: no loop turns without a rest.
const minWait = 100 * time.Millisecond

// ErrUnread is what every failure to read wraps.
var ErrUnread = errors.New("reading the cloud failed")

// Observed is what is known. Create it with [New]; it reads only while [Observed.Run] runs.
type Observed struct {
	opts    Options
	wake    chan struct{}                               // there are pending reads
	sharing atomic.Pointer[map[netip.Addr][]netip.Addr] // by address, those of its resource; nil: none shares one

	mu       sync.Mutex // guards all below
	order    uint64     // of the last request or voiding
	readings map[netip.Addr]Reading
	voided   map[netip.Addr]uint64
	expected map[netip.Addr]time.Time
	pending  []*read // to be started by Run
	current  []*read // pending or under way, oldest first
	due      time.Time
	answered uint64    // the newest request that was answered
	failed   error     // of the last read
	retry    time.Time // not before, after a failed read
	trouble  providers.Trouble
}

// A read is one call that several askers may wait for.
type read struct {
	addrs   []netip.Addr // sorted
	refresh bool         // guarded by mu
	at      time.Time
	order   uint64
	done    chan struct{} // closed at the end
	ended   bool          // guarded by mu
	askers  []asker       // to be called at the end; guarded by mu
}

// An asker waits for a read without standing by.
type asker struct {
	addr  netip.Addr
	again func(netip.Addr)
}

// New returns an Observed that knows nothing yet.
func New(opts Options) *Observed {
	return &Observed{
		opts:     opts,
		wake:     make(chan struct{}, 1),
		readings: map[netip.Addr]Reading{},
		voided:   map[netip.Addr]uint64{},
		expected: map[netip.Addr]time.Time{},
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

// Expect announces that a reading of addr begun at that time or later will be asked for: the first read after it, whoever
// asks, then covers addr too.
func (o *Observed) Expect(addr netip.Addr, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.expected[addr] = at
}

// Forget drops what is known of an address that is no longer managed.
func (o *Observed) Forget(addr netip.Addr) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.readings, addr)
	delete(o.voided, addr)
	delete(o.expected, addr)
	if o.Sharing(addr) != nil {
		o.share()
	}
}

// Due returns when the next refresh is to begin: the common instant, or earlier when the last read failed.
func (o *Observed) Due() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failed != nil && o.retry.Before(o.due) {
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

// Refresh reads all managed addresses and sets the next common instant. It returns when the read is done, or early with
// ctx's cause.
func (o *Observed) Refresh(ctx context.Context) error {
	addrs := o.opts.Addresses()
	now := time.Now()
	o.mu.Lock()
	if !now.Before(o.due) {
		o.due = now.Add(Jitter(o.opts.Interval, 0.1))
	}
	if len(addrs) == 0 { // nothing is read, so nothing is to be tried again
		o.failed = nil
	}
	if len(addrs) == 0 || o.barred(now) != nil {
		o.mu.Unlock()
		return nil
	}
	r := o.covering(addrs, now)
	if r == nil {
		r = o.begin(now, addrs, true)
	}
	r.refresh = true
	o.mu.Unlock()
	return await(ctx, r)
}

// Read returns a reading of addr that was begun at after or later and is not voided: the last one, one under way, or a new
// one, which then also covers every managed address of which nothing valid is known or a reading is expected by now. Its
// error wraps [ErrUnread], or is ctx's cause. A reading whose Err is set is no error of Read's.
func (o *Observed) Read(ctx context.Context, addr netip.Addr, after time.Time) (Reading, error) {
	for {
		reading, under, err := o.look(addr, after)
		if under == nil {
			return reading, err
		}
		if err := await(ctx, under); err != nil {
			return Reading{}, err
		}
	}
}

// Ask is Read for who does not wait: a thousand that wait would cost a stack each. While no reading is there, it is pending, and
// again is called with addr when it is worth asking once more.
func (o *Observed) Ask(addr netip.Addr, after time.Time, again func(netip.Addr)) (reading Reading, pending bool, err error) {
	for {
		reading, under, err := o.look(addr, after)
		if under == nil {
			return reading, false, err
		}
		if o.join(under, asker{addr, again}) {
			return Reading{}, true, nil
		}
	}
}

// join has an asker called when a read ends; false if it has ended.
func (o *Observed) join(r *read, a asker) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.ended {
		return false
	}
	r.askers = append(r.askers, a)
	return true
}

// look returns what Read does, or a read under way that will tell.
func (o *Observed) look(addr netip.Addr, after time.Time) (Reading, *read, error) {
	var managed []netip.Addr // asked for only where a read must be made
	for {
		o.mu.Lock()
		reading, ok := o.last(addr)
		ok = ok && !reading.At.Before(after)
		now := time.Now()
		barred := o.barred(now)
		under := o.underWay(addr, after)
		if !ok && barred == nil && under == nil && managed != nil {
			under = o.begin(now, o.wanted(addr, managed, now), false)
		}
		o.mu.Unlock()
		switch {
		case ok:
			return reading, nil, nil
		case barred != nil:
			return Reading{}, nil, barred
		case under != nil:
			return Reading{}, under, nil
		}
		managed = append([]netip.Addr{addr}, o.opts.Addresses()...)
	}
}

func await(ctx context.Context, r *read) error {
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
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

// underWay returns a read that will tell what an asker wants to know; nil if there is none.
func (o *Observed) underWay(addr netip.Addr, after time.Time) *read {
	for _, r := range o.current {
		_, covered := slices.BinarySearchFunc(r.addrs, addr, netip.Addr.Compare)
		if covered && !r.at.Before(after) && r.order > o.voided[addr] {
			return r
		}
	}
	return nil
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
		expected, announced := o.expected[other]
		if other != addr && (!ok || announced && !now.Before(expected) && last.At.Before(expected)) {
			addrs = append(addrs, other)
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return addrs
}

// begin hands a read to Run. Its time is that of now, so that nothing that happens after this counts as seen by it.
func (o *Observed) begin(now time.Time, addrs []netip.Addr, refresh bool) *read {
	o.order++
	r := &read{addrs: addrs, refresh: refresh, at: now, order: o.order, done: make(chan struct{})}
	o.pending = append(o.pending, r)
	o.current = append(o.current, r)
	select {
	case o.wake <- struct{}{}:
	default: // Run is about to look
	}
	return r
}
