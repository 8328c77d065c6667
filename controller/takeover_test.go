package controller

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"floaty/desired"
	"floaty/desired/keepalived"
	"floaty/providers"
)

func TestATakeoverTakesOneTrip(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		said := time.Now()
		h.says(keepalived.Master)
		time.Sleep(trip / 2)
		synctest.Wait()
		h.holds(one)
		h.holds(two)
		for _, w := range c.written() {
			if !w.at.Equal(said) {
				t.Errorf("%v was written %v after MASTER, want immediately", w.addr, w.at.Sub(said))
			}
		}
		if reads, writes := c.count(); reads != 0 || writes != 2 {
			t.Errorf("%d reads and %d writes, want 0 and 2", reads, writes)
		}
	})
}

func TestATakeoverBeforeTheFirstReadingDoesNotWaitForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(one)
		c.set(hang, nil)
		h := newHost(t, c, here, c, one)
		defer h.stop()
		time.Sleep(time.Second)
		h.says(keepalived.Master)
		time.Sleep(trip / 2)
		synctest.Wait()
		h.holds(one)
	})
}

func TestAMasterLineIsNotDelayedByAHangingRead(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		c.set(hang, nil)
		h.hearsRival() // invalidates the reading and causes a new read, which hangs
		time.Sleep(time.Second)
		h.says(keepalived.Master)
		time.Sleep(trip / 2)
		synctest.Wait()
		h.holds(one)
	})
}

// The controller may receive a change only after a later one has made the address ours again, on another server.
func TestAnotherServerCancelsTheWrite(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		c.set(nil, func(ctx context.Context, _ netip.Addr, server string) error {
			if server == here {
				return hang(ctx)
			}
			return nil
		})
		h.says(keepalived.Master)
		synctest.Wait()
		away := h.desired.SetServer("")
		h.desired.SetServer("server-renamed")
		h.apply(away)
		time.Sleep(2 * trip)
		if got := c.holder(one); got != "server-renamed" {
			t.Errorf("%v is at %q, want server-renamed", one, got)
		}
	})
}

func TestDemotionCancelsTheWrite(t *testing.T) {
	for _, state := range []keepalived.State{keepalived.Backup, keepalived.Fault, keepalived.Stop, keepalived.Deleted} {
		t.Run(state.String(), func(t *testing.T) {
			story(t, func(t *testing.T, c *cloud, h *host) {
				h.says(keepalived.Master)
				time.Sleep(trip / 4) // the writes are in progress
				h.says(state)
				time.Sleep(10 * interval)
				for _, addr := range []netip.Addr{one, two} {
					if got := c.holder(addr); got != there {
						t.Errorf("%v is at %q, want it where the new MASTER has it: %q", addr, got, there)
					}
				}
				h.wrote("2")
				if lines := h.lines("failed"); len(lines) != 0 {
					t.Errorf("got %q, want no failure logged for a demotion", lines)
				}
			})
		})
	}
}

func TestASuspendedInstanceWritesNothingAndReadsWhenItResumes(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		h.says(keepalived.Master)
		time.Sleep(interval)
		c.count()
		vi := h.states["VI"]
		vi.Suspended = true
		h.setStatus(vi)
		c.move(one, there)
		time.Sleep(2 * interval)
		h.wrote("0")
		vi.Suspended = false
		h.setStatus(vi)
		time.Sleep(time.Second)
		h.holds(one)
		h.wrote("1")
	})
}

func TestAReloadOfKeepalivedCausesNoWriteIfAllIsInPlace(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		h.says(keepalived.Master)
		time.Sleep(interval)
		c.count()
		vi := h.states["VI"]
		vi.Suspended = true
		h.setStatus(vi)
		time.Sleep(300 * time.Millisecond)
		vi.Suspended = false
		h.setStatus(vi)
		time.Sleep(time.Hour)
		h.wrote("0")
	})
}

func TestStandbyReadsAndNeverWrites(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		h.says(keepalived.Backup)
		time.Sleep(time.Hour)
		reads, writes := c.count()
		if reads < 54 || reads > 67 || writes != 0 {
			t.Errorf("%d reads and %d writes in 60 intervals, want about 60 and 0", reads, writes)
		}
	})
}

func TestAFlappingInstanceCausesFewWrites(t *testing.T) {
	story(t, func(_ *testing.T, _ *cloud, h *host) {
		for range 5000 {
			h.says(keepalived.Master)
			synctest.Wait()
			h.says(keepalived.Backup)
			synctest.Wait()
		}
		h.says(keepalived.Master)
		time.Sleep(5 * time.Second)
		h.holds(one)
		h.holds(two)
		h.wrote("4..16")
	})
}

