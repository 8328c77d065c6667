// Package controller makes the cloud agree with the desired set.
//
// A queue holds the addresses that have to be reconciled. For each of them, reconcile decides:
//
//   - It is not ours: only keep its readings up to date.
//   - It is ours, and the last valid reading, however old, shows it elsewhere: assign it at once.
//   - It is ours, Keepalived has just said MASTER, and no reading is valid: assign it at once.
//   - It is ours, and a reading shows it here that was begun after the last reason for doubt and is at most two intervals old (or, if that
//     is longer, an interval and the timeout of a read): write nothing.
//   - It is ours, and there is no such reading: read first. If nothing can be read, assign it, at most once per interval.
//
// A reading is valid until a write or a loss invalidates it. A valid reading that carries an error decides nothing, and the address is read
// again only after a back-off. The exceptions are [providers.ErrNotFound] and [providers.ErrRefused]: because of such a reading, the address
// is not written.
//
// The promises:
//
//   - Events only name addresses. reconcile acts on what is true when it runs.
//   - Right before each write, the controller checks again that the address is ours. When it stops being ours, a write in progress is
//     cancelled before the address is queued again.
//   - An acknowledged write is only a request: it is verified after 1 s, 3 s, 10 s and 30 s, and then with each refresh. So is a claim that
//     found the address in place.
//   - Addresses do not wait for each other, except that the number of concurrent writes is bounded. Reading and verifying never wait for a
//     write. A write that is still running [providers.Grace] after its deadline or its cancellation is given up: nobody waits for it, and
//     the next reading shows what it did.
//   - An address is written at most 4 times in a row, then at most once per second, whatever Keepalived says.
//   - A contested address (see conflict) costs one write per interval.
//   - Addresses that share a resource, as far as readings have shown, are treated as one: the lowest of them stands for all, and it is
//     ours while any of them is.
//
// The package depends on no particular cloud, reads no files and stores nothing on disk.
package controller

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/util/workqueue"

	"floaty/desired"
	"floaty/observed"
	"floaty/providers"
)

// Options configures a [Controller]. All fields are required except the last two.
type Options struct {
	Desired    *desired.State
	Observed   *observed.Observed // must run as long as the controller does
	Provider   providers.Provider
	Interval   time.Duration // between refreshes
	Timeout    time.Duration // of one write, not counting the wait for a slot
	BackOff    observed.BackOff
	Concurrent int // the number of concurrent writes
	Log        logr.Logger
	Recorder   Recorder      // nil: nothing is recorded
	Metrics    *QueueMetrics // nil: none
}

// A Controller reconciles addresses. Create it with [New].
type Controller struct {
	opts  Options
	queue workqueue.TypedRateLimitingInterface[netip.Addr]
	pace  *pace

	statuses map[netip.Addr]*status // owned by the goroutine of Run
	apart    map[netip.Addr]string  // warnings logged by warn, by lead; owned by the goroutine of Run

	mu        sync.Mutex // guards all below
	slots     slots
	published map[netip.Addr]published // addresses without an entry have the zero value
	resumed   time.Time                // the last call of Resume
}

// everything is the queue's key for the refresh of all addresses. No valid address equals it.
var everything netip.Addr

var (
	errLost    = errors.New("the address is no longer ours")
	errTimeout = errors.New("no answer in time")
)

// New returns a controller that does nothing until [Controller.Run] is called.
func New(opts Options) *Controller {
	if opts.Recorder == nil {
		opts.Recorder = nobody{}
	}
	limits := newPace(opts.BackOff, opts.Interval)
	return &Controller{
		opts:     opts,
		queue:    newQueue(limits, opts.Metrics),
		pace:     limits,
		statuses: map[netip.Addr]*status{},
		slots:    slots{free: opts.Concurrent, writes: map[netip.Addr]recheck{}},

		published: map[netip.Addr]published{},
	}
}

// Run works until ctx ends, which also cancels the writes in progress. It returns once all of them have returned or have been given up. It
// must be called only once.
func (c *Controller) Run(ctx context.Context) {
	var writes sync.WaitGroup
	defer writes.Wait()
	stop := context.AfterFunc(ctx, c.queue.ShutDown)
	defer stop()
	for c.queue.Add(everything); ; {
		addr, shutdown := c.queue.Get()
		switch {
		case shutdown:
			return
		case ctx.Err() != nil: // a queue that is shut down still hands out what it holds
			c.queue.Done(addr)
		default:
			c.process(ctx, addr, &writes)
		}
	}
}

// process reconciles one key of the queue. It never blocks: a write runs in a goroutine of its own.
func (c *Controller) process(ctx context.Context, addr netip.Addr, writes *sync.WaitGroup) {
	if addr == everything {
		c.queue.AddAfter(everything, c.opts.Observed.Refresh())
		c.warn()
		c.queue.Done(everything)
		return
	}
	if lead := c.lead(addr); lead != addr {
		c.drop(addr, lead)
		return
	}
	want, managed := c.want(addr)
	if !managed {
		c.drop(addr, addr)
		return
	}
	st := c.status(addr)
	now := time.Now()
	loss, claim := st.notice(want, now)
	if loss { // what was read while we were master does not show what the next master does
		c.opts.Observed.Invalidate(addr)
	}
	outcome, after, w := c.reconcile(addr, st, want, now)
	switch anew := loss || claim; { // a new master does not wait for the back-off of the last one
	case w != nil:
		outcome, after = c.begin(ctx, addr, st, w, anew)
	case anew:
		c.pace.Forget(addr)
	}
	if outcome != writing {
		c.requeue(addr, st, outcome, after, nil)
		return
	}
	writes.Add(1)
	go c.write(addr, w, func(err error) {
		outcome, after := c.concluded(addr, st, w, err)
		c.requeue(addr, st, outcome, after, err)
		writes.Done()
	})
}

