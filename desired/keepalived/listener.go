// Package keepalived tells what Keepalived says: the states of its VRRP instances, and whether they can be relied on.
//
// A [Listener] reads the lines of a notify FIFO and hands on whole states, never single lines: a burst counts as its last
// states. It follows the FIFO when it is removed and made anew, and it notices when its writer goes:
//
//   - No writer: every state is suspended at once. Keepalived is reloading, restarting or gone.
//   - The VRRP process is known, and a writer is back while it lives: it was a reload, in which Keepalived
//     does not repeat MASTER (seen on 2.2.7). After 300 ms the states count again as they are then. If the writer was away
//     for longer than 3 s, lines may have been lost: an instance then counts only as in the next case.
//   - The process is not known, and a writer is back within 3 s: after 300 ms an instance's state counts again, but MASTER
//     only if one of the addresses that keepalived.conf gives it is on an interface. No evidence is no MASTER.
//   - The VRRP process has ended, or was not known and no writer is back within 3 s: all is forgotten.
//   - A line from the new writer counts at once.
//   - The VRRP process is the Keepalived that has the FIFO open for writing, or where that may not be seen, the one that the pid
//     file names.
//   - The states outlive floaty's own restart in a file: what leaves MASTER is saved while others act on it, what becomes
//     MASTER after that; what cannot be saved removes the file. They count again as after a reload, but a MASTER only with the
//     same VRRP process, where that was known, and one of its addresses on a local interface, where it has any: Keepalived
//     empties the pipe when it reloads as its last holder, so that a BACKUP may be lost (seen on 2.2.7).
//   - After a standstill of floaty, Keepalived may have stood still too: every MASTER is suspended for three advertisements and a
//     second, unless Keepalived speaks.
//
// The listener waits for nobody: not for the disk, and not for what its callers do. Who is about to write waits for the listener
// (see [Listener.Settle]).
//
// The package does not decide what follows from a state, and it asks Keepalived nothing.
package keepalived

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"floaty/providers/logkey"
)

const (
	probeEvery = 50 * time.Millisecond  // while there is no writer: an end of file is no event to wait for
	checkEvery = 2 * time.Second        // whether the FIFO at the path is still the one that is open, where nothing would tell
	restEvery  = 30 * time.Second       // the same, and for the VRRP process, when nothing more is expected
	newsEvery  = 50 * time.Millisecond  // from where the FIFO is: many files may come and go there
	askEvery   = 500 * time.Millisecond // for the VRRP process, while it is not known, at first
	askAtFirst = 10 * time.Second       // since it may be unknown: perhaps there never is a pid file
	settleTime = 300 * time.Millisecond // from a writer's return until silence means "unchanged"
	awayAtMost = 3 * time.Second        // a reload's writer is back within milliseconds
	badEvery   = time.Minute            // between two log lines about lines that cannot be understood
	maxRead    = 64 << 10               // at once, in bytes: what a pipe holds by default
)

// Options says what to listen to. All fields but StateFile are needed.
type Options struct {
	Path      string // of the FIFO
	StateFile string // where the states outlive a restart of floaty; its directory is made if its parent is there; empty: nowhere

	PIDFile        func() string                       // the path of that of Keepalived's VRRP process
	Trusted        func(uid uint32) bool               // whether a user may own the FIFO beside root and our own; nil: nobody may
	Named          func(instance string) bool          // whether an instance is still one, of those in StateFile
	Members        func(group string) []string         // of a sync group
	AdvertInterval func(instance string) time.Duration // between two advertisements of an instance; 1 s where it is not known
	VIPs           func(instance string) []netip.Addr  // that keepalived.conf gives an instance; none: not known, or it has none
	Local          func() (map[netip.Addr]bool, error) // the addresses on local interfaces; nil: asks the kernel
	Changed        func(Snapshot)                      // called from Run with each new state of things, which it must not change
	Log            logr.Logger
}

// A Listener follows one FIFO. Create it with [New].
type Listener struct {
	opts      Options
	states    states
	reported  Snapshot
	connected bool // current has a writer

	current *pipe     // nil: none could be opened
	next    *pipe     // at the path, while current is no longer
	checked time.Time // the path was looked at
	unknown time.Time // the VRRP process may be since: a writer came, or it ended
	asked   time.Time // for the VRRP process
	missing time.Time // nothing has been at the path since
	begun   bool      // there has been a FIFO: when it is missing, Keepalived may be about to make it
	said    trouble   // with the FIFO, the last

	lines       lines
	process     *Process // the VRRP process; nil: not known
	search      search   // for it
	doubt       *doubt   // since the writer went; nil: none
	stateFile   *stateFile
	saved       *Process // that the record names which was saved last
	boot        string   // the ID of this boot
	badSaid     time.Time
	statistics  statistics
	buf         []byte
	fence       *fence
	heart       *heart  // while Run runs
	standstills int     // so far
	wait        *waiter // while Run runs
	folder      *folder // while Run runs
}

