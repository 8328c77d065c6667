package controller

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"floaty/desired/keepalived"
)

func TestHoldingCostsOneReadPerIntervalAndNoLogLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var addrs []netip.Addr
		for i := range 100 {
			addrs = append(addrs, netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}))
		}
		c := newCloud(addrs...)
		h := newHost(t, c, here, c, addrs...)
		defer h.stop()
		time.Sleep(time.Second)
		h.says(keepalived.Master)
		time.Sleep(2 * interval)
		c.count()
		lines := len(h.lines(""))
		time.Sleep(time.Hour)
		reads, writes := c.count()
		if reads < 54 || reads > 67 || writes != 0 {
			t.Errorf("%d reads and %d writes in 60 intervals, want about 60 and 0", reads, writes)
		}
		if got := h.lines("")[lines:]; len(got) != 0 {
			t.Errorf("got %q in an hour without changes, want no line", got)
		}
	})
}

func TestAfterATakeoverAllAddressesShareTheVerifyingReads(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		h.says(keepalived.Master)
		time.Sleep(40 * time.Second)
		if reads, writes := c.count(); reads != 4 || writes != 2 {
			t.Errorf("%d reads and %d writes, want 4 (after 1, 3, 10 and 30 s) and 2", reads, writes)
		}
	})
}

func TestAnOutsideChangeIsCorrectedWithinOneInterval(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		h.says(keepalived.Master)
		time.Sleep(30 * time.Second)
		c.move(one, there)
		time.Sleep(interval * 12 / 10)
		h.holds(one)
	})
}

// lateWrites maps the time at which another host's write takes effect, counted from the takeover, to the time within which it must be
// corrected, which is at the next verification.
var lateWrites = map[time.Duration]time.Duration{
	200 * time.Millisecond: time.Second, 2 * time.Second: time.Second, 9 * time.Second: time.Second,
	15 * time.Second: 15 * time.Second, 27 * time.Second: 3 * time.Second,
}

func TestARivalsWriteAfterATakeoverIsCorrectedWithinSeconds(t *testing.T) {
	for after, within := range lateWrites {
		t.Run(after.String(), func(t *testing.T) {
			story(t, func(_ *testing.T, c *cloud, h *host) {
				h.says(keepalived.Master)
				time.Sleep(after)
				c.move(one, there)
				time.Sleep(within + 3*trip)
				h.holds(one)
			})
		})
	}
}

// After two changes of MASTER in a row, the other host's write may take effect after the reading that follows the second MASTER line.
func TestARivalsWriteAfterAClaimThatNeededNoWriteIsCorrectedWithinSeconds(t *testing.T) {
	for after, within := range lateWrites {
		t.Run(after.String(), func(t *testing.T) {
			story(t, func(_ *testing.T, c *cloud, h *host) {
				h.says(keepalived.Master)
				time.Sleep(interval)
				h.says(keepalived.Backup)
				time.Sleep(5 * time.Second)
				c.count()
				h.says(keepalived.Master)
				time.Sleep(after)
				h.wrote("0..0")
				c.move(one, there)
				time.Sleep(within + 3*trip)
				h.holds(one)
			})
		})
	}
}

// A reload of Keepalived right after a takeover does not end the verification of the writes.
func TestARivalsWriteAfterATakeoverAndAReloadIsCorrectedWithinSeconds(t *testing.T) {
	for after, within := range map[time.Duration]time.Duration{2 * time.Second: time.Second, 9 * time.Second: time.Second, 15 * time.Second: 15 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			story(t, func(_ *testing.T, c *cloud, h *host) {
				h.says(keepalived.Master)
				time.Sleep(150 * time.Millisecond)
				h.suspends("VI", true)
				time.Sleep(300 * time.Millisecond)
				h.suspends("VI", false)
				time.Sleep(after)
				c.move(one, there)
				time.Sleep(within + 3*trip)
				h.holds(one)
			})
		})
	}
}

func TestAClaimThatNeededNoWriteIsVerifiedAlsoAfterFailures(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		c.set(nil, func(context.Context, netip.Addr, string) error { return errDown })
		h.says(keepalived.Master)
		time.Sleep(interval)
		h.says(keepalived.Backup)
		c.set(nil, nil)
		c.move(one, here)
		c.move(two, here)
		time.Sleep(2 * interval)
		c.count()
		h.says(keepalived.Master)
		time.Sleep(2 * trip)
		h.wrote("0..0")
		c.move(one, there)
		time.Sleep(time.Second + 3*trip)
		h.holds(one)
	})
}

func TestAnAddressThatPointsAtNoServerIsAssigned(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		c.move(one, "")
		h.says(keepalived.Master)
		time.Sleep(trip)
		h.holds(one)
	})
}

func TestARivalCausesAFreshReadAtOnce(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		h.says(keepalived.Master)
		time.Sleep(30 * time.Second)
		c.count()
		h.hearsRival()
		time.Sleep(5 * trip)
		if reads, writes := c.count(); reads != 1 || writes != 0 {
			t.Errorf("%d reads and %d writes with everything in place, want 1 and 0", reads, writes)
		}
		time.Sleep(time.Second)
		c.move(one, there)
		h.hearsRival()
		time.Sleep(2 * trip)
		h.holds(one)
	})
}

