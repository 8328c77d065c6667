package handover

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"
)

// A Lock is a lock file. It is one goroutine's at a time, but for [Lock.Check].
type Lock struct {
	path string
	ours order // of the event that took it
	log  logr.Logger

	mu sync.Mutex // guards fd against Check
	// fd is bare: the garbage collector would close an [os.File] that nobody uses any more, and let go of the lock.
	fd int
}

// Release lets go of the lock. The file stays, with the order of the newest event in it. A second call does nothing.
func (l *Lock) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.release()
}

func (l *Lock) release() {
	if l.fd >= 0 {
		_ = unix.Close(l.fd)
		l.fd = -1
	}
}

// replacing is how often a file that somebody else has put there is replaced before that is given up.
const replacing = 5

// open opens the file, making it if it is missing, and refuses one that somebody else could have put there.
func (l *Lock) open() error {
	for range replacing {
		err := l.openOnce()
		if !errors.Is(err, errRefused) {
			return err
		}
		if err := replacePlanted(l.path, err, l.log); err != nil {
			return err
		}
	}
	return fmt.Errorf("lock file %s: somebody else puts one there again and again", l.path)
}

func (l *Lock) openOnce() error {
	// Looking first makes for an error that says what is wrong, and keeps from opening a device. What counts is the second
	// look, at what was opened.
	var st unix.Stat_t
	switch err := unix.Lstat(l.path, &st); {
	case errors.Is(err, unix.ENOENT):
	case err != nil:
		return fmt.Errorf("lock file %s: %w", l.path, err)
	default:
		if err := acceptable(&st); err != nil {
			return fmt.Errorf("lock file %s %w: %w", l.path, errRefused, err)
		}
	}
	fd, err := unix.Open(l.path, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("lock file %s: there is no directory %s: %w", l.path, filepath.Dir(l.path), err)
	case errors.Is(err, unix.ELOOP):
		return fmt.Errorf("lock file %s %w: it is a symbolic link", l.path, errRefused)
	case err != nil:
		return fmt.Errorf("lock file %s: %w", l.path, err)
	}
	if err := l.prepare(fd); err != nil {
		_ = unix.Close(fd)
		return err
	}
	l.fd = fd
	return nil
}

// prepare looks at what was opened, and makes it ours alone.
func (l *Lock) prepare(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("lock file %s: %w", l.path, err)
	}
	if err := acceptable(&st); err != nil {
		return fmt.Errorf("lock file %s %w: %w", l.path, errRefused, err)
	}
	if st.Mode&0o7777 == 0o600 { // else an older file's mode, or a umask beyond Keepalived's 0177
		return nil
	}
	if err := unix.Fchmod(fd, 0o600); err != nil {
		return fmt.Errorf("lock file %s: %w", l.path, err)
	}
	return nil
}

// acceptable says what is wrong with a file as a lock file.
func acceptable(st *unix.Stat_t) error {
	switch user := os.Geteuid(); {
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		return errors.New("it is a symbolic link")
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return errors.New("it is not a regular file")
	case int64(st.Uid) != int64(user):
		return fmt.Errorf("it belongs to user %d, not to user %d", st.Uid, user)
	case st.Nlink > 1:
		return fmt.Errorf("it has %d names (hard links)", st.Nlink)
	}
	return nil
}

// enter reports whether it got the short lock. A file that was removed or replaced since it was opened is given up for the one that is
// there now: we hold nothing in it yet.
func (l *Lock) enter() (bool, error) {
	if l.fd < 0 {
		if err := l.open(); err != nil {
			return false, err
		}
	}
	if err := unix.Flock(l.fd, unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("lock file %s: %w", l.path, err)
	}
	at, err := l.isAtPath()
	if err != nil {
		return false, err
	}
	if !at {
		l.Release()
	}
	return at, nil
}

// isAtPath reports whether the file at the path still is the one that is open.
func (l *Lock) isAtPath() (bool, error) {
	var there, ours unix.Stat_t
	switch err := unix.Lstat(l.path, &there); {
	case errors.Is(err, unix.ENOENT):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("lock file %s: %w", l.path, err)
	}
	if err := unix.Fstat(l.fd, &ours); err != nil {
		return false, fmt.Errorf("lock file %s: %w", l.path, err)
	}
	return there.Dev == ours.Dev && there.Ino == ours.Ino, nil
}

func (l *Lock) leave() { _ = unix.Flock(l.fd, unix.LOCK_UN) }

// try reports whether it got the long lock. It is of the kind that belongs to the process and not to the open file, for
// only then the kernel says who holds it.
func (l *Lock) try() (bool, error) {
	err := unix.FcntlFlock(uintptr(l.fd), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock file %s: locking: %w", l.path, err)
	}
	return true, nil
}

// heldBy returns who keeps us from the long lock, if anybody does. A process that has no number here has 0 or less.
func (l *Lock) heldBy() (pid int, taken bool, err error) {
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(uintptr(l.fd), unix.F_GETLK, &lock); err != nil {
		return 0, false, fmt.Errorf("lock file %s: asking for its holder: %w", l.path, err)
	}
	return int(lock.Pid), lock.Type != unix.F_UNLCK, nil
}

// read returns the order of the newest event. What is no order of this boot counts as none, and a file that cannot be read too.
func (l *Lock) read() (order, bool) {
	line := make([]byte, 128)
	n, err := unix.Pread(l.fd, line, 0)
	if err != nil {
		return order{}, false
	}
	line, _, whole := bytes.Cut(line[:n], []byte("\n"))
	if !whole {
		return order{}, false
	}
	return parseOrder(string(line), boot(), uptime())
}

// write puts one line in the place of all that was there.
func (l *Lock) write(o order) error {
	line := o.String() + "\n"
	if n, err := unix.Pwrite(l.fd, []byte(line), 0); err != nil {
		return err
	} else if n < len(line) {
		return io.ErrShortWrite
	}
	return unix.Ftruncate(l.fd, int64(len(line)))
}
