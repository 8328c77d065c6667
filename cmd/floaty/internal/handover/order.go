package handover

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"floaty/desired/keepalived"
)

// An order tells when an event happened, relative to others.
type order struct {
	boot  string    // the ID of the boot
	event startTime // of the process directly below Keepalived
	own   startTime // of the process that came to the lock, for several events of one process, such as a script that reads a FIFO
}

// A startTime is when a process started. The kernel gives it in hundredths of a second, so events that happen together mostly have the same
// time, and the process ID decides (seen: in 200 of 200 pairs this gave the order in which Keepalived had started them).
type startTime struct {
	ticks uint64 // clock ticks since the boot
	pid   int
}

// thisEvent returns the order of the event that started this process, whose ancestry is a.
func thisEvent(a ancestry) (order, error) {
	self, err := keepalived.StatOf(os.Getpid())
	if err != nil {
		return order{}, err
	}
	return order{boot(), startTime{a.event.Start, a.event.PID}, startTime{self.Start, self.PID}}, nil
}

// after reports whether o is later than other, which must be of the same boot. pids is how many process IDs there are.
func (o order) after(other order, pids int) bool {
	if o.event != other.event {
		return o.event.after(other.event, pids)
	}
	return o.own.after(other.own, pids)
}

// after reports whether s is later than other. Within one tick, process IDs may wrap around: the kernel counts up to pid_max and goes on at
// 300 (seen: 32767, then 300, with the same start time). So the shorter distance decides. For that to be wrong, half of all IDs, 16,234 of
// the 32,468 that a small kernel has, would have to be used within a hundredth of a second; a shell that only starts programs uses about ten.
func (s startTime) after(other startTime, pids int) bool {
	if s.ticks != other.ticks {
		return s.ticks > other.ticks
	}
	distance := ((s.pid-other.pid)%pids + pids) % pids
	return distance != 0 && distance < (pids+1)/2
}

// String returns the order in the form that [parseOrder] parses.
func (o order) String() string {
	return fmt.Sprintf("%s %d %d %d %d", o.boot, o.event.ticks, o.event.pid, o.own.ticks, o.own.pid)
}

// parseOrder parses a line, which anybody may have written. It rejects an order of another boot, and one after now, because until that time
// no event would be the newest.
func parseOrder(line, boot string, now uint64) (order, bool) {
	words := strings.Split(line, " ")
	if len(words) != 5 || words[0] != boot {
		return order{}, false
	}
	event, ok1 := parseStartTime(words[1], words[2], now)
	own, ok2 := parseStartTime(words[3], words[4], now)
	return order{boot, event, own}, ok1 && ok2
}

func parseStartTime(ticks, pid string, now uint64) (startTime, bool) {
	t, err1 := strconv.ParseUint(ticks, 10, 64)
	p, err2 := strconv.Atoi(pid)
	return startTime{t, p}, err1 == nil && err2 == nil && t <= now && 0 < p && p <= maxPID
}

const (
	maxPID   = 1 << 22 // the kernel's PID_MAX_LIMIT
	reserved = 300     // the kernel's RESERVED_PIDS: lower IDs are used only once, for the first processes after the boot
)

// pids returns the number of process IDs after which they wrap around, or the largest possible number if the kernel does not provide it.
func pids() int {
	text, err := os.ReadFile("/proc/sys/kernel/pid_max")
	if err != nil {
		return maxPID
	}
	highest, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || highest <= 2*reserved { // the smallest possible pid_max is 301, and nobody has so few IDs
		return maxPID
	}
	return highest - reserved
}

// boot returns the ID of this boot.
func boot() string {
	if id := keepalived.BootID(); id != "" {
		return id
	}
	return "unknown" // only start times remain, and [parseOrder] rejects impossible ones
}

// uptime returns the time since the boot in clock ticks, of which there are 100 per second on every platform of Go.
func uptime() uint64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return ^uint64(0)
	}
	return uint64(now.Nano()) / 1e7 //nolint:gosec // it is not negative
}
