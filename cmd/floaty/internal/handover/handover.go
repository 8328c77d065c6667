// Package handover is notify-script mode: one process an instance, and the newest event wins.
//
// Keepalived starts a process for each event of an instance and waits for none of them. All of one instance share a lock
// file, which must stay where it is: a process that finds it removed cannot find the holder either.
//
//   - Every event, MASTER or not, calls [Take]. It ends the process that holds the lock, waits for that end and returns a
//     [Lock]. A MASTER keeps it for as long as it acts; any other event calls [Lock.Release] at once.
//   - Who holds the lock says the kernel (a POSIX lock and F_GETLK), never what the file says. The holder gets a SIGTERM
//     and the time to cancel what it is doing; it is never killed. It alone is signalled, and only as long as it holds.
//   - The newest event wins, in whatever order the processes reach the lock: the file keeps the order of the newest event
//     that came to it, also while nobody holds the lock, and an older one steps back with [ErrNewer].
//   - An event's order is that of its process: the one right below Keepalived among the ancestors, so that a wrapper's
//     time does not count, or this process itself where there is no Keepalived above. This process also decides between
//     events of one and the same process below Keepalived.
//   - A holder ends with its Keepalived, which is [Above] it or named by a pid file, and is looked for before Take: one whose
//     Keepalived ends while it waits for the lock has a new parent, and would find none.
//   - The lock file is safe in a directory that everybody may write to, and Keepalived's umask does not matter to it.
//
// Two locks on the one file see to that. The short one, flock, is held while the order is read and written, the long one
// tried for and its holder signalled, but never while waiting. The long one, fcntl, makes the holder; it is only taken
// under the short one, by a process whose order is the newest there is. So a holder that is met by the newest is older,
// who reads a newer order signals nobody, and no third gets in between.
//
// The package knows no instance, state, configuration or cloud, and catches no signal: its caller does, by a context.
package handover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"

	"floaty/desired/keepalived"
	"floaty/providers/logkey"
)

// ErrNewer is returned to an event that is no longer the newest. There is nothing left to do for it.
var ErrNewer = errors.New("a newer event came first")

// How long to wait before the lock is looked at again, at first and at most. The end of the holder is seen without that.
const (
	firstStep = time.Millisecond
	lastStep  = 20 * time.Millisecond
)

// Options are what [Take] needs to know.
type Options struct {
	Path    string        // of the lock file; it is made if missing, its directory is not
	Timeout time.Duration // how long to wait for the holder to end, in all
	Above   *Keepalived   // from [Above], which is not gone through again then; may be nil
	Log     logr.Logger
}

// Take records the event that started this process, ends the holder of the lock and takes its place. A ctx that is done
// ends the waiting, at once, but not the recording.
//
// It returns [ErrNewer] if a newer event came first, at once or while this one waits, and ctx's cause in an error. Any
// other error names the path: the file is refused (a symbolic link, of another user, no plain file), or the holder, then
// named too, is still there after the timeout. After an error this process does not hold the lock.
//
// POSIX locks are a process's: it may hold only one Lock of a file, and must not open the file elsewhere, for closing any
// descriptor of it lets go of the lock. It catches SIGTERM before it calls Take.
func Take(ctx context.Context, o Options) (*Lock, error) {
	above := o.Above
	if above == nil {
		above = &Keepalived{family: lineage()}
	}
	ours, err := thisEvent(above.family)
	if err != nil {
		return nil, fmt.Errorf("finding the order of the event: %w", err)
	}
	lock := &Lock{path: o.Path, ours: ours, log: o.Log, fd: -1}
	if err := lock.open(); err != nil {
		return nil, err
	}
	t := &taking{Lock: lock}
	defer func() { t.holder.close() }()
	if err := t.wait(ctx, o.Timeout); err != nil {
		lock.Release()
		return nil, err
	}
	return lock, nil
}

// A taking is one event on its way to the lock.
type taking struct {
	*Lock
	recorded bool     // the order, or that it cannot be
	holder   *watched // that was told to go; may be nil
	why      error    // that we do not hold the lock
}

func (t *taking) wait(ctx context.Context, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for step := firstStep; ; step = min(2*step, lastStep) {
		if held, err := t.turn(); held || err != nil { //nolint:contextcheck // what watches the earlier holder outlives no call
			return err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("lock file %s: not ours after %v: %w", t.path, timeout, t.why)
		}
		timer := time.NewTimer(min(step, left))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-t.holder.end():
			t.holder.close()
			t.holder, step = nil, firstStep // others wake too, and are soon done
		}
		timer.Stop()
		if ctx.Err() != nil {
			return fmt.Errorf("lock file %s: waiting for it: %w", t.path, context.Cause(ctx))
		}
	}
}

// turn reports whether we hold the lock now, and sees to it that its holder goes.
func (t *taking) turn() (held bool, err error) {
	ok, err := t.enter()
	if err != nil {
		return false, err
	}
	if !ok { // that takes others microseconds, unless one is stopped there
		t.why = errors.New("another process is looking at it")
		return false, nil
	}
	defer t.leave()
	if newest, ok := t.read(); ok && newest.after(t.ours, pids()) {
		return false, ErrNewer
	}
	if !t.recorded {
		t.recorded = true
		if err := t.write(t.ours); err != nil {
			// A full disk: what can still be done is to follow the events in the order of their arrival.
			t.log.Error(err, "the order of events cannot be kept: an older one may win", logkey.Path, t.path)
		}
	}
	for {
		if held, err = t.try(); held || err != nil {
			return held, err
		}
		pid, taken, err := t.heldBy()
		if err != nil {
			return false, err
		}
		if taken { // else it has just been let go of
			return false, t.dismiss(pid)
		}
	}
}

// dismiss tells the holder to go, once. The holder is older than we are, and nobody can take its place during the call.
func (t *taking) dismiss(pid int) error {
	if pid <= 0 { // what kill(2) would take for a group, or for all
		t.why = errors.New("a process that cannot be seen from here, of another PID namespace, holds it")
		return nil
	}
	t.why = fmt.Errorf("process %d holds it", pid)
	if t.holder.is(pid) { // told already
		return nil
	}
	t.holder.close()
	t.holder = nil
	holder, err := keepalived.OpenProcess(pid)
	if err != nil {
		return nil //nolint:nilerr // it has just ended, and the next turn sees to that
	}
	// The number may be another process's by now. It is not if the lock is still held under that number: then it was all
	// the time, also when its handle was opened.
	if again, taken, err := t.heldBy(); err != nil || !taken || again != pid {
		holder.Close()
		return err
	}
	if err := holder.Signal(unix.SIGTERM); err != nil {
		holder.Close()
		t.why = fmt.Errorf("process %d holds it and cannot be told to go: %w", pid, err)
		return nil
	}
	t.holder = watch(holder)
	t.log.Info("asked the process of an earlier event to end", logkey.Path, t.path, logkey.PID, pid)
	return nil
}
