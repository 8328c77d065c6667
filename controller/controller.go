// Package controller makes the cloud agree with the desired set.
//
// A queue holds the addresses to be reconciled. To reconcile one is to decide what has to be done about it:
//
//   - not ours: only what is known is kept fresh;
//   - ours, and the last valid reading, however old, shows it elsewhere: it is assigned at once;
//   - ours, MASTER has just been said, and no reading is valid: it is assigned at once;
//   - ours, and a reading begun after the last doubt, and within two intervals, shows it here: nothing is written;
//   - ours, and no such reading: read first; if nothing can be read, it is assigned, at most once per interval. A reading that
//     carries an error does not count, but it is tried again after a back-off only.
//
// The promises:
//
//   - An event only names addresses; reconcile acts on what is true when it runs.
//   - Whether an address is ours is looked up again right before each write. When it stops being ours, a call under way is
//     cancelled before the address is queued again.
//   - An acknowledged write is only a request: it is verified after 1 s, 3 s, 10 s and 30 s, then at each refresh.
//   - Addresses do not wait for each other, up to the bound on writes side by side; reading and verifying wait for no write. A write
//     that does not return after its deadline, or after it was cancelled, is given up: nobody waits for it, and a reading tells what it
//     did.
//   - One address is never written more than 4 times in a row, then once a second, whatever Keepalived says.
//   - A contested address (see conflict) costs one write per interval.
//   - Addresses that share a resource, as far as readings have told, are one: the lowest of them stands for all, and is ours while
//     any of them is.
//
// It knows no cloud, reads no file and keeps nothing on disk.
package controller

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/util/workqueue"

	"floaty/desired"
	"floaty/observed"
	"floaty/providers"
)

// Options says what a controller works on. All fields but the last two are needed.
type Options struct {
	Desired    *desired.State
	Observed   *observed.Observed // must run as long as the controller does
	Provider   providers.Provider
	Interval   time.Duration // between refreshes
	Timeout    time.Duration // of one write; waiting for its turn does not count
	BackOff    observed.BackOff
	Concurrent int // writes side by side
	Log        logr.Logger
	Recorder   Recorder      // nil: nobody is told
	Metrics    *QueueMetrics // nil: none
}

// A Controller reconciles addresses. Create it with [New].
type Controller struct {
	opts  Options
	queue workqueue.TypedRateLimitingInterface[netip.Addr]
	pace  *pace

	statuses map[netip.Addr]*status // owned by the goroutine of Run
	apart    map[netip.Addr]string  // what was logged of resources that several instances want; owned by the goroutine of Run

	mu        sync.Mutex // guards all below
	slots     slots
	published map[netip.Addr]published // of what is not as usual
	resumed   time.Time                // when waits were ended last
}

// everything is the key that stands for the refresh of all addresses. No address is equal to it.
var everything netip.Addr

var (
	errLost    = errors.New("the address is no longer ours")
	errTimeout = errors.New("no answer in time")
)

// New returns a controller that does nothing until [Controller.Run].
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
		slots:    slots{free: opts.Concurrent, writes: map[netip.Addr]context.CancelCauseFunc{}},

		published: map[netip.Addr]published{},
	}
}

// Run works until ctx ends, which also cancels the calls in progress. It returns when all of them have returned or were given
// up. It can be called once.
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

// process reconciles one key of the queue. It waits for nothing: a write that has to be made is made by a goroutine of its own.
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
	lost, claimed := st.notice(want, now)
	if lost || claimed { // a new master tries at once
		c.pace.Forget(addr)
	}
	if lost { // readings from our own time as master say nothing of the next one
		c.opts.Observed.Invalidate(addr)
	}
	outcome, after, w := c.reconcile(addr, st, want, now)
	if w != nil {
		outcome, after = c.begin(ctx, addr, st, w)
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

// requeue ends the processing of an address, and is the only place that decides when it is processed again: after a while, after its
// wait or its back-off if a write failed, or else at the next refresh. Whatever happens to the address comes first.
func (c *Controller) requeue(addr netip.Addr, st *status, outcome outcome, after time.Duration, err error) {
	var told *providers.WaitError
	switch {
	case outcome == assigned, outcome == inPlace:
		c.queue.Forget(addr)
	case outcome != failed && outcome != notWritten: // no write was made, or it does not matter any more
	case errors.As(err, &told):
		after = max(told.Wait, time.Millisecond)
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
	c.mu.Lock()
	c.publish(addr, st, outcome, after, err)
	next, granted := c.release(addr, st)
	c.mu.Unlock()
	if granted {
		c.queue.Add(next)
	}
	c.queue.Done(addr)
}

// Enqueue makes the controller reconcile addresses of which something has changed in the desired set that Options names. Writes of
// addresses that are no longer ours are cancelled when it returns. All of them share one read, if they have to be read.
func (c *Controller) Enqueue(addrs ...netip.Addr) {
	c.cancelLost()
	if len(addrs) > 1 { // a single one shares no read
		c.opts.Observed.ScheduleRead(time.Now(), addrs...)
	}
	c.add(addrs)
}

// ReadDone makes the controller reconcile addresses of which a read has ended. What it has told may also change when the next refresh
// is due.
func (c *Controller) ReadDone(addrs []netip.Addr) {
	c.add(addrs)
	c.queue.Add(everything)
}

// Resume ends the waits that the cloud has asked for, and those after a refusal: calls may be made again.
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

// Inherit takes over from the controller that c replaces, which must have ended, what it has answered: only claims that it has not are
// answered by c. It must be called before Run.
func (c *Controller) Inherit(from *Controller) {
	for addr, st := range from.statuses {
		c.statuses[addr] = &status{seen: st.answered, answered: st.answered}
	}
	c.add(c.opts.Desired.Addresses())
}

// add queues addrs, and the addresses that stand for them.
func (c *Controller) add(addrs []netip.Addr) {
	for _, addr := range addrs {
		if lead := c.lead(addr); lead != addr {
			c.queue.Add(lead)
		}
		c.queue.Add(addr)
	}
}

// cancelLost cancels the writes in progress of what is not ours. It examines all of them, for what an address shares may have become
// known, or have changed, since its write began.
func (c *Controller) cancelLost() {
	type inProgress struct {
		addr   netip.Addr
		cancel context.CancelCauseFunc
	}
	if c.slots.busy.Load() == 0 {
		return
	}
	var writes []inProgress
	c.mu.Lock()
	for addr, cancel := range c.slots.writes {
		writes = append(writes, inProgress{addr, cancel})
	}
	c.mu.Unlock()
	for _, w := range writes {
		if want, _ := c.want(w.addr); !want.Ours {
			w.cancel(errLost)
		}
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

// lastResumed returns when waits were ended last.
func (c *Controller) lastResumed() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.resumed
}
