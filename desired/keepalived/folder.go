package keepalived

import (
	"errors"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A folder tells when something is made, moved or removed where the FIFO is, so that nobody needs to look again and again. It
// cannot tell that a symbolic link on the way there is aimed elsewhere: then somebody must.
type folder struct {
	path    string // of the directory
	fd      int    // of the kind inotify; -1: the system has none left
	watched bool
	told    time.Time // news
}

func newFolder(path string) *folder {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		fd = -1
	}
	f := &folder{path: path, fd: fd}
	f.watch()
	return f
}

// watch watches the directory that is at the path. Lines that are written to the FIFO are no news.
func (f *folder) watch() {
	const news = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF
	_, err := unix.InotifyAddWatch(f.fd, f.path, news|unix.IN_ONLYDIR)
	real, failed := filepath.EvalSymlinks(f.path)
	f.watched = err == nil && failed == nil && real == filepath.Clean(f.path)
}

// changed reports whether something has happened since it was asked last.
func (f *folder) changed(now time.Time) bool {
	if f == nil || f.fd < 0 || now.Sub(f.told) < newsEvery {
		return false
	}
	news := false
	for {
		var events [4096]byte
		n, err := unix.Read(f.fd, events[:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n <= 0 {
			break
		}
		news = true
	}
	if news {
		f.told = now
	}
	if news || !f.watched { // it may be another directory by now, or be there at last
		f.watch()
	}
	return news
}

func (f *folder) close() {
	if f.fd >= 0 {
		_ = unix.Close(f.fd)
	}
}
