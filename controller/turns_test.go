package controller

import (
	"context"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"floaty/desired/keepalived"
)

// crowd runs a test on one host with many more addresses than may be written side by side, in a bubble of fake time.
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

func TestWaitingForATurnIsNoFailure(t *testing.T) {
	crowd(t, func(t *testing.T, c *cloud, h *host, addrs []netip.Addr) {
		c.set(nil, slowly)
		h.says(keepalived.Master)
		time.Sleep(16 * time.Second) // 15 rounds of a second
		for _, addr := range addrs {
			h.holds(addr)
		}
		if lines := h.lines("failed"); len(lines) != 0 {
			t.Errorf("%d lines about failures, want none: %s …", len(lines), lines[0])
		}
	})
}

// With 10,000 addresses, a stack for each that waits took 40 MB.
func TestWhoWaitsTakesNoGoroutine(t *testing.T) {
	crowd(t, func(t *testing.T, c *cloud, h *host, _ []netip.Addr) {
		atRest := runtime.NumGoroutine()
		want := func(what string, most int) {
			t.Helper()
			synctest.Wait()
			if got := runtime.NumGoroutine() - atRest; got > most {
				t.Errorf("%d goroutines while %s, want at most %d", got, what, most)
			}
		}
		c.set(nil, slowly)
		h.says(keepalived.Master)
		want("100 are written and all others wait for their turn", 4*100) // a few for each call, of this test's cloud too
		time.Sleep(interval)
		c.set(hang, nil)
		h.says(keepalived.Backup)
		time.Sleep(afterLoss)
		want("all wait for a reading", 20)
	})
}

func TestWhoStopsBeingOursInLineIsNotWritten(t *testing.T) {
	crowd(t, func(t *testing.T, c *cloud, h *host, addrs []netip.Addr) {
		c.set(nil, slowly)
		h.says(keepalived.Master)
		time.Sleep(2500 * time.Millisecond)
		h.says(keepalived.Backup)
		time.Sleep(interval)
		if _, writes := c.count(); writes != 300 {
			t.Errorf("%d writes, want those 300 that had begun", writes)
		}
		h.says(keepalived.Master)
		time.Sleep(20 * time.Second)
		for _, addr := range addrs {
			h.holds(addr)
		}
	})
}

func TestATurnThatHangsIsOneOfMany(t *testing.T) {
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
		time.Sleep(3 * interval) // a write takes 0.1 s, and one that hangs keeps its turn for 10 s of every 11 to 20
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
