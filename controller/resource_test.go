package controller

import (
	"context"
	"maps"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"floaty/desired/keepalived"
	"floaty/providers"
)

// inside are addresses of one /96: an elastic IPv6 address of Exoscale is a whole /96, in which there may be any number of virtual addresses.
var inside = []netip.Addr{
	netip.MustParseAddr("2001:db8::"), netip.MustParseAddr("2001:db8::a"), netip.MustParseAddr("2001:db8::b"),
	netip.MustParseAddr("2001:db8::c"), netip.MustParseAddr("2001:db8::d"),
}

// network runs a test of one host that wants five addresses of one resource, starting after the first reading.
func network(t *testing.T, tell func(t *testing.T, c *cloud, h *host)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(inside[0])
		c.join(inside...)
		h := newHost(t, c, here, c, inside...)
		defer h.stop()
		time.Sleep(time.Second)
		c.count()
		tell(t, c, h)
	})
}

func TestAddressesOfOneResourceAreMovedByOneWrite(t *testing.T) {
	network(t, func(t *testing.T, c *cloud, h *host) {
		h.says(keepalived.Master)
		time.Sleep(trip / 2)
		synctest.Wait()
		h.holds(inside[3])
		time.Sleep(40 * time.Second)
		if reads, writes := c.count(); reads != 4 || writes != 1 {
			t.Errorf("%d reads and %d writes, want 4 (after 1, 3, 10 and 30 s) and 1", reads, writes)
		}
		if lines := h.lines("assigned"); len(lines) != 1 {
			t.Errorf("got %q, want one line", lines)
		}
		time.Sleep(interval)
		c.count()
		h.says(keepalived.Master)
		time.Sleep(3 * trip)
		if reads, writes := c.count(); reads != 1 || writes != 0 {
			t.Errorf("%d reads and %d writes for another MASTER line, want one read and no write", reads, writes)
		}
		c.move(inside[2], there)
		time.Sleep(interval * 12 / 10)
		h.holds(inside[0])
		h.wrote("1")
		if left := h.leftovers(100); left != "" {
			t.Errorf("left over: %s", left)
		}
	})
}

func TestAFailureCountsOncePerResource(t *testing.T) {
	network(t, func(t *testing.T, c *cloud, h *host) {
		c.set(nil, func(context.Context, netip.Addr, string) error { return errDown })
		h.says(keepalived.Master)
		time.Sleep(10 * interval)
		if _, writes := c.count(); writes < 60 || writes > 90 { // 1 s growing to 10 s
			t.Errorf("%d writes in ten minutes, want about 70", writes)
		}
		if lines := h.lines("failed"); len(lines) < 2 || len(lines) > 5 {
			t.Errorf("%d lines in ten minutes, want a first line and reminders: %q", len(lines), lines)
		}
	})
}

// Two instances without a common sync group may each want an address of the same resource.
func TestAResourceIsOursWhileAnyOfItsAddressesIs(t *testing.T) {
	network(t, func(t *testing.T, c *cloud, h *host) {
		h.wants(map[string][]netip.Addr{"A": inside[:2], "B": inside[2:]})
		slow := func(ctx context.Context, _ netip.Addr, _ string) error { return pass(ctx, 5*time.Second) }
		c.set(nil, slow)
		h.saysOf("A", keepalived.Master)
		h.saysOf("B", keepalived.Master)
		time.Sleep(time.Second)
		h.saysOf("A", keepalived.Backup) // its address is the lead
		time.Sleep(4*time.Second + trip)
		h.holds(inside[2])
		h.wrote("1")
		time.Sleep(interval)
		c.move(inside[0], there)
		time.Sleep(interval*12/10 + 5*time.Second)
		h.holds(inside[2])

		c.move(inside[0], there)
		h.saysOf("B", keepalived.Master)
		time.Sleep(time.Second)
		h.saysOf("B", keepalived.Backup) // now no address of the resource is ours
		time.Sleep(10 * interval)
		if got := c.holder(inside[2]); got != there {
			t.Errorf("the resource is at %q, want the write cancelled", got)
		}
		if lines := h.lines("no common sync group"); len(lines) != 1 {
			t.Errorf("got %q, want one warning", lines)
		}
	})
}

func TestAnAddressInsideAResourceIsEnoughToClaimIt(t *testing.T) {
	network(t, func(_ *testing.T, c *cloud, h *host) {
		h.wants(map[string][]netip.Addr{"A": inside[:2], "B": inside[2:]})
		time.Sleep(time.Second)
		c.count()
		h.saysOf("B", keepalived.Master)
		time.Sleep(trip / 2)
		synctest.Wait()
		h.holds(inside[2])
		h.wrote("1")
	})
}

