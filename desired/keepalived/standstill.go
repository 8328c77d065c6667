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
	// beatEvery is how often a heart beats while an instance is MASTER. Nothing else shows that the process was stopped, for the
	// clocks go on: see hack/decisions/010.
	beatEvery = time.Second

	// lateFrom is how late a beat must be, or how long the machine must have slept, to count as a standstill.
	lateFrom = time.Second

	maxSuspension = 10 * time.Second // after a standstill
)

// A pause is how the process stood still.
type pause struct {
	late   time.Duration // a beat came so much too late: the process was stopped, frozen, or swapped out
	asleep time.Duration // so long the machine was suspended, which its monotonic clock does not count
}

func (p pause) any() bool { return p.late > lateFrom || p.asleep > lateFrom }

// A clock tells a pause.
type clock struct {
	start time.Time     // since when it runs
	ahead time.Duration // by how much CLOCK_BOOTTIME has passed more than CLOCK_MONOTONIC since then; a suspension adds to it
	due   time.Time     // the next beat; zero: there is none
}

func newClock() clock {
	return clock{start: time.Now(), ahead: bootTime()}
}

// pause returns how the process has stood still since awake was called last.
func (c *clock) pause() pause {
	now := time.Now()
	return pauseBetween(c.due, now, c.ahead, bootTime()-now.Sub(c.start))
}

// awake returns the same, and begins anew.
func (c *clock) awake() pause {
	p := c.pause()
	if p.asleep > lateFrom { // less may be from the two clocks' not being read at one instant
		c.ahead += p.asleep
	}
	if p.late > lateFrom {
		c.due = time.Now().Add(beatEvery)
	}
	return p
}

// pauseBetween says what the clocks mean: a beat that was due, perhaps is still, and by how much CLOCK_BOOTTIME was and is ahead.
func pauseBetween(due, now time.Time, was, is time.Duration) pause {
	var p pause
	if !due.IsZero() {
		p.late = max(0, now.Sub(due))
	}
	p.asleep = max(0, is-was)
	return p
}

// bootTime is the time since boot, that of the machine's suspension included; 0 where the kernel does not tell.
func bootTime() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// stoodStill suspends every MASTER that another host may have taken over from meanwhile, and reports whether there is one.
func (s states) stoodStill(p pause, now time.Time, advert func(name string) time.Duration, log logr.Logger) bool {
	until := s.standstill(now, p.asleep, advert)
	if until.IsZero() {
		log.V(1).Info("floaty stood still", logkey.Late, p.late, logkey.Asleep, p.asleep)
		return false
	}
	log.Info("floaty stood still, and perhaps Keepalived with it: not assigning addresses until it has had time to notice a new master",
		logkey.Late, p.late.Round(time.Millisecond), logkey.Asleep, p.asleep.Round(time.Millisecond), logkey.Next, until)
	return true
}

// A heart beats once a second while it is on. It is a timer of the kernel: one of Go's would wake up the runtime's monitor thread
// as well (3.7 changes of thread a beat, for 1.4).
type heart struct {
	fd   int
	file *os.File // fd, which the runtime waits for
	on   bool
}

func newHeart() (*heart, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making a timer: %w", err)
	}
	return &heart{fd: fd, file: os.NewFile(uintptr(fd), "timer")}, nil
}

// run calls beat with each beat until close.
func (h *heart) run(beat func()) {
	var count [8]byte
	for {
		if _, err := h.file.Read(count[:]); err != nil {
			return
		}
		beat()
	}
}

// set turns it on or off, and reports whether that is a change.
func (h *heart) set(on bool) bool {
	if h.on == on {
		return false
	}
	h.on = on
	var every unix.Timespec
	if on {
		every = unix.NsecToTimespec(beatEvery.Nanoseconds())
	}
	_ = unix.TimerfdSettime(h.fd, 0, &unix.ItimerSpec{Interval: every, Value: every}, nil) // fails for bad arguments only
	return true
}

func (h *heart) close() { _ = h.file.Close() }