func TestAfterAFlapTheSecondTakeoverAlsoTakesOneTrip(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		h.says(keepalived.Master)
		time.Sleep(20 * time.Second)
		h.says(keepalived.Backup)
		c.move(one, there) // the new MASTER's write; none of our readings shows it
		time.Sleep(time.Second)
		h.says(keepalived.Master)
		time.Sleep(trip / 2)
		synctest.Wait()
		h.holds(one)
	})
}

func TestShutdownCancelsTheCallsInProgress(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		c.set(nil, func(ctx context.Context, _ netip.Addr, _ string) error { return hang(ctx) })
		h.says(keepalived.Master)
		time.Sleep(time.Second)
		before := time.Now()
		h.stop()
		if took := time.Since(before); took != 0 {
			t.Errorf("Run returned after %v, want immediately", took)
		}
		if lines := h.lines("failed"); len(lines) != 0 {
			t.Errorf("got %q, want no failure logged for the shutdown", lines)
		}
	})
}

func TestAddressesCanBeAddedAndRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(one, two)
		h := newHost(t, c, here, c, one)
		defer h.stop()
		h.says(keepalived.Master)
		time.Sleep(interval)
		h.apply(h.desired.SetSettings(desired.Settings{Instances: map[string][]netip.Addr{"VI": {two}}}))
		time.Sleep(time.Second)
		h.holds(two)
		c.move(one, there)
		time.Sleep(10 * interval)
		if got := c.holder(one); got != there {
			t.Errorf("%v is no longer managed, but it was moved to %q", one, got)
		}
	})
}

func TestADryRunLogsWhatItWouldDoOnceAndCountsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(one, two)
		h := newHost(t, c, here, providers.DryRun(c), one, two)
		defer h.stop()
		time.Sleep(time.Second)
		c.move(two, here)
		h.says(keepalived.Master)
		time.Sleep(time.Hour)
		h.wrote("0")
		lines := h.lines("would be assigned")
		if len(lines) != 1 || len(h.lines(one.String())) != 1 {
			t.Errorf("got %q, want a single line, about %v", lines, one)
		}
		if lines := h.lines("contested"); len(lines) != 0 {
			t.Errorf("got %q, want no conflict from writes that were not made", lines)
		}
	})
}

// aThousand returns a thousand addresses.
func aThousand() []netip.Addr {
	var addrs []netip.Addr
	for i := range 1000 {
		addrs = append(addrs, netip.AddrFrom4([4]byte{203, 1, byte(i / 250), byte(i % 250)}))
	}
	return addrs
}

// A thousand writes, 100 at a time, are acknowledged within 1.3 s. A verifying read may be early by at most a quarter of its delay.
func TestVerificationsShareReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		addrs := aThousand()
		c := newCloud(addrs...)
		h := newHost(t, c, here, c, addrs...)
		defer h.stop()
		time.Sleep(time.Second)
		c.count()
		c.set(func(ctx context.Context) error { return pass(ctx, 30*time.Millisecond) }, func(ctx context.Context, addr netip.Addr, _ string) error {
			return pass(ctx, time.Duration(addr.As4()[3]%37)*time.Millisecond) // so that the acknowledgements are spread out
		})
		h.says(keepalived.Master)
		time.Sleep(35 * time.Second)
		const want = 5 + 2 + 1 + 1 // after 1 s, 3 s, 10 s and 30 s
		if reads, writes := c.count(); reads > want || writes != 1000 {
			t.Errorf("%d reads and %d writes, want at most %d and 1000", reads, writes, want)
		}
	})
}

func TestAMasterLineWithAllInPlaceCostsOneRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		addrs := aThousand()
		c := newCloud(addrs...)
		for _, addr := range addrs {
			c.move(addr, here)
		}
		h := newHost(t, c, here, c, addrs...)
		defer h.stop()
		time.Sleep(time.Second)
		c.count()
		h.says(keepalived.Master)
		time.Sleep(2 * trip)
		if reads, writes := c.count(); reads != 1 || writes != 0 {
			t.Errorf("%d reads and %d writes, want one read and no write", reads, writes)
		}
		for range 5 {
			h.says(keepalived.Master)
			time.Sleep(2 * trip)
		}
		if reads, writes := c.count(); reads != 5 || writes != 0 {
			t.Errorf("%d reads and %d writes for five MASTER lines, want five reads and no write", reads, writes)
		}
	})
}
