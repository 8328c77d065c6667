package keepalived

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A process is one that is running, told from a later one with the same pid by its start time.
type process struct {
	pid   int
	start string // in clock ticks since boot, as the kernel writes it
	fd    int    // of the kind pidfd; -1 where the kernel has none (before 5.3)
}

// findProcess returns the process that a pid file names, if it is Keepalived's. The caller closes it.
func findProcess(pidFile string) (*process, error) {
	text, err := os.ReadFile(pidFile) //nolint:gosec // the configuration names it
	if err != nil {
		return nil, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 0 {
		return nil, fmt.Errorf("%s holds no process ID", pidFile)
	}
	p, err := openProcess(pid)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pidFile, err)
	}
	return p, nil
}

// openProcess returns the process with a pid, if it is Keepalived's. The caller closes it.
func openProcess(pid int) (*process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		fd, err = -1, nil
	}
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	p := &process{pid: pid, fd: fd}
	name, start, err := identity(pid)
	if err == nil && name != "keepalived" && name != "keepalived_vrrp" { // the latter with process_names (seen on 2.2.7)
		err = fmt.Errorf("process %d is %q, not keepalived", pid, name)
	}
	if err == nil && !p.lives(start) { // the pidfd was of another one
		err = fmt.Errorf("process %d has just ended", pid)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	p.start = start
	return p, nil
}

// identity reads a process's name and start time.
func identity(pid int) (name, start string, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", "", err
	}
	// The name is in parentheses and may hold any character; the fields after it are plain, the start time is the 20th.
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return "", "", fmt.Errorf("/proc/%d/stat cannot be read", pid)
	}
	fields := bytes.Fields(stat[end+1:])
	if len(fields) < 20 {
		return "", "", fmt.Errorf("/proc/%d/stat is too short", pid)
	}
	return string(stat[open+1 : end]), string(fields[19]), nil
}

// alive reports whether the process has not ended. A nil one is not alive.
func (p *process) alive() bool { return p != nil && p.lives(p.start) }

func (p *process) lives(start string) bool {
	if p.fd >= 0 {
		fds := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}} //nolint:gosec // a descriptor fits
		n, err := unix.Poll(fds, 0)
		for errors.Is(err, unix.EINTR) { // the runtime interrupts its threads now and then: no sign of death (seen under load)
			n, err = unix.Poll(fds, 0)
		}
		return err == nil && n == 0
	}
	_, now, err := identity(p.pid)
	return err == nil && now == start
}

// same reports whether two are one.
func (p *process) same(other *process) bool {
	return p != nil && other != nil && p.pid == other.pid && p.start == other.start
}

func (p *process) close() {
	if p != nil && p.fd >= 0 {
		_ = unix.Close(p.fd)
		p.fd = -1
	}
}
