package keepalived

import (
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"

	"floaty/providers/logkey"
)

const (
	// beatEvery is how often a heart beats while an instance is MASTER. Nothing else shows that the process was stopped, because the
	// clocks went on: see hack/decisions/010.
	beatEvery = time.Second

	// lateFrom is by how much a beat must be late, or for how long the machine must have slept, to count as a standstill.
	lateFrom = time.Second

	maxSuspension = 10 * time.Second // after a standstill
)

// A standstill describes how this process has stood still.
type standstill struct {
	late   time.Duration // how late a beat came: the process was stopped, frozen or swapped out
	asleep time.Duration // for how long the machine was suspended, which its monotonic clock does not count
}

// matters reports whether it was long enough to count.
func (p standstill) matters() bool { return p.late > lateFrom || p.asleep > lateFrom }

// A clock measures standstills.
type clock struct {
	start time.Time     // when it was created
	ahead time.Duration // how much more time CLOCK_BOOTTIME has counted since then than CLOCK_MONOTONIC; a suspended machine adds to it
	due   time.Time     // when the next beat is expected; zero: none is
}

func newClock() clock {
	return clock{start: time.Now(), ahead: bootTime()}
}

// standstill returns how the process has stood still since the last reset.
func (c *clock) standstill() standstill {
	now := time.Now()
	return standstillBetween(c.due, now, c.ahead, bootTime()-now.Sub(c.start))
}

// reset returns the same as standstill, and begins to measure anew.
func (c *clock) reset() standstill {
	s := c.standstill()
	if s.asleep > lateFrom { // a smaller difference may come from reading the two clocks one after the other
		c.ahead += s.asleep
	}
	if s.late > lateFrom {
		c.due = time.Now().Add(beatEvery)
	}
	return s
}

// standstillBetween compares the clocks with what was expected: the next beat at due, and CLOCK_BOOTTIME ahead by as much as before.
func standstillBetween(due, now time.Time, aheadBefore, ahead time.Duration) standstill {
	var s standstill
	if !due.IsZero() {
		s.late = max(0, now.Sub(due))
	}
	s.asleep = max(0, ahead-aheadBefore)
	return s
}

// bootTime is the time since the boot, including the time for which the machine was suspended; 0 if the kernel does not provide it.
func bootTime() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// stoodStill suspends every MASTER that another host may have taken over meanwhile, and reports whether there was one.
func (s states) stoodStill(p standstill, now time.Time, advert func(name string) time.Duration, log logr.Logger) bool {
	until := s.suspendMasters(now, p.asleep, advert)
	if until.IsZero() {
		log.V(1).Info("floaty stood still", logkey.Late, p.late, logkey.Asleep, p.asleep)
		return false
	}
	log.Info("floaty stood still, and perhaps Keepalived with it: not assigning addresses until it has had time to notice a new master",
		logkey.Late, p.late.Round(time.Millisecond), logkey.Asleep, p.asleep.Round(time.Millisecond), logkey.Next, until)
	return true
}

// A heart beats once per second while it is on. It is a kernel timer, because a Go timer would also wake up the runtime's monitor thread
// (3.7 context switches per beat instead of 1.4).
type heart struct {
	fd   int
	file *os.File // fd, which the runtime waits for
	on   bool
}

func newHeart() (*heart, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("creating a timer: %w", err)
	}
	return &heart{fd: fd, file: os.NewFile(uintptr(fd), "timer")}, nil
}

// run calls beat at each beat until close.
func (h *heart) run(beat func()) {
	var count [8]byte
	for {
		if _, err := h.file.Read(count[:]); err != nil {
			return
		}
		beat()
	}
}

// set turns the heart on or off, and reports whether that is a change.
func (h *heart) set(on bool) bool {
	if h.on == on {
		return false
	}
	h.on = on
	var every unix.Timespec
	if on {
		every = unix.NsecToTimespec(beatEvery.Nanoseconds())
	}
	_ = unix.TimerfdSettime(h.fd, 0, &unix.ItimerSpec{Interval: every, Value: every}, nil) // it fails only for bad arguments
	return true
}

func (h *heart) close() { _ = h.file.Close() }
