// Package handover implements notify-script mode: there is one process per instance, and the newest event wins.
//
// Keepalived starts a process for each event of an instance, and waits for none of them. The processes of one instance share a lock
// file:
//
//   - Every event, MASTER or not, calls [Acquire]. It ends the process that holds the lock, waits for that end, and returns a
//     [Lock]. A MASTER keeps the lock for as long as it acts. Any other event calls [Lock.Release] at once.
//   - The kernel decides who holds the lock (a POSIX lock and F_GETLK), not the file's content. The holder gets a SIGTERM and the time to
//     cancel what it is doing; it is never killed. No other process is signalled, and the holder only while it holds the lock.
//   - The newest event wins, in whatever order the processes reach the lock. The file keeps the order of the newest event so far, even
//     while nobody holds the lock, and an older event gives up with [ErrNewer].
//   - The order of an event is when its process started. This is the ancestor directly below Keepalived, so that the time that a wrapper
//     script takes does not count, or this process itself if no ancestor is a Keepalived. If several events come from the same process
//     below Keepalived, the start time of this process decides between them.
//   - A holder ends when its Keepalived ends, which is [Above] it, or which a pid file names. Above must be called before Acquire: if
//     Keepalived ends while a process waits for the lock, that process gets another parent.
//   - The lock file is safe in a directory that everybody may write to, and whatever umask Keepalived has.
//
// The lock file must stay where it is, because a process that finds it removed cannot find the holder either.
//
// There are two locks on the file. The short one (flock) is held while the order is read or written, while the long lock is tried, and
// while its holder is signalled, but never while waiting. The long one (fcntl) is what the holder holds. It is only acquired while
// holding the short one, by a process whose event is the newest so far. So if the process of the newest event finds a holder, the holder
// is older; a process that reads a newer order signals nobody; and no third process can come between.
//
// The package knows nothing about instances, states, the configuration or the cloud, and catches no signals: its caller does that, and
// cancels a context.
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

// ErrNewer is the error of an event that is no longer the newest one. It has nothing more to do.
var ErrNewer = errors.New("a newer event came first")

// How long to wait between two attempts to get the lock, at first and at most. The end of the holder ends the wait.
const (
	firstWait = time.Millisecond
	lastWait  = 20 * time.Millisecond
)

// Options are the options of [Acquire].
type Options struct {
	Path    string        // of the lock file, which is created if it is missing; its directory is not
	Timeout time.Duration // how long to wait for the holder to end, in total
	Above   *Keepalived   // from [Above], so that Acquire need not go through the ancestors again; may be nil
	Log     logr.Logger
}

// Acquire records the event that started this process, ends the holder of the lock, and acquires the lock. If ctx is done, it still
// records the event, but does not wait.
//
// The error is [ErrNewer] if a newer event came first, before the call or during it. If ctx ended the wait, it wraps the cause. Any other
// error names the path: the file is rejected (a symbolic link, another user's, not a regular file), or the holder, which the error then
// names, still runs after the timeout. After an error, this process does not hold the lock.
//
// POSIX locks belong to a process: it may hold only one Lock of a file, and must not open the file in any other way, because closing any
// descriptor of the file releases the lock. It must catch SIGTERM before it calls Acquire.
func Acquire(ctx context.Context, o Options) (*Lock, error) {
	above := o.Above
	if above == nil {
		above = &Keepalived{ancestry: ownAncestry()}
	}
	ours, err := thisEvent(above.ancestry)
	if err != nil {
		return nil, fmt.Errorf("determining the order of the event: %w", err)
	}
	lock := &Lock{path: o.Path, ours: ours, log: o.Log, fd: -1}
	if err := lock.open(); err != nil {
		return nil, err
	}
	a := &acquisition{Lock: lock}
	defer func() { a.holder.close() }()
	if err := a.wait(ctx, o.Timeout); err != nil {
		lock.Release()
		return nil, err
	}
	return lock, nil
}

// An acquisition is the attempt of one event to acquire the lock.
type acquisition struct {
	*Lock
	recorded bool     // the order was written, or could not be
	holder   *watched // the holder that was told to end; may be nil
	why      error    // why the lock was not acquired, the last time
}

func (a *acquisition) wait(ctx context.Context, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for pause := firstWait; ; pause = min(2*pause, lastWait) {
		if held, err := a.attempt(); held || err != nil { //nolint:contextcheck // the goroutine that waits for the holder does not outlive Acquire
			return err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("lock file %s: not acquired within %v: %w", a.path, timeout, a.why)
		}
		timer := time.NewTimer(min(pause, left))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-a.holder.end():
			a.holder.close()
			a.holder, pause = nil, firstWait // other waiting processes wake up too, and are soon done
		}
		timer.Stop()
		if ctx.Err() != nil {
			return fmt.Errorf("lock file %s: waiting for the lock: %w", a.path, context.Cause(ctx))
		}
	}
}

// attempt tries to acquire the lock, and reports whether it did. If another process holds the lock, it tells that process to end.
func (a *acquisition) attempt() (held bool, err error) {
	ok, err := a.lockOrder()
	if err != nil {
		return false, err
	}
	if !ok { // others hold it for microseconds, unless one has been stopped
		a.why = errors.New("another process is reading or writing it")
		return false, nil
	}
	defer a.unlockOrder()
	if newest, ok := a.read(); ok && newest.after(a.ours, pids()) {
		return false, ErrNewer
	}
	if !a.recorded {
		a.recorded = true
		if err := a.write(a.ours); err != nil {
			// If the disk is full, the events can at least be followed in the order in which they arrive.
			a.log.Error(err, "cannot record the order of events, so an older event may win", logkey.Path, a.path)
		}
	}
	for {
		if held, err = a.tryHold(); held || err != nil {
			return held, err
		}
		pid, isHeld, err := a.heldBy()
		if err != nil {
			return false, err
		}
		if isHeld { // else it has just been released
			return false, a.terminate(pid)
		}
	}
}

// terminate tells the holder to end, once. The holder is older than this process, and nobody can replace it during the call.
func (a *acquisition) terminate(pid int) error {
	if pid <= 0 { // for kill(2), such a number means a group, or all processes
		a.why = errors.New("a process in another PID namespace, which cannot be signalled from here, holds it")
		return nil
	}
	a.why = fmt.Errorf("process %d holds it", pid)
	if a.holder.isRunning(pid) { // it has been told
		return nil
	}
	a.holder.close()
	a.holder = nil
	holder, err := keepalived.OpenProcess(pid)
	if err != nil {
		return nil //nolint:nilerr // it has just ended, which the next attempt will find
	}
	// By now the number may belong to another process. If the lock is still held under that number, it was held under it all the time,
	// including when the process was opened.
	if again, isHeld, err := a.heldBy(); err != nil || !isHeld || again != pid {
		holder.Close()
		return err
	}
	if err := holder.Signal(unix.SIGTERM); err != nil {
		holder.Close()
		a.why = fmt.Errorf("process %d holds it and cannot be told to end: %w", pid, err)
		return nil
	}
	a.holder = watchEnd(holder)
	a.log.Info("told the process of an earlier event to end", logkey.Path, a.path, logkey.PID, pid)
	return nil
}
