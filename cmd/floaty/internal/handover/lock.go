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

// A Lock is a lock on a lock file. Only one goroutine at a time may use it, except for [Lock.Check].
type Lock struct {
	path string
	ours order // of the event that acquired it
	log  logr.Logger

	mu sync.Mutex // guards fd against Check
	// fd is not an [os.File], because the garbage collector would close one that is no longer used, and so release the lock.
	fd int
}

// Release releases the lock. The file remains, with the order of the newest event in it. A second call does nothing.
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

// maxReplacements is how often to replace a file that another user has put in the lock file's place.
const maxReplacements = 5

// open opens the file, or creates it if it is missing. It rejects a file that another user may have put there.
func (l *Lock) open() error {
	for range maxReplacements {
		err := l.openOnce()
		if !errors.Is(err, errRejected) {
			return err
		}
		if err := replacePlanted(l.path, err, l.log); err != nil {
			return err
		}
	}
	return fmt.Errorf("lock file %s: another user keeps putting a file in its place", l.path)
}

func (l *Lock) openOnce() error {
	// Checking before opening gives a better error, and avoids opening a device. The check that counts is the second one, of the
	// file that was opened.
	var st unix.Stat_t
	switch err := unix.Lstat(l.path, &st); {
	case errors.Is(err, unix.ENOENT):
	case err != nil:
		return fmt.Errorf("lock file %s: %w", l.path, err)
	default:
		if err := acceptable(&st); err != nil {
			return fmt.Errorf("lock file %s %w: %w", l.path, errRejected, err)
		}
	}
	fd, err := unix.Open(l.path, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("lock file %s: directory %s does not exist: %w", l.path, filepath.Dir(l.path), err)
	case errors.Is(err, unix.ELOOP):
		return fmt.Errorf("lock file %s %w: it is a symbolic link", l.path, errRejected)
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

// prepare checks the file that was opened, and sets its mode to 0600.
func (l *Lock) prepare(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("lock file %s: %w", l.path, err)
	}
	if err := acceptable(&st); err != nil {
		return fmt.Errorf("lock file %s %w: %w", l.path, errRejected, err)
	}
	if st.Mode&0o7777 == 0o600 { // else another program has left it, or the umask is stricter than Keepalived's 0177
		return nil
	}
	if err := unix.Fchmod(fd, 0o600); err != nil {
		return fmt.Errorf("lock file %s: %w", l.path, err)
	}
	return nil
}

// acceptable returns an error if a file must not be used as a lock file.
func acceptable(st *unix.Stat_t) error {
	switch user := os.Geteuid(); {
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		return errors.New("it is a symbolic link")
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return errors.New("it is not a regular file")
	case int64(st.Uid) != int64(user):
		return fmt.Errorf("it belongs to user %d (want user %d)", st.Uid, user)
	case st.Nlink > 1:
		return fmt.Errorf("it has %d names (hard links)", st.Nlink)
	}
	return nil
}

// lockOrder tries to acquire the short lock. If the file has been removed or replaced since it was opened, it closes it, so that the next
// attempt opens the one that is there then.
func (l *Lock) lockOrder() (bool, error) {
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

// isAtPath reports whether the file at the path is still the one that is open.
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

// unlockOrder releases the short lock.
func (l *Lock) unlockOrder() { _ = unix.Flock(l.fd, unix.LOCK_UN) }

// tryHold tries to acquire the long lock. It is a lock that belongs to the process, not to the open file, because only for such a lock does
// the kernel tell who holds it.
func (l *Lock) tryHold() (bool, error) {
	err := unix.FcntlFlock(uintptr(l.fd), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock file %s: locking: %w", l.path, err)
	}
	return true, nil
}

// heldBy returns the process that holds the long lock, if another one does. The ID of a process in another PID namespace is 0 or negative.
func (l *Lock) heldBy() (pid int, held bool, err error) {
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(uintptr(l.fd), unix.F_GETLK, &lock); err != nil {
		return 0, false, fmt.Errorf("lock file %s: determining its holder: %w", l.path, err)
	}
	return int(lock.Pid), lock.Type != unix.F_UNLCK, nil
}

// read returns the order of the newest event. It reports false if the file cannot be read or holds no order of this boot.
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

// write replaces the content of the file by the line of an order.
func (l *Lock) write(o order) error {
	line := o.String() + "\n"
	if n, err := unix.Pwrite(l.fd, []byte(line), 0); err != nil {
		return err
	} else if n < len(line) {
		return io.ErrShortWrite
	}
	return unix.Ftruncate(l.fd, int64(len(line)))
}
