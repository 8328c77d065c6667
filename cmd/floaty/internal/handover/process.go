package handover

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// pollInterval is how often a process is looked at where the kernel has no handles of processes (before 5.3).
const pollInterval = 25 * time.Millisecond

// A process is a running one, and no later one with its number. A nil process is none: it never ends.
type process struct {
	stat
	pidfd *os.File      // nil where the kernel has none
	ended chan struct{} // closed once it has
	quit  chan struct{} // closed by close
	done  chan struct{} // closed once nobody looks any more
}

// openProcess returns a process that runs, or has not been waited for. The caller closes it.
func openProcess(pid int) (*process, error) {
	p := &process{ended: make(chan struct{}), quit: make(chan struct{}), done: make(chan struct{})}
	fd, err := unix.PidfdOpen(pid, 0)
	switch {
	case err == nil:
		// Not blocking, it is the runtime's poller that waits, and no thread.
		if err := unix.SetNonblock(fd, true); err != nil {
			_ = unix.Close(fd)
			return nil, err
		}
		p.pidfd = os.NewFile(uintptr(fd), "pidfd")
	case !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM): // those two: no such call, or a filter forbids it
		return nil, err
	}
	if p.stat, err = statOf(pid); err != nil {
		if p.pidfd != nil {
			_ = p.pidfd.Close()
		}
		return nil, err
	}
	go p.watch()
	return p, nil
}

// end returns a channel that is closed once p has ended.
func (p *process) end() <-chan struct{} {
	if p == nil {
		return nil
	}
	return p.ended
}

// is reports whether p is what has that number now.
func (p *process) is(pid int) bool {
	if p == nil || p.pid != pid {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

func (p *process) watch() {
	defer close(p.done)
	if p.pidfd != nil && p.await() {
		close(p.ended)
		return
	}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-tick.C:
		}
		if !p.runs() {
			close(p.ended)
			return
		}
	}
}

// await reports that the process has ended, or that it cannot be waited for (any more).
func (p *process) await() (ended bool) {
	conn, err := p.pidfd.SyscallConn()
	if err != nil {
		return false
	}
	err = conn.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} //nolint:gosec // a descriptor fits
		n, err := unix.Poll(fds, 0)
		return err == nil && n > 0
	})
	return err == nil
}

// runs asks as a kernel without handles has to be asked.
func (p *process) runs() bool {
	now, err := statOf(p.pid)
	return err == nil && now.start == p.start && now.state != 'Z' && now.state != 'X'
}

func (p *process) signal(s unix.Signal) error {
	if p.pidfd == nil {
		if !p.runs() {
			return unix.ESRCH
		}
		return unix.Kill(p.pid, s)
	}
	conn, err := p.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	var refused error
	err = conn.Control(func(fd uintptr) { refused = unix.PidfdSendSignal(int(fd), s, nil, 0) })
	return errors.Join(err, refused)
}

// close stops looking at p, which is of no use from then on.
func (p *process) close() {
	if p == nil {
		return
	}
	close(p.quit)
	if p.pidfd != nil {
		_ = p.pidfd.Close()
	}
	<-p.done
}

// A stat is what the kernel says of a process.
type stat struct {
	pid, parent int
	name        string
	state       byte
	start       uint64 // in clock ticks since the boot; it does not change
}

func statOf(pid int) (stat, error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	text, err := os.ReadFile(path) //nolint:gosec // a number is all that varies
	if err != nil {
		return stat{}, err
	}
	// The name is in parentheses and may hold any character. Of the fields after it, the first is the state, the second
	// the parent and the 20th the start time.
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return stat{}, fmt.Errorf("%s cannot be read", path)
	}
	fields := bytes.Fields(text[end+1:])
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("%s is too short", path)
	}
	s := stat{pid: pid, name: string(text[open+1 : end]), state: fields[0][0]}
	if s.parent, err = strconv.Atoi(string(fields[1])); err != nil {
		return stat{}, fmt.Errorf("%s: parent: %w", path, err)
	}
	if s.start, err = strconv.ParseUint(string(fields[19]), 10, 64); err != nil {
		return stat{}, fmt.Errorf("%s: start time: %w", path, err)
	}
	return s, nil
}
