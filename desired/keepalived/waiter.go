package keepalived

import (
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A waiter waits for any of several descriptors in the way that the runtime does. A blocking poll(2) would keep a thread, and
// the runtime looks some thirty times whether to take its processor away, each time: 13 wake-ups a second for 2.
type waiter struct {
	file *os.File // an epoll of the descriptors, which the runtime waits for in its own
	fds  []int    // that are in it

	mu     sync.Mutex // guards all below
	ended  bool       // for good
	nudged bool       // the waiting that is under way ends, or the next one
}

func newWaiter() (*waiter, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil { // os.NewFile then hands it to the runtime
		_ = unix.Close(fd)
		return nil, err
	}
	return &waiter{file: os.NewFile(uintptr(fd), "epoll")}, nil
}

func (w *waiter) close() { _ = w.file.Close() }

// wake ends the waiting for good.
func (w *waiter) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	_ = w.file.SetReadDeadline(time.Unix(1, 0)) // long over
}

// nudge ends the waiting that is under way, or else the next one.
func (w *waiter) nudge() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nudged = true
	_ = w.file.SetReadDeadline(time.Unix(1, 0))
}

// until waits until one of fds is ready, a nudge, or the deadline.
func (w *waiter) until(deadline time.Time, fds []int) {
	if w.start(deadline) {
		w.wait(fds)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nudged = false
}

// start reports whether there is anything to wait for.
func (w *waiter) start(deadline time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended || w.nudged {
		return false
	}
	_ = w.file.SetReadDeadline(deadline)
	return true
}

func (w *waiter) wait(fds []int) {
	conn, err := w.file.SyscallConn()
	if err != nil {
		return // closed
	}
	asleep := false
	_ = conn.Read(func(epoll uintptr) bool { // its error is the deadline
		if asleep { // and awake now: the caller finds out why
			return true
		}
		asleep = true
		w.watch(int(epoll), fds)
		var events [1]unix.EpollEvent
		n, err := unix.EpollWait(int(epoll), events[:], 0)
		return n > 0 || err != nil
	})
}

// watch puts fds into the epoll, and takes all else out. One that was closed has left by itself, and its number may be another
// descriptor's by now: so all are put in each time.
func (w *waiter) watch(epoll int, fds []int) {
	for _, fd := range w.fds {
		if !slices.Contains(fds, fd) {
			_ = unix.EpollCtl(epoll, unix.EPOLL_CTL_DEL, fd, nil) // it may be closed
		}
	}
	for _, fd := range fds {
		_ = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}) //nolint:gosec // it may be in it
	}
	w.fds = fds
}
