package keepalived

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A fifoFile is a FIFO that is open for reading. It is locked, because two readers would each get some of the lines, at random.
type fifoFile struct {
	fd       int
	dev, ino uint64
}

// openFIFO opens the FIFO at path without waiting for a writer.
func openFIFO(path string) (*fifoFile, error) {
	// O_RDWR would hide the absence of a writer. Keepalived itself uses O_NOFOLLOW.
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, errors.New("it is a symbolic link (want a FIFO)")
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
			err = errors.New("another process is reading it")
		}
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return &fifoFile{fd: fd, dev: stat.Dev, ino: stat.Ino}, nil
}

// checkOwner returns an error if the FIFO must not be trusted: whoever can write to it decides what this host writes to the cloud. It must
// belong to root, to floaty's own user or to a user that trusted accepts, and must not be writable by everybody. trusted may be nil.
func (f *fifoFile) checkOwner(trusted func(uid uint32) bool) error {
	var stat unix.Stat_t
	if err := unix.Fstat(f.fd, &stat); err != nil {
		return err
	}
	own := os.Geteuid()
	switch {
	case stat.Mode&0o002 != 0:
		return errors.New("everybody may write to it (run chmod o-w)")
	case stat.Uid != 0 && int(stat.Uid) != own && (trusted == nil || !trusted(stat.Uid)):
		return fmt.Errorf("it belongs to user %d (want root, floaty's own user %d, or the user that keepalived.conf names for it)", stat.Uid, own)
	}
	return nil
}

// descriptor returns the file descriptor, or -1 for a nil fifoFile.
func (f *fifoFile) descriptor() int {
	if f == nil {
		return -1
	}
	return f.fd
}

func (f *fifoFile) close() {
	if f != nil {
		_ = unix.Close(f.fd)
	}
}

// read reads what is there into buf, at most len(buf) bytes. It reports whether the FIFO still has a writer. A nil fifoFile has neither.
func (f *fifoFile) read(buf []byte) (n int, writer bool) {
	if f == nil {
		return 0, false
	}
	for n < len(buf) {
		got, err := unix.Read(f.fd, buf[n:])
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

// isAt reports whether this is the FIFO at path. A nil fifoFile is at no path, and nothing is if path cannot be examined.
func (f *fifoFile) isAt(path string) bool {
	var stat unix.Stat_t
	return f != nil && unix.Lstat(path, &stat) == nil && stat.Dev == f.dev && stat.Ino == f.ino
}
