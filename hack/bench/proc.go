package main

import (
	"fmt"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// A usage is the resources that a process has used so far, as the kernel reports them.
type usage struct {
	at        time.Time
	cpu       time.Duration // user and system
	rss, peak float64       // MiB: now, and at most so far
	switches  uint64        // voluntary context switches of all threads; each is followed by a wake-up
}

// usageOf reads the usage of a process.
func usageOf(pid int) (usage, error) {
	u := usage{at: time.Now()}
	// The process's CPU clock counts nanoseconds, /proc/PID/stat hundredths of a second.
	var cpu unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &cpu); err != nil { //nolint:gosec // a pid fits
		return u, fmt.Errorf("reading the CPU clock of process %d: %w", pid, err)
	}
	u.cpu = time.Duration(cpu.Nano())
	threads, err := procfs.AllThreads(pid)
	if err != nil {
		return u, err
	}
	for _, thread := range threads {
		status, err := thread.NewStatus()
		if err != nil {
			return u, err
		}
		u.rss, u.peak = float64(status.VmRSS)/(1<<20), float64(status.VmHWM)/(1<<20) // all threads share the memory
		u.switches += status.VoluntaryCtxtSwitches
	}
	return u, nil
}
