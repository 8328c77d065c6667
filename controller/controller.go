// Package controller makes the cloud agree with the desired set.
//
// A queue holds the addresses to look at; reconcile looks at one of them:
//
//   - not ours: only what is known is kept fresh;
//   - ours, and the last valid reading, however old, shows it elsewhere: it is assigned at once;
//   - ours, MASTER has just been said, and no reading is valid: it is assigned at once;
//   - ours, and a reading begun after the last doubt, and within two intervals, shows it here: nothing is written;
//   - ours, and no such reading: read first; if nothing can be read, it is assigned, at most once an interval. A reading that
//     carries an error is none, but it is tried again after a back-off only.
//
// The promises:
//
//   - An event only names addresses; reconcile acts on what is true when it runs.
//   - Whether an address is ours is looked up again right before each write. When it stops being ours, a call under way is
//     cancelled before the address is queued again.
//   - An acknowledged write is only a request: it is looked at again after 1 s, 3 s, 10 s and 30 s, then at each refresh.
//   - Addresses do not wait for each other, up to the bound on requests side by side. A write that does not return after its
//     deadline, or after it was cancelled, is given up: nobody waits for it, and what it did is looked at.
//   - One address is never written more than 4 times in a row, then once a second, whatever Keepalived says.
//   - A contested address (see contest) costs one write an interval.
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
	queue workqueue.TypedDelayingInterface[netip.Addr]

	mu       sync.Mutex // guards all below
	memories map[netip.Addr]*memory
	signals  map[netip.Addr]*signal
	turns    turns
	writes   map[netip.Addr]context.CancelCauseFunc // that are under way

	apart map[netip.Addr]string // what was said of resources that several instances want; owned by the look at everything
}

// A signal is what has happened to an address since it was last looked at.
type signal struct {
	at      time.Time // of the last change that named it
	lost    bool      // it stopped being ours, for a moment at least
	gained  bool      // it became ours
	claimed bool      // MASTER was said
	rival   bool      // a rival was heard
	resumed bool      // waits that the cloud asked for are over
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
	return &Controller{
		opts:     opts,
		queue:    newQueue(opts.Metrics),
		memories: map[netip.Addr]*memory{},
		signals:  map[netip.Addr]*signal{},
		turns:    turns{free: opts.Concurrent, has: map[netip.Addr]bool{}},
		writes:   map[netip.Addr]context.CancelCauseFunc{},
	}
}

// Run works until ctx ends, which also cancels the calls under way. It returns when all of them have returned or were given
// up. It can be called once.
func (c *Controller) Run(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	stop := context.AfterFunc(ctx, c.queue.ShutDown)
	defer stop()
	looks := make(chan struct{}, c.opts.Concurrent+spare)
	for c.queue.Add(everything); ; {
		addr, shutdown := c.queue.Get()
		if shutdown {
			return
		}
		looks <- struct{}{}
		work.Add(1)
		go c.work(ctx, addr, func() {
			c.queue.Done(addr)
			<-looks
			work.Done()
		})
	}
}

// Apply makes the controller look at what changed, in the desired set that Options names. Calls for addresses that are
// no longer ours are cancelled when it returns. All addresses of a change reckon from one instant, and so share one read.
func (c *Controller) Apply(change desired.Change) {
	now := time.Now()
	if len(change.Lost) > 0 { // before all else: ten thousand may be lost
		c.cancel()
	}
	// Found once: what is signalled must be what is queued, also when a reading tells meanwhile that others stand for them.
	left, gained, claimed, rivals := c.leads(change.Lost), c.leads(change.Gained), c.leads(change.Claimed), c.leads(change.Rivals)
	var lost []netip.Addr
	for i, addr := range change.Lost {
		if _, ours := c.server(addr); !ours { // nor is any other of its resource
			lost = append(lost, left[i])
			c.opts.Observed.Void(addr) // readings from our own time as master say nothing of the next one
		}
	}
	for _, list := range [][]netip.Addr{gained, claimed, rivals} {
		for _, addr := range list {
			c.opts.Observed.Expect(addr, now)
		}
	}
	c.mu.Lock()
	for _, addr := range lost {
		delete(c.signals, addr) // what came before it does not matter any more
		c.signal(addr, now).lost = true
	}
	for _, addr := range gained {
		c.signal(addr, now).gained = true
	}
	for _, addr := range claimed {
		c.signal(addr, now).claimed = true
	}
	for _, addr := range rivals {
		c.signal(addr, now).rival = true
	}
	c.mu.Unlock()
	for _, list := range [][]netip.Addr{claimed, left, gained, rivals, c.leads(change.Added), change.Removed} {
		for _, addr := range list {
			c.queue.Add(addr)
		}
	}
}

// cancel cancels the writes under way of what is not ours. It looks at all of them, for what an address shares may have become known,
// or have changed, since its write began.
func (c *Controller) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for addr, cancel := range c.writes {
		if _, ours := c.server(addr); !ours {
			cancel(errLost)
		}
	}
}

// signal returns the signal of addr, to be written to. c.mu is held.
func (c *Controller) signal(addr netip.Addr, now time.Time) *signal {
	s := c.signals[addr]
	if s == nil {
		s = &signal{}
		c.signals[addr] = s
	}
	s.at = now
	return s
}

// Inherit takes over from the controller that c replaces, which must have ended, the addresses of which MASTER was said and that
// neither an acknowledged write nor a reading has answered.
func (c *Controller) Inherit(from *Controller) {
	var claimed []netip.Addr
	from.mu.Lock()
	for addr, m := range from.memories {
		if m.claimed {
			claimed = append(claimed, addr)
		}
	}
	for addr, s := range from.signals {
		if s.claimed {
			claimed = append(claimed, addr)
		}
	}
	from.mu.Unlock()
	c.Apply(desired.Change{Claimed: claimed})
}

// Resume makes waits end that the cloud had asked for: calls may be made again.
func (c *Controller) Resume() {
	c.opts.Observed.Resume()
	addrs, now := c.opts.Desired.Addresses(), time.Now()
	for _, addr := range addrs {
		c.opts.Observed.Expect(addr, now)
	}
	leads := c.leads(addrs)
	c.mu.Lock()
	for _, addr := range leads {
		c.signal(addr, now).resumed = true
	}
	c.mu.Unlock()
	for _, addr := range leads {
		c.queue.Add(addr)
	}
	c.queue.Add(everything)
}

// Enqueue makes the controller look at addrs, for a read of them has ended. What it has told may also change when the next refresh is
// due.
func (c *Controller) Enqueue(addrs []netip.Addr) {
	for _, addr := range addrs {
		c.queue.Add(c.lead(addr))
	}
	c.queue.Add(everything)
}

// refresh has all addresses read when that is due.
func (c *Controller) refresh() {
	c.queue.AddAfter(everything, c.opts.Observed.Refresh())
	c.warn()
}
