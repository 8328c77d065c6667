package keepalived

import (
	"errors"
	"fmt"
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
		err = errors.New("it is no FIFO")
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
