// Package keepalived reads what Keepalived says: the states of its VRRP instances, and whether they can be relied on.
//
// A [Listener] reads the lines of a notify FIFO and hands on whole states, never single lines, so only the states after a burst of lines
// matter. It goes over to the new FIFO when the old one is removed and made again, and it notices when Keepalived no longer has it open for
// writing:
//
//   - Without a writer, every state is suspended at once. Keepalived is reloading, restarting or gone.
//   - If the VRRP process is known, and a writer comes back while that process lives, it was a reload, in which Keepalived does not repeat
//     MASTER (seen on 2.2.7). After 300 ms, the states count again as they are by then. If the writer was away for longer than 3 s, lines
//     may have been lost; each instance then counts only under the condition of the next case.
//   - If the VRRP process is not known, and a writer comes back within 3 s, the states count again after 300 ms, but MASTER only if one
//     of the addresses that keepalived.conf gives the instance is on an interface. No evidence means no MASTER.
//   - If the VRRP process has ended, or is not known and no writer comes back within 3 s, every state is forgotten.
//   - A line from the new writer counts at once.
//
// The VRRP process is the Keepalived that has the FIFO open for writing or, if that cannot be seen, the one that the pid file names.
//
// A file keeps the states while floaty restarts. When an instance leaves MASTER, this is saved while others act on it; when one becomes
// MASTER, this is saved afterwards. If saving fails, the file is removed or emptied. Saved states count again as after a reload, but a
// MASTER only under two more conditions: the VRRP process, if it was known, is still the same, and one of the instance's addresses, if it
// has any, is on a local interface. Otherwise a lost BACKUP could do harm: Keepalived empties the pipe when it reloads while nobody else
// has it open (seen on 2.2.7).
//
// When this process has stood still (SIGSTOP, a suspended machine), Keepalived may have stood still too. A MASTER is then suspended for
// three advertisement intervals and a second, at most 10 s, or until Keepalived writes about the instance. One that Keepalived reported
// less than three intervals ago is not suspended.
//
// The listener does not wait for the disk. It calls Options.Changed in its own goroutine, and Changed must hand the work on and return.
// Before each write to the cloud, the writer waits for the listener instead: see [Listener.Settle]. A notify script, which learns of only
// one event, uses a [Holder].
//
// The package does not decide what follows from a state, and it never asks Keepalived anything.
package keepalived

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"floaty/providers/logkey"
)

// Options configures a Listener. StateFile, Trusted and Local may be left out.
type Options struct {
	Path      string // of the FIFO
	StateFile string // the file that keeps the states while floaty restarts; empty: none. Its directory is made if its parent exists
	Conf      Conf
	PIDFile   func() string                       // returns the path of the pid file of Keepalived's VRRP process
	Trusted   func(uid uint32) bool               // whether a user, other than root and floaty's own, may own the FIFO; nil: none may
	Local     func() (map[netip.Addr]bool, error) // returns the addresses on local interfaces; nil: asks the kernel
	Changed   func(Snapshot)                      // called from Run whenever something has changed; it must neither block nor change the snapshot
	Log       logr.Logger
}

// Conf looks things up in keepalived.conf, as it is at the time of each call.
type Conf struct {
	Named          func(instance string) bool          // whether it has that instance
	Members        func(group string) []string         // the instances in a sync group
	VIPs           func(instance string) []netip.Addr  // the instance's addresses; empty if it has none or they are not known
	AdvertInterval func(instance string) time.Duration // between two of its advertisements; 1 s if that is not known
}

// A Listener follows one FIFO. Create it with [New].
//
// Run makes a pass whenever there is something to do: fifo reads lines and turns them into events, trust applies them to the states and
// decides which states count, and report hands on a [Snapshot] to Options.Changed if anything has changed. All of this happens in the
// goroutine of Run. Other goroutines only read reported and counters, and wait at the fence.
type Listener struct {
	opts      Options
	fifo      *fifo
	trust     *trust
	stateFile *stateFile
	fence     *fence
	counters  eventCounters
	reported  atomic.Pointer[Snapshot] // the last one that was handed on
	poller    *poller                  // nil: Run does not run
	heart     *heart                   // nil: Run does not run
}

// New returns a Listener that does nothing until Run is called.
func New(opts Options) *Listener {
	if opts.Local == nil {
		opts.Local = LocalAddrs
	}
	l := &Listener{opts: opts, fence: newFence(), stateFile: newStateFile(opts.StateFile, opts.Path, opts.Log)}
	l.reported.Store(&Snapshot{})
	l.trust = newTrust(&l.opts)
	l.fifo = newFIFO(&l.opts, &l.counters, fifoHandlers{connected: l.trust.writerConnected, event: l.trust.event, gone: l.trust.writerGone})
	l.trust.readFrom(l.fifo)
	return l
}

// Settle returns nil once everything that Keepalived wrote before the call has been acted on; any calls that this cancels have then been
// cancelled. It must be called right before each write to the cloud. If ctx ends first, it returns the cause. If nothing is unread, it
// takes about half a microsecond.
func (l *Listener) Settle(ctx context.Context) error { return l.fence.settle(ctx, false) }

// Ping returns nil once Run has completed a round of reading and acting that began after the call. If ctx ends first, it returns the cause.
func (l *Listener) Ping(ctx context.Context) error { return l.fence.settle(ctx, true) }