// A doubt is whether the states still count.
type doubt struct {
	gone    time.Time
	back    time.Time // zero: no writer yet
	another bool      // a writer since then is not known to be the same process

	recalled bool // the states are from the last run: a BACKUP may have been lost since
	named    bool // the last run knew the process that said them
}

// New returns a Listener that does nothing until Run.
func New(opts Options) *Listener {
	if opts.Local == nil {
		opts.Local = localAddrs
	}
	l := &Listener{opts: opts, states: states{}, boot: BootID(), fence: newFence(), buf: make([]byte, maxRead)}
	l.stateFile = newStateFile(opts.StateFile, opts.Log)
	return l
}

// Settle returns when all that Keepalived has said before the call has been acted on, and the calls that this cancels are cancelled:
// whoever is about to write calls it first. Its error is the cause of ctx's end. On the quiet path it costs about a microsecond.
func (l *Listener) Settle(ctx context.Context) error { return l.fence.settle(ctx, false) }

// Stats returns what the Listener has seen and counted. It may be called at any time, and waits for nothing but a copy.
func (l *Listener) Stats() Stats { return l.statistics.get() }

// Ping returns when Run has made one more pass over the FIFO, from a moment after the call on. Its error is the cause of ctx's end.
func (l *Listener) Ping(ctx context.Context) error { return l.fence.settle(ctx, true) }

// Run listens until ctx ends, and then stops reading at once. Its error is that of the system being out of descriptors
// at the start; every later trouble is logged and tried again.
func (l *Listener) Run(ctx context.Context) error {
	wait, err := newWaiter()
	if err != nil {
		return fmt.Errorf("waiting for the FIFO: %w", err)
	}
	heart, err := newHeart()
	if err != nil {
		wait.close()
		return err
	}
	l.wait, l.heart, l.folder = wait, heart, newFolder(filepath.Dir(l.opts.Path))
	stop := context.AfterFunc(ctx, wait.wake)
	l.fence.open(wait.nudge)
	var beats sync.WaitGroup
	beats.Go(func() { heart.run(l.fence.beat) })
	defer func() {
		l.fence.close()
		heart.close()
		beats.Wait()
		stop()
		wait.close()
		l.folder.close()
		l.current.close()
		l.next.close()
		l.search.end()
		l.process.Close()
		l.stateFile.close()
		l.current, l.next, l.process, l.folder = nil, nil, nil, nil
	}()
	for ctx.Err() == nil {
		now := time.Now()
		l.pass(now) //nolint:contextcheck // a search is ended by search.end
		l.sleep(now)
	}
	return nil
}

// pass looks at everything once; first at what matters most, unless there are two FIFOs to be looked at.
func (l *Listener) pass(now time.Time) {
	if l.connected && l.next == nil {
		l.begin(now)
		l.listen(now)
		l.report(now)
	}
	l.begin(now)
	l.follow(now)
	l.recall(now)
	l.listen(now)
	l.watch(now)
	l.report(now)
	l.seek(now)
}

// begin starts to read; report ends that.
func (l *Listener) begin(now time.Time) {
	if p := l.fence.begin(); p.any() {
		if awake := time.Now(); awake.After(now) { // it may have stood still since the pass began
			now = awake
		}
		l.standstills++
		l.states.stoodStill(p, now, l.opts.AdvertInterval, l.opts.Log)
	}
}

// listen reads what is there and acts on it. Whether the VRRP process lives is asked before: what was heard until then is
// its own, while what is unread may be by a successor that took over unseen.
func (l *Listener) listen(now time.Time) {
	dead := l.process
	if dead.Alive() {
		dead = nil
	}
	if dead != nil {
		l.states.suspend()
	}
	l.read(now)
	if dead != nil && dead == l.process {
		l.ended(now)
	}
}

func (l *Listener) read(now time.Time) {
	if l.current != nil {
		n, writer := l.current.read(l.buf)
		l.take(l.buf[:n], writer, now)
	}
}

// take takes in what was read, and whether there is a writer after it.
func (l *Listener) take(data []byte, writer bool, now time.Time) {
	if !l.connected && (writer || len(data) > 0) {
		l.appear(now)
	}
	l.lines.add(data, func(line line) { l.hear(line, now) })
	if l.connected && !writer {
		l.vanish(now)
	}
}

