package controller

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"floaty/desired/keepalived"
)

// crowd runs a test, with fake time, of one host that has many more addresses than slots.
func crowd(t *testing.T, tell func(t *testing.T, c *cloud, h *host, addrs []netip.Addr)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var addrs []netip.Addr
		for i := range 1500 {
			addrs = append(addrs, netip.AddrFrom4([4]byte{203, 1, byte(i / 250), byte(i % 250)}))
		}
		c := newCloud(addrs...)
		h := newHost(t, c, here, c, addrs...)
		defer h.stop()
		time.Sleep(time.Second)
		c.count()
		tell(t, c, h, addrs)
	})
}

func slowly(ctx context.Context, _ netip.Addr, _ string) error {
	return pass(ctx, 900*time.Millisecond)
}

func TestWaitingForASlotIsNotAFailure(t *testing.T) {
	crowd(t, func(t *testing.T, c *cloud, h *host, addrs []netip.Addr) {
		c.set(nil, slowly)
		h.says(keepalived.Master)
		time.Sleep(16 * time.Second) // 15 rounds of one second
		for _, addr := range addrs {
			h.holds(addr)
		}
		if lines := h.lines("failed"); len(lines) != 0 {
			t.Errorf("%d lines about failures, want none: %s …", len(lines), lines[0])
		}
	})
}

// With 10,000 addresses, a goroutine for each one that waits took 40 MB for the stacks.
func TestWaitingAddressesNeedNoGoroutine(t *testing.T) {
	crowd(t, func(t *testing.T, c *cloud, h *host, _ []netip.Addr) {
		before := runtime.NumGoroutine()
		want := func(what string, most int) {
			t.Helper()
			synctest.Wait()
			if got := runtime.NumGoroutine() - before; got > most {
				t.Errorf("%d goroutines while %s, want at most %d", got, what, most)
			}
		}
		c.set(nil, slowly)
		h.says(keepalived.Master)
		want("100 are written and all others wait for a slot", 4*100) // a few for each call, including those of this test's cloud
		time.Sleep(interval)
		c.set(hang, nil)
		h.says(keepalived.Backup)
		time.Sleep(afterLoss)
		want("all wait for a reading", 20)
	})
}

func TestAnAddressLostWhileWaitingForASlotIsNotWritten(t *testing.T) {
	crowd(t, func(t *testing.T, c *cloud, h *host, addrs []netip.Addr) {
		c.set(nil, slowly)
		h.says(keepalived.Master)
		time.Sleep(2500 * time.Millisecond)
		h.says(keepalived.Backup)
		time.Sleep(interval)
		if _, writes := c.count(); writes != 300 {
			t.Errorf("%d writes, want the 300 that had begun", writes)
		}
		h.says(keepalived.Master)
		time.Sleep(20 * time.Second)
		for _, addr := range addrs {
			h.holds(addr)
		}
	})
}

func TestAHangingWriteBlocksOnlyItsSlot(t *testing.T) {
	crowd(t, func(t *testing.T, c *cloud, h *host, addrs []netip.Addr) {
		hangs := map[netip.Addr]bool{}
		for _, addr := range addrs[:99] {
			hangs[addr] = true
		}
		c.set(nil, func(ctx context.Context, addr netip.Addr, _ string) error {
			if hangs[addr] {
				return hang(ctx)
			}
			return nil
		})
		h.says(keepalived.Master)
		time.Sleep(3 * interval) // a write takes 0.1 s; one that hangs keeps its slot for 10 s out of every 11 to 20 s
		for _, addr := range addrs[99:] {
			h.holds(addr)
		}
		c.set(nil, nil)
		time.Sleep(2 * interval)
		for _, addr := range addrs[:99] {
			h.holds(addr)
		}
	})
}

// While nothing can be read, each address is written once per interval, including those that must wait for a slot.
func TestABlindWriteThatWaitsForASlotIsMade(t *testing.T) {
	crowd(t, func(t *testing.T, c *cloud, h *host, addrs []netip.Addr) {
		h.says(keepalived.Master)
		time.Sleep(30 * time.Second)
		c.set(func(context.Context) error { return errors.New("500") }, nil)
		c.count()
		time.Sleep(10 * interval)
		written := map[netip.Addr]int{}
		for _, w := range c.written() {
			written[w.addr]++
		}
		for _, addr := range addrs {
			if got := written[addr]; got < 7 || got > 10 {
				t.Fatalf("%v was written %d times in 10 intervals without readings, want about one per interval", addr, got)
			}
		}
	})
}

