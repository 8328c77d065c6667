// Package observed holds what the cloud last said about each address, and when.
//
//   - One read serves all callers: those who want a reading no older than a read in progress share that read.
//   - A reading's time is when its request was sent.
//   - A reading stays valid, however old, until a newer one replaces it or it is invalidated. It may carry an error.
//   - A read has its own deadline. Nobody waits for it: Options.OnRead is called when it has ended, and whoever needs the reading asks
//     again. A call that is still running [providers.Grace] after its deadline is given up.
//   - A read that failed is shared, too, until its back-off is over.
//   - All managed addresses are read together, at one common instant per interval.
//   - Whatever invalidates the readings of an address invalidates those of all addresses that share its resource.
//
// It also finds out which server this is, and tries until it knows. It decides nothing and writes nothing.
package observed

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"floaty/providers"
	"floaty/providers/failurelog"
)

// Options configures an Observed. All fields except OnRead are required. The functions must not block.
type Options struct {
	Provider  providers.Provider
	Addresses func() []netip.Addr // all that are managed now
	Interval  time.Duration       // between refreshes; each carries ±10 % jitter
	Timeout   time.Duration       // of one read
	BackOff   BackOff             // between failed reads
	Found     func(server string) // called once, when it is known which server this is
	OnRead    func([]netip.Addr)  // called after each read, even a failed one, with the addresses that it covered; nil: not called
	Log       logr.Logger
}

// A Reading is what the cloud said about one address.
type Reading struct {
	providers.Holding
	At      time.Time // when its request was sent
	Since   time.Time // when the request of the first reading was sent that showed these servers, as all later ones have
	Refresh bool      // it is one of the regular readings, once per interval
	Seq     uint64    // number of its request among requests and invalidations; it tells readings apart
}

// minWait is the shortest time from a failed read to the next one, and between two checks whether a refresh is due, so that no loop spins.
const minWait = 100 * time.Millisecond

// An Observed holds what is known about the cloud. Create it with [New]; it reads only while [Observed.Run] runs.
type Observed struct {
	opts    Options
	wake    chan struct{}                               // there are reads to be started
	sharing atomic.Pointer[map[netip.Addr][]netip.Addr] // by address, those of its resource; nil: no resource is shared

	mu      sync.Mutex // guards all below
	seq     uint64     // of the last request or invalidation
	known   map[netip.Addr]*entry
	reads   []*read   // to be started, or in progress; oldest first
	due     time.Time // of the next refresh: the common instant, or the time at which a failed one is tried again
	failure failure
}

// An entry is what is known of one address.
type entry struct {
	reading     Reading   // the newest; zero: none yet
	known       *Reading  // the newest without an error, if reading carries one; nil: there is none, or reading is it
	invalidated uint64    // a reading is valid if its Seq is above this
	scheduled   time.Time // the first read that starts at this time or later covers the address, too; zero: none is scheduled
}

// A failure is that of the last read. Its zero value is success.
type failure struct {
	newest uint64    // Seq of the newest request that succeeded: an older one that fails later is no failure
	err    error     // nil: the last read succeeded
	retry  time.Time // no read is made before this time while err is set; zero: it succeeded, or Resume was called
	log    failurelog.Entry
}

// A read is one call of the provider, which serves every caller that asks for an address it covers.
type read struct {
	addrs   []netip.Addr // sorted
	at      time.Time
	seq     uint64
	refresh bool // it covers all that are managed
	started bool // guarded by mu
}

// New returns an Observed that knows nothing yet.
func New(opts Options) *Observed {
	return &Observed{opts: opts, wake: make(chan struct{}, 1), known: map[netip.Addr]*entry{}}
}

// Run finds out which server this is and makes the reads that are asked for, until ctx ends. It returns once every call has returned or has
// been given up.
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
		for _, r := range o.toStart() {
			calls.Add(1)
			go o.perform(ctx, r, calls.Done)
		}
	}
}

// Last returns the newest reading of addr, and whether it is valid: false if there is none, or it was invalidated.
func (o *Observed) Last(addr netip.Addr) (Reading, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last(addr)
}

// Known returns the newest reading of addr without an error; zero if there is none. It may be older than that of Last, and it may be
// invalidated.
func (o *Observed) Known(addr netip.Addr) Reading {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch e := o.known[addr]; {
	case e == nil:
		return Reading{}
	case e.known != nil:
		return *e.known
	case e.reading.Err == nil:
		return e.reading
	}
	return Reading{}
}

// Invalidate makes every reading whose request was sent before now invalid, for addr and for all addresses that share its resource.
func (o *Observed) Invalidate(addr netip.Addr) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seq++
	o.entry(addr).invalidated = o.seq
	for _, other := range o.Sharing(addr) {
		o.entry(other).invalidated = o.seq
	}
}

// ScheduleRead batches reads: the first read that starts at that time or later, whoever asks for it, also covers addrs. It starts none.
func (o *Observed) ScheduleRead(at time.Time, addrs ...netip.Addr) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, addr := range addrs {
		o.entry(addr).scheduled = at
	}
}

// Forget drops what is known of an address that is no longer managed.
func (o *Observed) Forget(addr netip.Addr) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.known, addr)
	if o.Sharing(addr) != nil {
		o.share()
	}
}

// Due returns when the next refresh is to start: at the common instant, or when a failed one may be tried again.
func (o *Observed) Due() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.due
}

// Retry returns when a read may be tried again after a failed one; zero if the last read succeeded, or nothing is managed.
func (o *Observed) Retry() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failure.retry
}

// Resume lets reads be tried again at once after a failed one. A refresh is then due.
func (o *Observed) Resume() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failure.retry = time.Time{}
	if o.failure.err != nil {
		o.due = time.Time{}
	}
}

// Refresh starts a read of all managed addresses if one is due, and sets the next common instant. It returns the time until
// the next one is due, which is above 0, and may change when a read ends.
func (o *Observed) Refresh() time.Duration {
	if wait := time.Until(o.Due()); wait > 0 {
		return wait
	}
	o.startRefresh(o.opts.Addresses())
	return max(time.Until(o.Due()), minWait)
}

// Read returns a valid reading of addr whose request was sent at after or later. If there is none yet, it reports pending, and joins a
// read in progress or starts one, which also covers every managed address that has no valid reading, or for which a read is scheduled by
// now. OnRead is called once that read has ended. If the last read failed, Read returns its error until its back-off is over.
// A reading whose Err is set is not an error of Read.
func (o *Observed) Read(addr netip.Addr, after time.Time) (reading Reading, pending bool, err error) {
	reading, pending, err = o.read(addr, after, nil)
	if err == nil && !pending && reading.Seq == 0 { // a read must be made
		return o.read(addr, after, append([]netip.Addr{addr}, o.opts.Addresses()...))
	}
	return reading, pending, err
}