// hear acts on one line.
func (l *Listener) hear(line line, now time.Time) {
	e, err := ParseEvent(line.text[line.cut:])
	switch {
	case line.cut == 0:
	case e.Name == "": // no event by itself: it may end what an earlier writer began
		e, err = ParseEvent(line.text)
	default:
		l.complain(line.text[:line.cut], now)
	}
	if err != nil {
		l.complain(line.text, now)
		return
	}
	l.statistics.event(e)
	var members []string
	switch e.Type {
	case typeInstance:
	case typeGroup:
		members = l.opts.Members(e.Name)
	default:
		l.opts.Log.V(1).Info("line of no interest", logkey.Type, e.Type)
		return
	}
	if !l.states.hear(e, members, now) {
		l.opts.Log.V(1).Info("state of no interest", logkey.Instance, e.Name, logkey.State, e.State)
	}
}

// complain says that a line cannot be understood, now and then.
func (l *Listener) complain(text []byte, now time.Time) {
	bad := l.statistics.badLine()
	if !l.badSaid.IsZero() && now.Sub(l.badSaid) < badEvery {
		return
	}
	l.badSaid = now
	start := text[:min(len(text), 80)]
	l.opts.Log.Error(nil, "a line in the FIFO cannot be understood: it is ignored", logkey.Line, fmt.Sprintf("%+q", start), logkey.Lines, bad)
}

// report hands on what has changed. What leaves MASTER is saved at the same time, all else, and the lines about it, come after: a
// takeover does not wait for them.
func (l *Listener) report(now time.Time) {
	was := l.reported
	changed, leaves := l.compare(was)
	if changed {
		l.reported = Snapshot{Instances: l.states.clone(), Connected: l.connected, PID: l.process.id(), Standstills: l.standstills}
		if leaves {
			l.save(l.reported.Instances)
		}
		l.statistics.handedOn(l.reported, now)
		l.opts.Changed(l.reported)
	}
	l.fence.end(l.current.descriptor(), l.next.descriptor(), l.process.descriptor())
	if changed {
		runtime.Gosched() // whom that has woken goes first
		l.logChanges(was)
	}
	if changed && !leaves || l.process != l.saved {
		l.save(l.states)
	}
}

func (l *Listener) logChanges(was Snapshot) {
	for name, inst := range l.reported.Instances {
		if before := was.Instances[name].State; before != inst.State {
			l.opts.Log.Info("instance changed", logkey.Instance, name, logkey.From, before.String(), logkey.State, inst.State.String())
		}
	}
}

// compare reports whether anything has changed since a report, and whether an instance that was MASTER is so no more.
func (l *Listener) compare(was Snapshot) (changed, leaves bool) {
	changed = l.connected != was.Connected || l.process.id() != was.PID || l.standstills != was.Standstills
	for name, inst := range l.states { // an instance that was heard of stays
		if before := was.Instances[name]; inst != before {
			changed = true
			leaves = leaves || before.State == Master && inst.State != Master
		}
	}
	return changed, leaves
}

// askEvery is how often to ask for the VRRP process, while it is not known.
func (l *Listener) askEvery(now time.Time) time.Duration {
	if now.Sub(l.unknown) < askAtFirst {
		return askEvery
	}
	return restEvery
}

// checkEvery is how often to look at the path while the FIFO that is open has a writer.
func (l *Listener) checkEvery() time.Duration {
	waits := l.next != nil || !l.missing.IsZero() // for a writer, or to be made
	blind := l.process != nil && l.process.fd < 0 // its end is no event
	if waits || blind || l.folder == nil || !l.folder.watched {
		return checkEvery
	}
	return restEvery
}

// sleep waits until there is something to do: lines, the end of the VRRP process, the end of Run, or a deadline.
func (l *Listener) sleep(now time.Time) {
	var fds []int
	wait := probeEvery
	if l.connected { // else its end of file would wake us again and again
		fds = append(fds, l.current.fd)
		wait = max(l.checked.Add(l.checkEvery()).Sub(now), time.Millisecond)
	}
	if resting := l.folder.told.Add(newsEvery).Sub(now); resting > 0 {
		wait = min(wait, resting)
	} else if l.folder.fd >= 0 {
		fds = append(fds, l.folder.fd)
	}
	if l.process != nil && l.process.fd >= 0 {
		fds = append(fds, l.process.fd)
	}
	if l.process == nil || !l.process.registered {
		wait = min(wait, l.askEvery(now))
	}
	if l.search.searching(now) {
		wait = min(wait, searchPoll)
	}
	if l.doubt != nil && l.connected {
		wait = min(wait, settleTime-now.Sub(l.doubt.back)+time.Millisecond)
	}
	until := now.Add(wait)
	some, resumes := l.states.masters()
	if !resumes.IsZero() && resumes.Before(until) {
		until = resumes
	}
	if l.heart.set(some) {
		l.fence.expect(some)
	}
	l.wait.until(until, fds)
}
