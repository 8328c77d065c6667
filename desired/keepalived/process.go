package keepalived

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// pollEvery is how often a process is looked at where the kernel has no pidfd (before 5.3).
const pollEvery = 25 * time.Millisecond

// A Process is one that is running, told from a later one with the same ID by its start time.
type Process struct {
	Stat

	mu sync.Mutex // guards fd against Close
	fd int        // a pidfd; -1 where the kernel has none
}

// OpenProcess returns the process with that ID, which runs or has not been waited for. Of one that /proc hides (hidepid), no more is
// known than its ID, and that as long as the kernel has a pidfd. The caller closes it.
func OpenProcess(pid int) (*Process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // no such call, or a filter forbids it
		fd, err = -1, nil
	}
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	p := &Process{Stat: Stat{PID: pid}, fd: fd}
	if stat, err := StatOf(pid); err == nil {
		p.Stat = stat
	} else if fd < 0 {
		return nil, err
	}
	if !p.Alive() { // the pidfd was that of an earlier one
		p.Close()
		return nil, fmt.Errorf("process %d has just ended", pid)
	}
	return p, nil
}

// EndedProcess returns a process with that ID that has ended.
func EndedProcess(pid int) *Process { return &Process{Stat: Stat{PID: pid}, fd: -1} }

// Alive reports whether the process has not ended. A nil process is not alive.
func (p *Process) Alive() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fd < 0 {
		now, err := StatOf(p.PID)
		return err == nil && now.Start == p.Start && now.State != 'Z' && now.State != 'X'
	}
	fds := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}} //nolint:gosec // a descriptor fits
	n, err := unix.Poll(fds, 0)
	for errors.Is(err, unix.EINTR) { // the runtime interrupts its threads now and then: no sign of death (seen under load)
		n, err = unix.Poll(fds, 0)
	}
	return err == nil && n == 0
}

// Same reports whether two are one. A nil process is nobody.
func (p *Process) Same(other *Process) bool {
	return p != nil && other != nil && p.PID == other.PID && p.Start == other.Start
}

// id is the process ID; 0 of a nil process.
func (p *Process) id() int {
	if p == nil {
		return 0
	}
	return p.PID
}

// Signal sends a signal. It never reaches a later process with the same ID where the kernel has a pidfd.
func (p *Process) Signal(s unix.Signal) error {
	if !p.Alive() {
		return unix.ESRCH
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fd < 0 {
		return unix.Kill(p.PID, s)
	}
	return unix.PidfdSendSignal(p.fd, s, nil, 0)
}

// Wait returns nil once the process has ended, or the cause of ctx once that is done. It must return before Close is called.
func (p *Process) Wait(ctx context.Context) error {
	wait, err := newPoller()
	if err != nil {
		return err
	}
	defer wait.close()
	defer context.AfterFunc(ctx, wait.end)()
	for p.Alive() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if p.fd < 0 {
			wait.wait(time.Now().Add(pollEvery), nil)
		} else {
			wait.wait(time.Now().Add(time.Hour), []int{p.fd})
		}
	}
	return nil
}

// descriptor returns its pidfd; -1 where there is none.
func (p *Process) descriptor() int {
	if p == nil {
		return -1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fd
}

// Close lets go of the process. A second call does nothing, and neither does one of a nil process.
func (p *Process) Close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fd >= 0 {
		_ = unix.Close(p.fd)
		p.fd = -1
	}
}

// A Stat is what the kernel says of a process.
type Stat struct {
	PID, Parent int
	State       byte
	Start       uint64 // in clock ticks since the boot; it does not change
}

// StatOf returns what the kernel says of the process with that ID now.
func StatOf(pid int) (Stat, error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	text, err := os.ReadFile(path) //nolint:gosec // a number is all that varies
	if err != nil {
		return Stat{}, err
	}
	// The name is in parentheses and may hold any character. Of the fields after it, the first is the state, the second
	// the parent and the 20th the start time.
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return Stat{}, fmt.Errorf("%s cannot be read", path)
	}
	fields := bytes.Fields(text[end+1:])
	if len(fields) < 20 {
		return Stat{}, fmt.Errorf("%s is too short", path)
	}
	s := Stat{PID: pid, State: fields[0][0]}
	if s.Parent, err = strconv.Atoi(string(fields[1])); err != nil {
		return Stat{}, fmt.Errorf("%s: parent: %w", path, err)
	}
	if s.Start, err = strconv.ParseUint(string(fields[19]), 10, 64); err != nil {
		return Stat{}, fmt.Errorf("%s: start time: %w", path, err)
	}
	return s, nil
}

// BootID returns what tells this boot of the machine from others: start times and process IDs count from there. It is empty
// where the kernel does not tell.
func BootID() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if id := strings.TrimSpace(string(text)); err == nil && !strings.Contains(id, " ") {
		return id
	}
	return ""
}