// An address that waits for a slot for a blind write does not read again once it has the slot: that read may take just as long to fail.
func TestABlindWriteThatWaitsForASlotNeedsNoOtherRead(t *testing.T) {
	crowd(t, func(t *testing.T, c *cloud, h *host, addrs []netip.Addr) {
		h.says(keepalived.Master)
		time.Sleep(30 * time.Second)
		c.set(hang, slowly)
		c.count()
		time.Sleep(4 * interval)
		first := map[netip.Addr]time.Time{}
		for _, w := range c.written() {
			if _, known := first[w.addr]; !known {
				first[w.addr] = w.at
			}
		}
		times := slices.SortedFunc(maps.Values(first), time.Time.Compare)
		if len(times) != len(addrs) {
			t.Fatalf("%d of %d addresses were written", len(times), len(addrs))
		}
		if took := times[len(times)-1].Sub(times[0]); took > 20*time.Second {
			t.Errorf("writing all took %v, want 15 rounds of one second", took)
		}
	})
}

// If an address gets a slot while it waits for a reading, the slot must not stay unused until the reading is there. The order in which
// addresses get their slots is random, so the test runs several times.
func TestASlotIsNotKeptWhileAReadIsInProgress(t *testing.T) {
	three := netip.MustParseAddr("198.51.100.3")
	for range 12 {
		synctest.Test(t, func(t *testing.T) {
			c := newCloud(one, two, three)
			c.move(two, here) // already in place, as after a restart
			var reads atomic.Int64
			c.set(func(ctx context.Context) error {
				if reads.Add(1) > 1 {
					return hang(ctx)
				}
				return pass(ctx, time.Second)
			}, func(ctx context.Context, addr netip.Addr, _ string) error {
				if addr == two {
					return nil
				}
				return pass(ctx, 3*time.Second)
			})
			h := newHost(t, c, here, c, one, two, three)
			defer h.stop()
			h.slots(1)
			time.Sleep(500 * time.Millisecond)
			h.says(keepalived.Master)
			time.Sleep(20 * time.Second)
			for _, w := range c.written() {
				if at := w.at.Sub(c.began); w.addr != two && at > 8*time.Second {
					t.Errorf("%v was written after %v, want the slot used meanwhile", w.addr, at)
				}
			}
		})
	}
}

// The address that becomes the lead gets the status of the old lead, but waits in line for its own slot.
func TestTheLeadOfAResourceMayBeRemovedWhileItWaitsForASlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(one, inside[0])
		c.join(inside...)
		h := newHost(t, c, here, c, append([]netip.Addr{one}, inside...)...)
		defer h.stop()
		h.slots(1)
		time.Sleep(time.Second)
		c.set(nil, func(ctx context.Context, addr netip.Addr, _ string) error {
			if addr == one {
				return pass(ctx, 5*time.Second)
			}
			return nil
		})
		h.says(keepalived.Master)
		time.Sleep(time.Second)
		h.wants(map[string][]netip.Addr{"VI": append([]netip.Addr{one}, inside[1:]...)})
		time.Sleep(4*time.Second + 3*trip) // one is written by then
		h.holds(inside[1])
		time.Sleep(2 * time.Second)
		if left := h.leftovers(1); left != "" {
			t.Errorf("left over: %s", left)
		}
	})
}

// slots sets how many writes may be in progress at the same time. It must be called before the first write.
func (h *host) slots(n int) {
	h.ctl.mu.Lock()
	defer h.ctl.mu.Unlock()
	h.ctl.slots.free = n
}

// While the writes in all slots hang, the refresh is still sent on time, and an address that needs no write is still verified.
func TestReadsDoNotWaitForSlots(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		h.slots(1)
		c.move(two, here)
		time.Sleep(2 * interval)
		c.set(nil, func(ctx context.Context, addr netip.Addr, _ string) error {
			if addr == one {
				return hang(ctx)
			}
			return nil
		})
		h.says(keepalived.Master)
		time.Sleep(trip)
		for range 3 {
			h.hearsRival()
			said := time.Now()
			time.Sleep(5 * time.Second) // the write of one hangs for 10 s
			for _, s := range h.ctl.Statuses() {
				if s.Addr == two && (s.Verified.Before(said) || !s.InPlace) {
					t.Errorf("got %+v, want it verified after %v", s, said)
				}
			}
		}
		c.set(nil, func(ctx context.Context, _ netip.Addr, _ string) error { return hang(ctx) })
		c.move(two, there)
		c.count()
		time.Sleep(10 * interval)
		if reads, _ := c.count(); reads < 9 {
			t.Errorf("%d reads in ten intervals in which no write returned, want at least one per interval", reads)
		}
	})
}
