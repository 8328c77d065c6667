package handover

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"floaty/providers/logkey"
)

// While two processes replace a planted file at once, a lock file may be absent from its path for a moment.
const (
	pathChecks     = 3
	pathCheckPause = 5 * time.Millisecond
)

// Check returns nil while the lock is held for the newest event: the file at the path is the one that is locked, and the order in it is not
// newer. Otherwise it returns [ErrNewer] or an error that names the path. A holder calls it before each write, because nobody can tell a
// process that is stopped, or whose lock file was removed, that a newer event came. If the file is missing, Check creates and locks it
// again: nobody else has created it, so no event has come. Check may be called from several goroutines at once, and after Release.
func (l *Lock) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fd < 0 {
		return fmt.Errorf("lock file %s: the lock has been released", l.path)
	}
	for range pathChecks {
		if at, err := l.isAtPath(); err != nil {
			return err
		} else if at {
			return l.newest()
		}
		if done, err := l.recreate(); done || err != nil {
			return err
		}
		time.Sleep(pathCheckPause)
	}
	return fmt.Errorf("lock file %s was replaced: %w", l.path, ErrNewer)
}

// newest returns an error if a newer event has been recorded.
func (l *Lock) newest() error {
	if recorded, ok := l.read(); ok && recorded.after(l.ours, pids()) {
		return ErrNewer
	}
	return nil
}

// recreate creates and locks a file that was removed, unless there is one. An event that comes meanwhile finds this file, or this process
// finds the file of that event.
func (l *Lock) recreate() (done bool, err error) {
	var st unix.Stat_t
	if err := unix.Lstat(l.path, &st); !errors.Is(err, unix.ENOENT) {
		return false, nil //nolint:nilerr // it exists, or that cannot be told
	}
	fresh := &Lock{path: l.path, ours: l.ours, log: l.log, fd: -1}
	locked, err := fresh.lockOrder()
	if err != nil {
		return false, err
	}
	if !locked {
		fresh.release()
		return false, nil
	}
	defer fresh.unlockOrder()
	err = fresh.newest()
	if err == nil {
		err = fresh.write(l.ours)
	}
	held := false
	if err == nil {
		held, err = fresh.tryHold()
	}
	if err != nil || !held {
		fresh.release()
		return false, err
	}
	l.release()
	l.fd = fresh.fd
	l.log.Info("the lock file was removed; created and locked it again", logkey.Path, l.path)
	return true, nil
}
