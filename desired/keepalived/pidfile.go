package keepalived

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Program is the name of Keepalived's executable. The names of its processes are the configuration's to choose (process_name,
// vrrp_process_name), but that of the file they run and their first argument stay (seen on 2.2.7).
const Program = "keepalived"

// IsKeepalived reports whether the process with that ID is a Keepalived: by the file that it runs, or where that may not be
// read, by its first argument.
func IsKeepalived(pid int) bool {
	is, _ := runsKeepalived(pid)
	return is
}

// runsKeepalived does the same; sure is whether it was the file that told.
func runsKeepalived(pid int) (is, sure bool) {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err == nil {
		return filepath.Base(strings.TrimSuffix(path, " (deleted)")) == Program, true // deleted by an upgrade
	}
	if !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EPERM) {
		return false, true // it has ended, or is a thread of the kernel
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false, false
	}
	first, _, _ := bytes.Cut(text, []byte{0})
	return filepath.Base(string(first)) == Program, false
}

// FindProcess returns the process that a pid file names, if it is a Keepalived. Where only its first argument can tell, which
// every user is free to choose, the pid file must be root's. The caller closes it.
func FindProcess(pidFile string) (*Process, error) {
	pid, owner, err := ReadPIDFile(pidFile)
	if err != nil {
		return nil, err
	}
	p, err := OpenProcess(pid)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pidFile, err)
	}
	is, sure := runsKeepalived(pid)
	switch {
	case !is:
		err = fmt.Errorf("%s: process %d is not known to run %s", pidFile, pid, Program)
	case !sure && owner != 0:
		err = fmt.Errorf("%s belongs to user %d, and the program of process %d may not be read: want a file of root's", pidFile, owner, pid)
	case !p.Alive():
		err = fmt.Errorf("%s: process %d has just ended", pidFile, pid)
	default:
		return p, nil
	}
	p.Close()
	return nil, err
}

// maxPIDFile bounds a pid file, in bytes: a number and its blanks.
const maxPIDFile = 64

// ReadPIDFile returns the process ID in a pid file and the file's owner. It never waits for what is not a regular file.
func ReadPIDFile(path string) (pid int, owner uint32, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) //nolint:gosec // the configuration names it
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !info.Mode().IsRegular() || !ok {
		return 0, 0, fmt.Errorf("%s is not a regular file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPIDFile))
	if err != nil {
		return 0, 0, err
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil || pid <= 0 {
		return 0, 0, fmt.Errorf("%s holds no process ID", path)
	}
	return pid, stat.Uid, nil
}
