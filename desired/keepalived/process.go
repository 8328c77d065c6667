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

// pollEvery is how often to check whether a process has ended, if the kernel has no pidfd (before 5.3).
const pollEvery = 25 * time.Millisecond

// A Process is a process of this machine. Its start time distinguishes it from a later one with the same ID. A nil Process is one that
// has ended.
type Process struct {
	Stat

	mu sync.Mutex // guards fd against Close
	fd int        // a pidfd; -1 where the kernel has none
}

// OpenProcess returns the running process with that ID. If /proc hides the process (hidepid), only its ID is known; without pidfds,
// OpenProcess then fails. The caller closes it.
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
	if !p.Alive() { // the pidfd was that of an earlier process
		p.Close()
		return nil, fmt.Errorf("process %d has just ended", pid)
	}
	return p, nil
}

// EndedProcess returns a Process with that ID that is not alive.
func EndedProcess(pid int) *Process { return &Process{Stat: Stat{PID: pid}, fd: -1} }

// Alive reports whether the process runs. A zombie does not.
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
	for errors.Is(err, unix.EINTR) { // the runtime interrupts its threads now and then (seen under load), which says nothing about the process
		n, err = unix.Poll(fds, 0)
	}
	return err == nil && n == 0
}

// Same reports whether both are the same process. A nil Process is never the same, not even as another nil Process.
func (p *Process) Same(other *Process) bool {
	return p != nil && other != nil && p.PID == other.PID && p.Start == other.Start
}

// id returns the process ID, or 0 for a nil Process.
func (p *Process) id() int {
	if p == nil {
		return 0
	}
	return p.PID
}

// Signal sends a signal. It returns ESRCH if the process has ended. If the kernel has pidfds, the signal can never reach a later process
// with the same ID.
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

// Wait waits until the process has ended. If ctx ends first, it returns the cause; it also fails if the system is out of descriptors. It
// must have returned before Close is called.
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

// descriptor returns the pidfd, or -1 if there is none.
func (p *Process) descriptor() int {
	if p == nil {
		return -1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fd
}

// Close releases the pidfd. The process goes on. A second call does nothing.
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

// A Stat is what the kernel says about a process.
type Stat struct {
	PID, Parent int
	State       byte   // as in proc(5): R, S, Z and so on
	Start       uint64 // when it started, in clock ticks since the boot
}

// StatOf returns what the kernel says now about the process with that ID.
func StatOf(pid int) (Stat, error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	text, err := os.ReadFile(path) //nolint:gosec // a number is all that varies
	if err != nil {
		return Stat{}, err
	}
	// The name is in parentheses and may contain any character. Of the fields after it, the first is the state, the second is the
	// parent and the 20th is the start time.
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return Stat{}, fmt.Errorf("%s: no process name in parentheses", path)
	}
	fields := bytes.Fields(text[end+1:])
	if len(fields) < 20 {
		return Stat{}, fmt.Errorf("%s: too few fields", path)
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

// BootID returns an ID of this boot of the machine. Process IDs and start times are comparable within one boot only. The ID is empty if
// the kernel does not provide one.
func BootID() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if id := strings.TrimSpace(string(text)); err == nil && !strings.Contains(id, " ") {
		return id
	}
	return ""
}
