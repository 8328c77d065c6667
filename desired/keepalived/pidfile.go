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

// Program is the name of Keepalived's executable. The configuration may rename its processes (process_name, vrrp_process_name), but
// the file that they execute and their first argument keep this name (seen on 2.2.7).
const Program = "keepalived"

// IsKeepalived reports whether the process with that ID is a Keepalived. It goes by the file that the process executes or, if this
// process may not read that, by the first argument.
func IsKeepalived(pid int) bool {
	is, _ := runsKeepalived(pid)
	return is
}

// runsKeepalived is like IsKeepalived. sure tells whether it went by the file; any user may choose the first argument.
func runsKeepalived(pid int) (is, sure bool) {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err == nil {
		return filepath.Base(strings.TrimSuffix(path, " (deleted)")) == Program, true // deleted by an upgrade
	}
	if !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EPERM) {
		return false, true // it has ended, or it is a kernel thread
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false, false
	}
	first, _, _ := bytes.Cut(text, []byte{0})
	return filepath.Base(string(first)) == Program, false
}

// FindProcess returns the process that a pid file names. It fails if that process is not a Keepalived. If only its first argument shows
// that it is one, the pid file must belong to root, because any user can choose that argument. The caller closes the process.
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
		err = fmt.Errorf("%s: process %d does not run %s, as far as this process may see", pidFile, pid, Program)
	case !sure && owner != 0:
		err = fmt.Errorf("%s: belongs to user %d (want root, because this process may not see which program process %d runs)", pidFile, owner, pid)
	case !p.Alive():
		err = fmt.Errorf("%s: process %d has just ended", pidFile, pid)
	default:
		return p, nil
	}
	p.Close()
	return nil, err
}

// maxPIDFile bounds a pid file, in bytes: it holds a number and blanks.
const maxPIDFile = 64

// ReadPIDFile returns the process ID in a pid file, and the file's owner. It does not block, even if path names a FIFO or a device.
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
		return 0, 0, fmt.Errorf("%s: not a regular file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPIDFile))
	if err != nil {
		return 0, 0, err
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil || pid <= 0 {
		return 0, 0, fmt.Errorf("%s: not a process ID", path)
	}
	return pid, stat.Uid, nil
}