func TestTheLeadOfAResourceMayBeRemoved(t *testing.T) {
	network(t, func(t *testing.T, c *cloud, h *host) {
		h.says(keepalived.Master)
		time.Sleep(interval)
		h.wants(map[string][]netip.Addr{"VI": inside[1:]})
		time.Sleep(time.Second)
		c.count()
		c.move(inside[1], there)
		time.Sleep(interval * 12 / 10)
		h.holds(inside[1])
		h.wrote("1")
		h.wants(map[string][]netip.Addr{"VI": {inside[2]}})
		c.move(inside[1], there)
		time.Sleep(interval * 12 / 10)
		h.holds(inside[2])
		h.wrote("1")
		synctest.Wait()
		if got := len(h.ctl.statuses); got != 1 {
			t.Errorf("%d addresses are remembered, want one", got)
		}
	})
}

// Before the first reading it is not known which addresses share a resource.
func TestAResourceBecomesKnownWhileItsAddressesAreWritten(t *testing.T) {
	for _, slow := range []time.Duration{0, trip / 2, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			c := newCloud(inside[0])
			c.join(inside...)
			c.set(nil, func(ctx context.Context, _ netip.Addr, _ string) error { return pass(ctx, slow) })
			h := newHost(t, c, here, c, inside...)
			defer h.stop()
			h.slots(2)
			h.says(keepalived.Master)
			time.Sleep(20 * time.Second)
			h.holds(inside[4])
			h.wrote("1..6")
			time.Sleep(interval)
			c.count()
			c.move(inside[4], there)
			h.hearsRival()
			time.Sleep(2*trip + slow)
			h.holds(inside[4])
			h.wrote("1")
			time.Sleep(interval)
			if left := h.leftovers(2); left != "" {
				t.Errorf("left over: %s", left)
			}
			synctest.Wait()
			if got := len(h.ctl.statuses); got != 1 {
				t.Errorf("%d addresses are remembered, want only the lead", got)
			}
		})
	}
}

func TestAnAddressThatLeavesItsResourceIsLogged(t *testing.T) {
	network(t, func(t *testing.T, c *cloud, h *host) {
		h.says(keepalived.Master)
		time.Sleep(interval)
		c.spoil(inside[0], providers.ErrNotFound)
		time.Sleep(2 * interval)
		if all, about := h.lines("cannot read"), h.lines(`"`+inside[0].String()+`"`); len(all) < 1 || len(all) > 2 || len(about) <= len(all) {
			t.Errorf("got %q, want a line, and perhaps a reminder, about %v only", all, inside[0])
		}
		c.move(inside[0], there)
		time.Sleep(interval * 12 / 10)
		h.holds(inside[1])
		c.spoil(inside[0], nil)
		time.Sleep(2 * interval)
		c.move(inside[0], there)
		c.count()
		time.Sleep(interval * 12 / 10)
		h.wrote("1")
	})
}

func TestAFailedReadingOfAResourceIsLoggedOnceForAllItsAddresses(t *testing.T) {
	network(t, func(t *testing.T, c *cloud, h *host) {
		h.says(keepalived.Master)
		time.Sleep(interval)
		for _, addr := range inside {
			c.spoil(addr, errDown)
		}
		c.count()
		time.Sleep(4 * interval)
		if _, writes := c.count(); writes < 3 || writes > 5 {
			t.Errorf("%d writes, want one per interval", writes)
		}
		if lines := h.lines("cannot read"); len(lines) < 1 || len(lines) > 3 {
			t.Errorf("got %q, want a first line and reminders", lines)
		}
	})
}

// A reading may reveal that addresses share a resource at the very moment when Keepalived reports a state for them.
func TestAClaimIsNotLostWhileAResourceBecomesKnown(t *testing.T) {
	many := following(inside[0], 2000)
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			c := newCloud(inside[0])
			c.join(many...)
			h := newHost(t, c, here, c, many...)
			defer h.stop()
			time.Sleep(trip) // as long as the first reading takes
			h.says(keepalived.Master)
			time.Sleep(20 * time.Second)
			h.holds(inside[0])
			if left := h.leftovers(100); left != "" {
				t.Errorf("left over: %.300s", left)
			}
		})
	}
}