// Run listens until ctx ends, and then stops reading at once. It returns an error only if it cannot begin, because the system is out of
// descriptors; then it may be called again. Any later problem is logged, and what failed is tried again.
func (l *Listener) Run(ctx context.Context) error {
	poller, err := newPoller()
	if err != nil {
		return fmt.Errorf("creating an epoll instance: %w", err)
	}
	heart, err := newHeart()
	if err != nil {
		poller.close()
		return err
	}
	dir := newDirWatch(filepath.Dir(l.opts.Path))
	l.poller, l.heart, l.fifo.at.dir = poller, heart, dir
	stop := context.AfterFunc(ctx, poller.end)
	l.fence.open(poller.nudge)
	var beats sync.WaitGroup
	beats.Go(func() { heart.run(l.fence.beat) })
	defer func() {
		l.fence.close()
		heart.close()
		beats.Wait()
		stop()
		poller.close()
		dir.close()
		l.fifo.at.dir = nil
		l.fifo.close()
		l.trust.vrrp.close()
		l.stateFile.close()
	}()
	for ctx.Err() == nil {
		now := time.Now()
		l.pass(now) //nolint:contextcheck // a search is ended by vrrpProcess.close
		l.sleep(now)
	}
	return nil
}

// pass looks at everything once. Lines come first, because a takeover waits for them; with two FIFOs, it must first be found out which
// lines are older.
func (l *Listener) pass(now time.Time) {
	if l.fifo.connected && l.fifo.next == nil {
		l.begin(now)
		l.listen(now)
		l.report()
	}
	l.begin(now)
	l.fifo.follow(now)
	l.loadState(now)
	l.listen(now)
	l.trust.review(now)
	l.report()
	l.trust.vrrp.startSearch(now) // last: it may take a while to start, and nothing waits for it
}

// begin begins to read and act, and report ends that. What happens in between is not visible to others.
func (l *Listener) begin(now time.Time) {
	if s := l.fence.begin(); s.matters() {
		if awake := time.Now(); awake.After(now) { // the process may have stood still since the pass began
			now = awake
		}
		l.trust.standstill(s, now)
	}
}

// listen reads what is in the FIFO and applies it. It first checks whether the VRRP process lives: if so, what is read was written by
// that process, and if not, some of it may be from a successor that took over unnoticed.
func (l *Listener) listen(now time.Time) {
	process := l.trust.vrrp.process
	ended := process != nil && !process.Alive()
	if ended {
		l.trust.states.suspend()
	}
	l.fifo.read(now)
	if ended && l.trust.vrrp.process == process {
		l.trust.processEnded(now)
	}
}

// loadState restores what the earlier run saved, once the file has been read. The FIFO must be open first, so that a second daemon with the
// same configuration does not do this.
func (l *Listener) loadState(now time.Time) {
	if l.fifo.opened() {
		l.stateFile.open(l.fence.wake)
	}
	if r, ok := l.stateFile.load(); ok {
		l.trust.restore(r, now)
		l.stateFile.save(l.trust.reporter(), l.trust.states)
	}
}

// report hands on what has changed. An instance that leaves MASTER is saved while that is acted on. Saving anything else, and logging,
// come afterwards, so that a takeover does not wait for them.
func (l *Listener) report() {
	before, process, reporter := l.reported.Load(), l.trust.vrrp.process, l.trust.reporter()
	changed, leavesMaster := l.compare(before)
	after := before
	if changed {
		after = &Snapshot{Instances: l.trust.states.clone(), Connected: l.fifo.connected, PID: process.id(), Standstills: l.trust.standstills}
		l.reported.Store(after)
		if leavesMaster {
			l.stateFile.save(reporter, after.Instances)
		}
		l.opts.Changed(*after)
	}
	l.fence.end(l.fifo.current.descriptor(), l.fifo.next.descriptor(), process.descriptor())
	if changed {
		runtime.Gosched() // goroutines that Changed has woken go first
		l.logChanges(before, after)
	}
	if changed && !leavesMaster || reporter != l.stateFile.process {
		l.stateFile.save(reporter, l.trust.states)
	}
}

// compare reports whether anything has changed since a snapshot, and whether an instance that was MASTER no longer is.
func (l *Listener) compare(before *Snapshot) (changed, leavesMaster bool) {
	changed = l.fifo.connected != before.Connected || l.trust.vrrp.process.id() != before.PID || l.trust.standstills != before.Standstills
	for name, inst := range l.trust.states { // instances are only added
		if was := before.Instances[name]; inst != was {
			changed = true
			leavesMaster = leavesMaster || was.State == Master && inst.State != Master
		}
	}
	return changed, leavesMaster
}

func (l *Listener) logChanges(before, now *Snapshot) {
	for name, inst := range now.Instances {
		if was := before.Instances[name].State; was != inst.State {
			l.opts.Log.Info("instance changed", logkey.Instance, name, logkey.From, was.String(), logkey.State, inst.State.String())
		}
	}
}

// sleep waits until there is something to do: a line, the end of the VRRP process or of Run, a change in the FIFO's directory, or a deadline.
func (l *Listener) sleep(now time.Time) {
	forFIFO, fds := l.fifo.wait(now, nil)
	forTrust, fds := l.trust.wait(now, fds)
	master := l.trust.states.anyMaster()
	if l.heart.set(master) {
		l.fence.expectBeats(master)
	}
	l.poller.wait(now.Add(min(forFIFO, forTrust)), fds)
}