// A rival is heard before its write takes effect, because its floaty needs a trip as well. A refresh up to 2.5 s before the 10 s verification
// replaces it, so a write that takes effect 8 s after the rival was heard may be found only by the 30 s verification.
func TestARivalsWriteAfterTheImmediateReadIsFoundWithinSeconds(t *testing.T) {
	for late, within := range map[time.Duration]time.Duration{
		2 * trip: time.Second, 2 * time.Second: time.Second, 7 * time.Second: 3 * time.Second, 15 * time.Second: 15 * time.Second,
	} {
		story(t, func(_ *testing.T, c *cloud, h *host) {
			h.says(keepalived.Master)
			time.Sleep(5*interval + 7*time.Second)
			h.hearsRival()
			time.Sleep(late)
			c.move(one, there)
			time.Sleep(within + 3*trip) // it is verified 1, 3, 10 and 30 s after the rival was heard
			h.holds(one)
		})
	}
}

func TestAStormOfRivalsCostsOneReadPerSecond(t *testing.T) {
	for _, every := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, time.Second} {
		story(t, func(t *testing.T, c *cloud, h *host) {
			h.says(keepalived.Master)
			time.Sleep(5 * interval)
			c.count()
			for end := time.Now().Add(interval); time.Now().Before(end); time.Sleep(every) {
				h.hearsRival()
			}
			if reads, writes := c.count(); reads < 50 || reads > 125 || writes != 0 {
				t.Errorf("every %v: %d reads and %d writes in a minute, want about one read per second and no write", every, reads, writes)
			}
			c.move(one, there)
			time.Sleep(2 * time.Second)
			h.holds(one)
		})
	}
}

// thief moves an address to server every 50 ms until stop is called.
func (c *cloud) thief(t *testing.T, addr netip.Addr, server string) (stop func()) {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				c.move(addr, server)
			}
		}
	}()
	return func() { ticker.Stop(); close(done) }
}

func TestAContestedAddressCostsOneWritePerIntervalAndTheLogNamesItsRival(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		stop := c.thief(t, one, there)
		h.says(keepalived.Master)
		time.Sleep(interval)
		h.wrote("4..7") // the takeovers of one and two, and the corrections of one until it is contested
		time.Sleep(20 * interval)
		reads, writes := c.count()
		if writes < 17 || writes > 23 || reads > 24 {
			t.Errorf("%d writes and %d reads in 20 intervals, want about 20 of each", writes, reads)
		}
		lines := h.lines("contested")
		if len(lines) != 1 || !strings.Contains(lines[0], there) {
			t.Errorf("got %q, want one line that names %s", lines, there)
		}
		if lines := h.lines("moved back"); len(lines) != 2 {
			t.Errorf("got %q, want a line for each of the two corrections before the conflict, and none during it", lines)
		}
		stop()
		time.Sleep(4 * interval)
		h.holds(one)
		if lines := h.lines("no longer contested"); len(lines) != 1 {
			t.Errorf("got %q, want one line at the end", lines)
		}
	})
}

func TestWhileRivalsAreHeardAContestedAddressIsWrittenUpToOncePerSecond(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		stop := c.thief(t, one, there)
		defer stop()
		h.says(keepalived.Master)
		time.Sleep(interval)
		c.count()
		for range 100 {
			h.hearsRival()
			time.Sleep(100 * time.Millisecond)
		}
		h.wrote("5..11")
	})
}

func TestAnotherMasterLineEndsAConflict(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		stop := c.thief(t, one, there)
		h.says(keepalived.Master)
		time.Sleep(interval)
		stop()
		h.says(keepalived.Master)
		time.Sleep(2 * trip)
		h.holds(one)
		c.move(one, there)
		time.Sleep(2 * time.Second) // not contested: the verification after 1 s corrects it
		h.holds(one)
	})
}

func TestASplitBrainCausesFewWritesAndEndsForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(one)
		a := newHost(t, c, here, c, one)
		defer a.stop()
		b := newHost(t, c, there, c, one)
		defer b.stop()
		time.Sleep(time.Second)
		a.says(keepalived.Master)
		time.Sleep(interval)
		c.count()
		b.says(keepalived.Master)
		time.Sleep(interval * 12 / 10) // with its jitter, a refresh may come this late
		a.wrote("2..12")
		time.Sleep(10 * interval)
		a.wrote("5..30")
		b.says(keepalived.Backup)
		a.hearsRival()
		time.Sleep(2 * time.Second)
		a.holds(one)
		c.count()
		time.Sleep(10 * interval)
		a.holds(one)
		a.wrote("0")
	})
}

// The cloud's list may lag or omit entries, so that it shows no holder whatever is written.
func TestAnAddressThatTheCloudNeverShowsIsWrittenOncePerInterval(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		stop := c.thief(t, one, "")
		h.says(keepalived.Master)
		time.Sleep(20 * time.Second)
		h.wrote("4") // the takeovers of one and two, and two corrections of one
		time.Sleep(20 * interval)
		if reads, writes := c.count(); writes < 17 || writes > 23 || reads > 24 {
			t.Errorf("%d writes and %d reads in 20 intervals, want about 20 of each", writes, reads)
		}
		lines := h.lines("contested")
		if len(lines) != 1 || !strings.Contains(lines[0], "does not show") || strings.Contains(lines[0], there) {
			t.Errorf("got %q, want one line that says so and names no rival", lines)
		}
		if lines := h.lines(one.String()); len(lines) != 4 {
			t.Errorf("got %q, want a line for each of the three writes before, and the one about the conflict", lines)
		}
		stop()
		time.Sleep(4 * interval)
		h.holds(one)
		if lines := h.lines("no longer contested"); len(lines) != 1 {
			t.Errorf("got %q, want one line at the end", lines)
		}
	})
}
