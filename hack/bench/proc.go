package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A usage is what the kernel says of a process.
type usage struct {
	at       time.Time
	cpu      time.Duration // user and system
	rss      int64         // bytes now
	peak     int64         // bytes at most so far
	switches int64         // times that a thread has given up the CPU by itself: it wakes up as often
}

// lookAt reads what the kernel says of a process.
func lookAt(pid int) (usage, error) {
	u := usage{at: time.Now()}
	// The process's CPU clock counts nanoseconds, /proc/PID/stat hundredths of a second.
	var spent unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &spent); err != nil { //nolint:gosec // a pid fits
		return u, fmt.Errorf("reading the CPU clock of process %d: %w", pid, err)
	}
	u.cpu = time.Duration(spent.Nano())
	var err error
	if u.rss, err = status(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:"); err != nil {
		return u, err
	}
	if u.peak, err = status(fmt.Sprintf("/proc/%d/status", pid), "VmHWM:"); err != nil {
		return u, err
	}
	u.rss, u.peak = u.rss<<10, u.peak<<10
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		return u, err
	}
	for _, thread := range threads {
		n, err := status(thread, "voluntary_ctxt_switches:")
		if err != nil {
			return u, err
		}
		u.switches += n
	}
	return u, nil
}

// status reads a number from a status file of the kernel's.
func status(path, key string) (int64, error) {
	text, err := os.ReadFile(path) //nolint:gosec // below /proc
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte(key)); ok {
			return strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
		}
	}
	return 0, fmt.Errorf("%s says no %s", path, key)
}
