package handover

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"floaty/providers/logkey"
)

// While a planted file is about to be replaced by two processes at once, a good one may be away from the path for a moment.
const (
	looks     = 3
	lookAgain = 5 * time.Millisecond
)

// errReleased is what [Lock.Check] says after [Lock.Release].
var errReleased = errors.New("the lock is released")

// Check returns nil while the lock is held for the newest event: the lock file, by its path, is the one that is locked, and the order in
// it is no newer. A holder calls it before each write, for a process that was stopped, or whose lock file was removed, is not told that
// a newer event came: it returns [ErrNewer], or an error that names the path. A file that is gone is made anew and locked; that nobody
// has made it since means that no event came. It may be called from many goroutines at once, and after Release.
func (l *Lock) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fd < 0 {
		return errReleased
	}
	for range looks {
		if at, err := l.isAtPath(); err != nil {
			return err
		} else if at {
			return l.newest()
		}
		if again, err := l.again(); again || err != nil {
			return err
		}
		time.Sleep(lookAgain)
	}
	return fmt.Errorf("lock file %s was replaced: %w", l.path, ErrNewer)
}

// newest returns an error if a newer event was recorded.
func (l *Lock) newest() error {
	if recorded, ok := l.read(); ok && recorded.after(l.ours, pids()) {
		return ErrNewer
	}
	return nil
}

// again makes and locks a file that was removed, unless there is one. An event that comes meanwhile finds ours, or we find its own.
func (l *Lock) again() (done bool, err error) {
	var st unix.Stat_t
	if err := unix.Lstat(l.path, &st); !errors.Is(err, unix.ENOENT) {
		return false, nil //nolint:nilerr // it is there, whatever else
	}
	fresh := &Lock{path: l.path, ours: l.ours, log: l.log, fd: -1}
	entered, err := fresh.enter()
	if err != nil {
		return false, err
	}
	if !entered {
		fresh.release()
		return false, nil
	}
	defer fresh.leave()
	err = fresh.newest()
	if err == nil {
		err = fresh.write(l.ours)
	}
	held := false
	if err == nil {
		held, err = fresh.try()
	}
	if err != nil || !held {
		fresh.release()
		return false, err
	}
	l.release()
	l.fd = fresh.fd
	l.log.Info("the lock file was removed, and is made anew", logkey.Path, l.path)
	return true, nil
}
