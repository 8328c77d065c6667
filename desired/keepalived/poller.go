package keepalived

import (
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A poller waits until one of several descriptors is readable, as the runtime waits for sockets. A blocking poll(2) would occupy a
// thread, and each time the runtime checks some thirty times whether to take that thread's processor away: 13 wake-ups per second
// instead of 2.
type poller struct {
	file *os.File // an epoll instance with the descriptors, which is itself in the runtime's
	fds  []int    // the descriptors in it

	mu     sync.Mutex // guards all below
	ended  bool       // wait returns at once from now on
	nudged bool       // wait returns at once, the next time
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil { // os.NewFile then hands it to the runtime
		_ = unix.Close(fd)
		return nil, err
	}
	return &poller{file: os.NewFile(uintptr(fd), "epoll")}, nil
}

func (p *poller) close() { _ = p.file.Close() }

// end makes this call of wait, and all later ones, return at once.
func (p *poller) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	_ = p.file.SetReadDeadline(time.Unix(1, 0)) // long over
}

// nudge makes this call of wait return at once, or else the next one.
func (p *poller) nudge() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nudged = true
	_ = p.file.SetReadDeadline(time.Unix(1, 0))
}

// wait returns when one of fds is readable, at a nudge, or at the deadline.
func (p *poller) wait(deadline time.Time, fds []int) {
	if p.start(deadline) {
		p.poll(fds)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nudged = false
}

// start reports whether to wait at all.
func (p *poller) start(deadline time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || p.nudged {
		return false
	}
	_ = p.file.SetReadDeadline(deadline)
	return true
}

func (p *poller) poll(fds []int) {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return // closed
	}
	waited := false
	_ = conn.Read(func(epoll uintptr) bool { // its error is the deadline
		if waited { // something is readable: the caller finds out what
			return true
		}
		waited = true
		p.set(int(epoll), fds)
		var events [1]unix.EpollEvent
		n, err := unix.EpollWait(int(epoll), events[:], 0)
		return n > 0 || err != nil
	})
}

// set makes fds the descriptors in the epoll instance. It adds all of them each time, because one that was closed has left the
// instance by itself, and its number may belong to another by now.
func (p *poller) set(epoll int, fds []int) {
	for _, fd := range p.fds {
		if !slices.Contains(fds, fd) {
			_ = unix.EpollCtl(epoll, unix.EPOLL_CTL_DEL, fd, nil) // it may be closed
		}
	}
	for _, fd := range fds {
		_ = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}) //nolint:gosec // it may be in the instance already
	}
	p.fds = fds
}
