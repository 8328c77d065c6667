package handover

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"floaty/desired/keepalived"
)

// An order is when an event came, to be compared with that of another.
type order struct {
	boot  string // the kernel's ID of it
	event moment // the start of the process right below Keepalived
	own   moment // and of that which came to the lock: for events of one process, such as a script that reads a FIFO
}

// A moment is the start of a process. Most events that come together share the time, which the kernel tells in hundredths
// of a second, so that the process ID decides (seen: Keepalived's start order in 200 of 200 pairs).
type moment struct {
	start uint64 // in clock ticks since the boot
	pid   int
}

// thisEvent returns the order of the event that started this process, of that family.
func thisEvent(f family) (order, error) {
	self, err := keepalived.StatOf(os.Getpid())
	if err != nil {
		return order{}, err
	}
	return order{boot(), moment{f.event.Start, f.event.PID}, moment{self.Start, self.PID}}, nil
}

// after reports whether o came after other, which is of the same boot; pids is how many process IDs there are.
func (o order) after(other order, pids int) bool {
	if o.event != other.event {
		return o.event.after(other.event, pids)
	}
	return o.own.after(other.own, pids)
}

// after compares two starts. Within one tick the IDs may have begun anew at the lowest: the kernel counts up to pid_max and
// goes on at 300 (seen: 32767, then 300, of one start time). So the shorter way round decides. For the longer one to be
// the right one, half of all IDs, 16,234 of the 32,468 that a small kernel has, would have to be given away within a
// hundredth of a second; a shell that does nothing but start programs comes to some ten.
func (m moment) after(other moment, pids int) bool {
	if m.start != other.start {
		return m.start > other.start
	}
	way := ((m.pid-other.pid)%pids + pids) % pids
	return way != 0 && way < (pids+1)/2
}

// String returns what [parseOrder] reads.
func (o order) String() string {
	return fmt.Sprintf("%s %d %d %d %d", o.boot, o.event.start, o.event.pid, o.own.start, o.own.pid)
}

// parseOrder reads a line that anybody may have written. It is no order if it is of another boot, or of a time after now:
// that would keep every event from being the newest until then.
func parseOrder(line, boot string, now uint64) (order, bool) {
	words := strings.Split(line, " ")
	if len(words) != 5 || words[0] != boot {
		return order{}, false
	}
	event, ok1 := parseMoment(words[1], words[2], now)
	own, ok2 := parseMoment(words[3], words[4], now)
	return order{boot, event, own}, ok1 && ok2
}

func parseMoment(start, pid string, now uint64) (moment, bool) {
	s, err1 := strconv.ParseUint(start, 10, 64)
	p, err2 := strconv.Atoi(pid)
	return moment{s, p}, err1 == nil && err2 == nil && s <= now && 0 < p && p <= maxPID
}

const (
	maxPID   = 1 << 22 // the kernel's PID_MAX_LIMIT
	reserved = 300     // its RESERVED_PIDS: below, only the first processes after the boot
)

// pids returns how many process IDs there are to go round; the most there can be where the kernel does not tell.
func pids() int {
	text, err := os.ReadFile("/proc/sys/kernel/pid_max")
	if err != nil {
		return maxPID
	}
	highest, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || highest <= 2*reserved { // the lowest is 301, and nobody has so few
		return maxPID
	}
	return highest - reserved
}

// boot returns an ID that each boot has of its own.
func boot() string {
	if id := keepalived.BootID(); id != "" {
		return id
	}
	return "unknown" // start times are all there is, and [parseOrder] doubts the impossible ones
}

// uptime returns the time since the boot, in the ticks of a process's start time: a hundred a second wherever Go runs.
func uptime() uint64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return ^uint64(0)
	}
	return uint64(now.Nano()) / 1e7 //nolint:gosec // it is no less than 0
}
