package handover

import (
	"os"
	"testing"
)

func TestWhichOfTwoEventsIsNewer(t *testing.T) {
	const all, small = maxPID - reserved, 32768 - reserved
	at := func(start uint64, pid int) order { return order{"b", startTime{start, pid}, startTime{200, 9000}} }
	for _, c := range []struct {
		what         string
		older, newer order
		pids         int
	}{
		{"a later tick", at(100, 5000), at(101, 4000), small},
		{"much later", at(100, 32767), at(1<<60, 1), small},
		{"the same tick", at(100, 5000), at(100, 5001), small},
		{"the same tick, many IDs between", at(100, 5000), at(100, 20000), small},
		{"IDs started over", at(100, 32767), at(100, 300), small},
		{"IDs started over, some between", at(100, 32700), at(100, 420), small},
		{"IDs started over, with the most IDs possible", at(100, 1<<22-1), at(100, 300), all},
		{"right after the boot", at(1, 7), at(1, 8), small},
		{"right after the boot, past the reserved IDs", at(1, 299), at(1, 301), small},
		{"IDs above the current limit", at(100, 40000), at(100, 40001), small},
		{"the process at the lock is older", order{"b", startTime{100, 1}, startTime{150, 9}}, order{"b", startTime{101, 1}, startTime{140, 8}}, small},
		{"the same process below Keepalived", order{"b", startTime{100, 1}, startTime{150, 9}}, order{"b", startTime{100, 1}, startTime{151, 8}}, small},
		{"the same process below Keepalived, the same tick", order{"b", startTime{100, 1}, startTime{150, 8}}, order{"b", startTime{100, 1}, startTime{150, 9}}, small},
	} {
		if there, back := c.newer.after(c.older, c.pids), c.older.after(c.newer, c.pids); !there || back {
			t.Errorf("%s: got %v after %v: %v, and the other way round: %v, want true and false", c.what, c.newer, c.older, there, back)
		}
		if c.newer.after(c.newer, c.pids) {
			t.Errorf("%s: got %v after itself, want not", c.what, c.newer)
		}
	}
}

func TestAnOrderIsParsedAsWritten(t *testing.T) {
	for _, want := range []order{{"b", startTime{0, 1}, startTime{100, maxPID}}, {"b", startTime{100, maxPID}, startTime{0, 1}}} {
		if got, ok := parseOrder(want.String(), "b", 100); !ok || got != want {
			t.Errorf("got %v, %v, want %v", got, ok, want)
		}
	}
}

func TestOrderOfThisEvent(t *testing.T) {
	got, err := thisEvent(ownAncestry())
	if err != nil || got.boot == "" || got.boot == "unknown" || got.own.pid != os.Getpid() || got.event.ticks > got.own.ticks || got.own.ticks > uptime() {
		t.Errorf("got %+v, %v at %d, want this process and an ancestor, or itself", got, err, uptime())
	}
	if n := pids(); n < got.own.pid-reserved || n > maxPID {
		t.Errorf("got %d process IDs in all, want more than %d and no more than %d", n, got.own.pid-reserved, maxPID)
	}
}

func FuzzOrder(f *testing.F) {
	f.Add("boot 100 1234 100 1240", 100, 1233)
	f.Add("boot 18446744073709551615 4194304 1 1", 7, 1)
	f.Fuzz(func(t *testing.T, line string, other, all int) {
		o, ok := parseOrder(line, "boot", 1<<40)
		if !ok {
			return
		}
		if again, ok := parseOrder(o.String(), "boot", 1<<40); !ok || again != o {
			t.Errorf("%q: got %v, %v when read again, want %v", line, again, ok, o)
		}
		if other <= 0 || other > maxPID || all <= reserved || all > maxPID {
			return
		}
		p := o
		p.event.pid = other
		if o.after(p, all) && p.after(o, all) {
			t.Errorf("with %d process IDs: got %v and %v each after the other, want one order", all, o, p)
		}
	})
}
