package keepalived

import (
	"errors"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// newsEvery is the shortest time between two reads of a dirWatch that bring news: many files may come and go in that directory.
const newsEvery = 50 * time.Millisecond

// A dirWatch reports when something is made, moved or removed in a directory, so that nobody needs to poll it. It is an inotify instance.
type dirWatch struct {
	path     string
	fd       int       // -1: the system has no inotify instance left
	complete bool      // every change is reported; not so if the path leads through a symbolic link, which may be changed
	told     time.Time // when something was last reported
}

func newDirWatch(path string) *dirWatch {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		fd = -1
	}
	d := &dirWatch{path: path, fd: fd}
	d.add()
	return d
}

// add watches the directory that is at the path now. Writes to files in it are not reported.
func (d *dirWatch) add() {
	const changes = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF
	_, err := unix.InotifyAddWatch(d.fd, d.path, changes|unix.IN_ONLYDIR)
	target, failed := filepath.EvalSymlinks(d.path)
	d.complete = err == nil && failed == nil && target == filepath.Clean(d.path)
}

// changed reports whether anything has happened since it was last called. It is false during a pause, and for a nil dirWatch.
func (d *dirWatch) changed(now time.Time) bool {
	if d == nil || d.fd < 0 || d.pause(now) > 0 {
		return false
	}
	news := false
	for {
		var events [4096]byte
		n, err := unix.Read(d.fd, events[:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n <= 0 {
			break
		}
		news = true
	}
	if news {
		d.told = now
	}
	if news || !d.complete { // it may be another directory by now, or exist at last
		d.add()
	}
	return news
}

// pause returns how long changed will report nothing.
func (d *dirWatch) pause(now time.Time) time.Duration { return d.told.Add(newsEvery).Sub(now) }

func (d *dirWatch) close() {
	if d.fd >= 0 {
		_ = unix.Close(d.fd)
	}
}
