package keepalived

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// writes reports whether the process has the FIFO open for writing; a nil process does not. It fails if that cannot be seen:
// this process must run as the same user, or be root with CAP_SYS_PTRACE.
func (p *Process) writes(fifo *fifoFile) (bool, error) {
	if p == nil {
		return false, nil
	}
	return fifo.writtenBy(p.PID)
}

// writtenBy reports whether the process with that ID has the FIFO open for writing. It fails if that cannot be seen.
func (f *fifoFile) writtenBy(pid int) (bool, error) {
	dir := fmt.Sprintf("/proc/%d/", pid)
	fds, err := names(dir + "fd")
	if err != nil {
		return false, err
	}
	for _, fd := range fds {
		link, err := os.Readlink(dir + "fd/" + fd)
		if errors.Is(err, os.ErrPermission) { // with CAP_DAC_READ_SEARCH the directory may be listed, and no more
			return false, err
		}
		if err != nil || !strings.HasPrefix(link, "/") || !f.isTargetOf(dir+"fd/"+fd) {
			continue // closed meanwhile, a socket or the like, or another file
		}
		info, err := os.ReadFile(dir + "fdinfo/" + fd) //nolint:gosec // of /proc
		if err == nil && writable(string(info)) {
			return true, nil
		}
	}
	return false, nil
}

// isTargetOf reports whether a link in /proc/PID/fd leads to the FIFO. It does not ask a file server for current attributes, which
// might hang.
func (f *fifoFile) isTargetOf(link string) bool {
	var stat unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, link, unix.AT_STATX_DONT_SYNC|unix.AT_NO_AUTOMOUNT, unix.STATX_TYPE|unix.STATX_INO, &stat)
	return err == nil && stat.Mode&unix.S_IFMT == unix.S_IFIFO && stat.Ino == f.ino && unix.Mkdev(stat.Dev_major, stat.Dev_minor) == f.dev
}

// writable reports whether a descriptor is open for writing, from its /proc/PID/fdinfo, in which the flags are octal.
func writable(info string) bool {
	for line := range strings.Lines(info) {
		if text, ok := strings.CutPrefix(line, "flags:"); ok {
			flags, err := strconv.ParseUint(strings.TrimSpace(text), 8, 64)
			return err == nil && flags&unix.O_ACCMODE != unix.O_RDONLY
		}
	}
	return false
}

// findWriter looks through all processes for the Keepalived that has the FIFO open for writing. It returns nil if there is none, if it
// cannot be seen, or if there are several and the pid file names none of them. The caller closes it. With 5,000 processes this takes
// 0.2 s.
func (f *fifoFile) findWriter(ctx context.Context, pidFile string) *Process {
	all, err := names("/proc")
	if err != nil {
		return nil
	}
	var writers []int
	for _, name := range all {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == os.Getpid() {
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		if writes, err := f.writtenBy(pid); err == nil && writes && IsKeepalived(pid) {
			writers = append(writers, pid)
		}
	}
	return f.openWriter(chooseWriter(writers, pidFile))
}

// Identified returns an error if a [Listener] could not identify Keepalived's VRRP process now: it is the process that the pid file
// names, or else the Keepalived that has the FIFO at path open for writing. path may be empty, and is then not used. Identified may
// look through all processes.
func Identified(ctx context.Context, path, pidFile string) error {
	named, err := FindProcess(pidFile)
	named.Close()
	if err == nil || path == "" {
		return err
	}
	var stat unix.Stat_t
	if unix.Lstat(path, &stat) != nil {
		return err // of the pid file: the FIFO may be made later
	}
	p := (&fifoFile{fd: -1, dev: stat.Dev, ino: stat.Ino}).findWriter(ctx, pidFile)
	defer p.Close()
	if p == nil {
		return fmt.Errorf("no Keepalived has %s open for writing: %w", path, err)
	}
	return nil
}

// chooseWriter returns the process that counts among those that have the FIFO open for writing; 0: none. One whose ancestor also has it
// open has only inherited it. If several are left, the pid file decides.
func chooseWriter(writers []int, pidFile string) int {
	first := slices.DeleteFunc(slices.Clone(writers), func(pid int) bool { return descendsFrom(pid, writers) })
	if len(first) == 1 {
		return first[0]
	}
	if pid, _, err := ReadPIDFile(pidFile); err == nil && slices.Contains(first, pid) {
		return pid
	}
	return 0
}

// descendsFrom reports whether one of others is an ancestor of a process.
func descendsFrom(pid int, others []int) bool {
	for {
		s, err := StatOf(pid)
		if err != nil || s.Parent <= 0 {
			return false
		}
		if slices.Contains(others, s.Parent) {
			return true
		}
		pid = s.Parent
	}
}

// openWriter returns the process with that ID if it still has the FIFO open for writing, else nil.
func (f *fifoFile) openWriter(pid int) *Process {
	if pid == 0 {
		return nil
	}
	p, err := OpenProcess(pid)
	if err != nil {
		return nil
	}
	if writes, err := p.writes(f); err != nil || !writes {
		p.Close()
		return nil
	}
	return p
}

// names returns the names in a directory.
func names(path string) ([]string, error) {
	dir, err := os.Open(path) //nolint:gosec // of /proc
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }() // it was only read
	return dir.Readdirnames(-1)
}