// An address may become ours without a MASTER line, just before its resource is known. A reading from before that does not count.
func TestGainingAnAddressVerifiesItsResource(t *testing.T) {
	network(t, func(_ *testing.T, c *cloud, h *host) {
		h.wants(map[string][]netip.Addr{"A": inside[:1], "B": inside[1:]})
		h.saysOf("A", keepalived.Master)
		time.Sleep(interval)
		c.move(inside[0], there)
		h.states = maps.Clone(h.states)
		h.states["B"] = keepalived.Status{State: keepalived.Master}
		h.apply(h.desired.SetKeepalived(h.states))
		time.Sleep(2 * trip)
		h.holds(inside[0])
	})
}

// The same with a MASTER line: a takeover does not wait for a reading.
func TestAClaimOfOneAddressClaimsItsResource(t *testing.T) {
	network(t, func(_ *testing.T, c *cloud, h *host) {
		h.wants(map[string][]netip.Addr{"A": inside[:1], "B": inside[1:]})
		time.Sleep(time.Second)
		h.ctl.opts.Observed.Invalidate(inside[0])
		c.set(hang, nil)
		h.saysOf("B", keepalived.Master)
		time.Sleep(trip)
		h.holds(inside[0])
	})
}

func TestTheLeadOfAResourceMayBeRemovedDuringItsWrite(t *testing.T) {
	network(t, func(_ *testing.T, c *cloud, h *host) {
		c.set(nil, func(context.Context, netip.Addr, string) error { return errDown })
		h.says(keepalived.Master)
		time.Sleep(5 * time.Second)
		c.set(nil, nil)
		h.wants(map[string][]netip.Addr{"VI": inside[1:]})
		time.Sleep(2 * trip) // not at the next refresh
		h.holds(inside[1])
	})
}

// When an address is removed, the claim that it had on its resource ends, and so does the conflict that followed from the claim.
func TestAResourceThatIsNoLongerOursIsNotContested(t *testing.T) {
	network(t, func(t *testing.T, c *cloud, h *host) {
		h.wants(map[string][]netip.Addr{"A": inside[:1], "B": inside[1:2]})
		h.saysOf("B", keepalived.Backup)
		h.saysOf("A", keepalived.Master)
		stop := c.thief(t, inside[0], there)
		time.Sleep(interval)
		stop()
		if is := h.ctl.Statuses()[1]; !is.Desired || !is.Contested {
			t.Fatalf("while another host takes it: got %+v, want it desired and contested", is)
		}
		h.wants(map[string][]netip.Addr{"B": inside[1:2]})
		time.Sleep(2 * interval)
		if is := h.ctl.Statuses()[0]; is.Desired || is.Contested || is.Rival != "" || is.Err != "" {
			t.Errorf("got %+v, want a standby without a conflict", is)
		}
	})
}

// One address of a resource is lost and another one is claimed, in any order. The claim leads to a write immediately, although no reading
// is valid.
func TestALossOfOneAddressDoesNotHideTheClaimOfAnother(t *testing.T) {
	for order, happens := range map[string]func(h *host){
		"the claim first": func(h *host) { h.saysOf("B", keepalived.Master); h.saysOf("A", keepalived.Backup) },
		"the loss first":  func(h *host) { h.saysOf("A", keepalived.Backup); h.saysOf("B", keepalived.Master) },
		"both in one change": func(h *host) {
			h.states = map[string]keepalived.Status{"A": {State: keepalived.Backup, Claims: 1}, "B": {State: keepalived.Master, Claims: 1}}
			h.apply(h.desired.SetKeepalived(h.states))
		},
	} {
		t.Run(order, func(t *testing.T) {
			network(t, func(_ *testing.T, c *cloud, h *host) {
				h.wants(map[string][]netip.Addr{"A": inside[:1], "B": inside[1:]})
				h.saysOf("B", keepalived.Backup)
				h.saysOf("A", keepalived.Master)
				time.Sleep(interval)
				c.move(inside[0], there)
				c.set(hang, nil)
				happens(h)
				time.Sleep(2 * trip)
				h.holds(inside[0])
			})
		})
	}
}

// The new MASTER of the lost address may still write the resource.
func TestAResourceIsVerifiedAfterALossOfOneAddress(t *testing.T) {
	network(t, func(_ *testing.T, c *cloud, h *host) {
		h.wants(map[string][]netip.Addr{"A": inside[:1], "B": inside[1:]})
		time.Sleep(interval)
		h.saysOf("A", keepalived.Master)
		h.saysOf("B", keepalived.Master)
		time.Sleep(500 * time.Millisecond)
		h.saysOf("A", keepalived.Backup)
		time.Sleep(2 * time.Second)
		c.move(inside[0], there)
		time.Sleep(time.Second + 3*trip)
		h.holds(inside[0])
	})
}