// requeue ends the processing of an address, whatever its outcome. It is the only place that queues the address again: after the time that
// came with the outcome, after a wait or a back-off if a write failed, and otherwise with the next refresh. Events may always come first.
func (c *Controller) requeue(addr netip.Addr, st *status, outcome outcome, after time.Duration, err error) {
	var told *providers.WaitError
	switch {
	case outcome == assigned, outcome == inPlace:
		c.queue.Forget(addr)
	case outcome != failed && outcome != notWritten: // no write was made, or it no longer matters
	case after > 0: // it failed, and Resume has ended its wait already
	case errors.As(err, &told):
		after = max(told.Wait, soon)
		c.pace.Hold(addr, after)
	case permanent(err):
		after = observed.Jitter(c.opts.Interval, 0.1)
		c.pace.Hold(addr, after)
	default:
		c.queue.AddRateLimited(addr)
	}
	if after > 0 {
		c.queue.AddAfter(addr, after)
	}
	c.opts.Recorder.Reconciled(string(outcome))
	var next time.Time // zero: with the next refresh
	switch {
	case outcome == failed:
		next = later(c.pace.Next(addr), time.Now().Add(after))
		c.logFailure(addr, st, err, next)
	case after > 0:
		next = time.Now().Add(after)
	}
	c.mu.Lock()
	c.publish(addr, st, outcome, next, err)
	heir, granted := c.release(addr, st)
	c.mu.Unlock()
	if granted {
		c.queue.Add(heir)
	}
	c.queue.Done(addr)
}

// Enqueue makes the controller reconcile addresses for which something has changed in Options.Desired. When it returns, the writes of
// addresses that are no longer ours, or no longer belong on the same server, have been cancelled. If the addresses have to be read, they
// share one read.
func (c *Controller) Enqueue(addrs ...netip.Addr) {
	c.cancelLost()
	if len(addrs) > 1 { // a single address has nothing to share a read with
		c.opts.Observed.ScheduleRead(time.Now(), addrs...)
	}
	c.add(addrs)
}

// ReadDone makes the controller reconcile the addresses that a finished read covered. It is meant for [observed.Options].OnRead. The
// result may also change when the next refresh is due.
func (c *Controller) ReadDone(addrs []netip.Addr) {
	c.add(addrs)
	c.queue.Add(everything)
}

// Resume ends all waits of this controller, after a failure, a refusal or as the cloud told, and processes every address again. A write in
// progress that fails may be repeated at once, too. Resume is meant for a credential that is new, or accepted again. A Retry-After that is
// not over still holds in [providers.Paced].
func (c *Controller) Resume() {
	now := time.Now()
	c.opts.Observed.Resume()
	c.pace.Resume()
	c.mu.Lock()
	c.resumed = now
	c.mu.Unlock()
	addrs := c.opts.Desired.Addresses()
	c.opts.Observed.ScheduleRead(now, addrs...)
	c.add(addrs)
	c.queue.Add(everything)
}

// Inherit makes c take over what the controller that it replaces knows: its writes and conflicts, and which claims are answered, so that c
// answers only the others. Readings are not taken over, because c has its own Observed. Inherit must be called after the old controller's
// Run has returned, and before c's Run is called.
func (c *Controller) Inherit(from *Controller) {
	for addr, st := range from.statuses {
		c.statuses[addr] = &status{
			noticed: st.answered, answered: st.answered,
			readAfter: st.readAfter, verify: st.verify, conflict: st.conflict, writes: st.writes,
		}
	}
	addrs := c.opts.Desired.Addresses()
	for _, addr := range addrs {
		st := from.statuses[from.lead(addr)]
		if st == nil {
			continue
		}
		if c.statuses[addr] == nil { // c does not know yet which addresses share a resource
			c.statuses[addr] = &status{noticed: st.answered, answered: st.answered, readAfter: st.readAfter}
		}
		c.pace.Reserve(addr, false) // it counts as written now, so that it is not written because the first read of c fails
	}
	c.add(addrs)
}

// add queues addrs and their leads.
func (c *Controller) add(addrs []netip.Addr) {
	for _, addr := range addrs {
		if lead := c.lead(addr); lead != addr {
			c.queue.Add(lead)
		}
		c.queue.Add(addr)
	}
}

// cancelLost cancels the writes in progress of addresses that are not ours, or belong on another server. It checks all of them, because
// the resource that an address belongs to may have become known, or may have changed, since its write began.
func (c *Controller) cancelLost() {
	if !c.slots.busy.Load() {
		return
	}
	c.mu.Lock()
	writes := maps.Clone(c.slots.writes)
	c.mu.Unlock()
	for addr, check := range writes {
		want, _ := c.want(addr)
		check(want)
	}
}

// status returns the status of addr.
func (c *Controller) status(addr netip.Addr) *status {
	st := c.statuses[addr]
	if st == nil {
		st = &status{}
		c.statuses[addr] = st
	}
	return st
}

// lastResumed returns the time of the last call of Resume.
func (c *Controller) lastResumed() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.resumed
}
