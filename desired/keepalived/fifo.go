package keepalived

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// missingFor is how long the FIFO must be missing before it is made: Keepalived makes its own anew on each reload.
const missingFor = 2 * time.Second

var errReader = errors.New("another process reads it")

// A pipe is an open FIFO, locked against a second reader: two would share the lines at random.
type pipe struct {
	fd       int
	dev, ino uint64
}

// openPipe opens the FIFO at path without waiting for a writer.
func openPipe(path string) (*pipe, error) {
	// Without O_RDWR, so that the absence of a writer shows; O_NOFOLLOW as Keepalived itself does.
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, errors.New("it is a symbolic link, want a FIFO")
	}
	if err != nil {
		return nil, err
	}
	var stat unix.Stat_t
	err = unix.Fstat(fd, &stat)
	if err == nil && stat.Mode&unix.S_IFMT != unix.S_IFIFO {
		err = errors.New("it is not a FIFO")
	}
	if err == nil {
		if err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
			err = errReader
		}
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return &pipe{fd: fd, dev: stat.Dev, ino: stat.Ino}, nil
}

// trusted says why a FIFO must not be obeyed: whoever may write to it decides what this host writes to the cloud. It must belong to
// root, to our own user, or to one that others accepts, and the world may not write to it. Nil: it may be obeyed.
func (p *pipe) trusted(others func(uid uint32) bool) error {
	var stat unix.Stat_t
	if err := unix.Fstat(p.fd, &stat); err != nil {
		return err
	}
	own := os.Geteuid()
	switch {
	case stat.Mode&0o002 != 0:
		return errors.New("everybody may write to it: chmod o-w")
	case stat.Uid != 0 && int(stat.Uid) != own && (others == nil || !others(stat.Uid)):
		return fmt.Errorf("it belongs to user %d: want root, floaty's own user (%d) or the user that keepalived.conf names for it", stat.Uid, own)
	}
	return nil
}

// CheckPath says why a path cannot become that of a FIFO by waiting; nil: it can, or is one.
func CheckPath(path string) error {
	if path == "" {
		return errors.New("the path is empty")
	}
	info, err := os.Lstat(path)
	switch {
	case err != nil: // it may come
		return nil
	case info.IsDir():
		return errors.New("it is a directory")
	case info.Mode().IsRegular():
		return errors.New("it is a regular file")
	}
	return nil
}

// descriptor returns its descriptor; -1 of a nil one.
func (p *pipe) descriptor() int {
	if p == nil {
		return -1
	}
	return p.fd
}

func (p *pipe) close() {
	if p != nil {
		_ = unix.Close(p.fd)
	}
}

// read reads what is there into buf, up to its length. It reports whether there is a writer.
func (p *pipe) read(buf []byte) (n int, writer bool) {
	for n < len(buf) {
		got, err := unix.Read(p.fd, buf[n:])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil: // EAGAIN: there is a writer, and nothing to read
			return n, errors.Is(err, unix.EAGAIN)
		case got == 0:
			return n, false
		default:
			n += got
		}
	}
	return n, true
}

// isAt reports whether the FIFO at path is this one; the error is that of looking.
func (p *pipe) isAt(path string) (bool, error) {
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil {
		return false, err
	}
	return stat.Dev == p.dev && stat.Ino == p.ino, nil
}

// makeFIFO makes one that only its owner, and root, may open.
func makeFIFO(path string) error {
	if err := unix.Mkfifo(path, 0o600); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("making the FIFO: %w", err)
	}
	return nil
}
