package controller

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"floaty/desired/keepalived"
)

// An edit of the configuration replaces observed and controller. Reads hang afterwards, so only addresses with a new MASTER line are written.
func TestARebuiltControllerWritesExactlyWhatWasClaimedMeanwhile(t *testing.T) {
	three := netip.MustParseAddr("198.51.100.3")
	for what, c := range map[string]struct {
		meanwhile func(h *host)
		want      []netip.Addr
	}{
		"no line":                                {func(*host) {}, nil},
		"MASTER for one address":                 {func(h *host) { h.saysOf("A", keepalived.Master) }, []netip.Addr{one}},
		"MASTER for two that were lost":          {func(h *host) { h.saysOf("B", keepalived.Backup); h.saysOf("B", keepalived.Master) }, []netip.Addr{two, three}},
		"MASTER and then BACKUP":                 {func(h *host) { h.saysOf("A", keepalived.Master); h.saysOf("A", keepalived.Backup) }, nil},
		"a rival is heard":                       {func(h *host) { h.hearsRivalOf("A") }, nil}, // a read must come first
		"a suspension that ends without a claim": {func(h *host) { h.suspends("A", true); h.suspends("A", false) }, nil},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud := newCloud(one, two, three)
				h := newHost(t, cloud, here, cloud)
				h.wants(map[string][]netip.Addr{"A": {one}, "B": {two, three}})
				time.Sleep(time.Second)
				h.saysOf("A", keepalived.Master)
				h.saysOf("B", keepalived.Master)
				time.Sleep(interval)
				h.stop()
				cloud.count()
				cloud.set(hang, nil)
				h.rebuild(func() { c.meanwhile(h) })
				defer h.stop()
				time.Sleep(5 * time.Second) // a read that hangs ends after ten
				var got []netip.Addr
				for _, w := range cloud.written() {
					got = append(got, w.addr)
				}
				slices.SortFunc(got, netip.Addr.Compare)
				if !slices.Equal(got, c.want) {
					t.Errorf("wrote %v, want %v", got, c.want)
				}
			})
		})
	}
}

// If the end of the old controller cancels the write for a claim, the new controller makes that write.
func TestARebuiltControllerAnswersUnansweredClaims(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		c.set(nil, func(ctx context.Context, addr netip.Addr, _ string) error {
			if addr == one {
				return hang(ctx)
			}
			return nil
		})
		h.says(keepalived.Master)
		time.Sleep(time.Second)
		h.stop()
		c.set(hang, nil)
		c.count()
		h.rebuild(func() {})
		defer h.stop()
		time.Sleep(trip)
		h.holds(one)
		h.wrote("1")
	})
}

// A write made before an edit of the configuration is verified after the edit, and the takeover is recorded.
func TestARebuiltControllerVerifiesTheLastWrites(t *testing.T) {
	recorded(t, func(t *testing.T, c *cloud, h *host, m *memo) {
		h.says(keepalived.Master)
		time.Sleep(500 * time.Millisecond)
		h.stop()
		h.rebuild(func() {})
		defer h.stop()
		time.Sleep(15 * time.Second)
		c.move(one, there)
		time.Sleep(16 * time.Second)
		h.holds(one)
		if len(m.takeovers) != 2 {
			t.Fatalf("got the takeovers %+v, want one of each address", m.takeovers)
		}
		for _, got := range m.takeovers {
			if acknowledged, verified := got.Acknowledged.Sub(got.Claimed), got.Verified.Sub(got.Claimed); acknowledged != trip || verified < 500*time.Millisecond {
				t.Errorf("acknowledged after %v and verified after %v, want %v and more than 500ms", acknowledged, verified, trip)
			}
		}
	})
}

func TestARebuiltControllerDoesNotEndAConflict(t *testing.T) {
	recorded(t, func(t *testing.T, c *cloud, h *host, m *memo) {
		stop := c.thief(t, one, there)
		defer stop()
		h.says(keepalived.Master)
		time.Sleep(interval)
		h.stop()
		c.count()
		h.rebuild(func() {})
		defer h.stop()
		time.Sleep(5 * interval)
		h.wrote("4..7") // one per interval, and one after the refresh at the start
		if is := h.ctl.Statuses()[0]; !is.Contested || len(m.contested) != 1 {
			t.Errorf("got %+v and %d changes, want it contested throughout", is, len(m.contested))
		}
	})
}

// Only the lead of a resource has a status, and the new controller does not know yet which addresses share a resource.
func TestARebuiltControllerWritesNoResourceWithoutANewClaim(t *testing.T) {
	network(t, func(t *testing.T, c *cloud, h *host) {
		h.says(keepalived.Master)
		time.Sleep(interval)
		h.stop()
		c.count()
		h.rebuild(func() {})
		defer h.stop()
		time.Sleep(20 * time.Second)
		h.wrote("0")
		if lines := h.lines("assigned"); len(lines) != 1 {
			t.Errorf("got %q, want one line, about the takeover", lines)
		}
	})
}

// The new controller has no reading yet. If its first read fails, it does not write addresses that the old one knew to be in place.
func TestARebuiltControllerWhoseFirstReadFailsWritesNothing(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		h.says(keepalived.Master)
		time.Sleep(2 * interval)
		h.stop()
		c.set(func(context.Context) error { return errDown }, nil)
		c.count()
		h.rebuild(func() {})
		defer h.stop()
		time.Sleep(10 * time.Second)
		c.set(nil, nil)
		time.Sleep(2 * interval)
		h.wrote("0")
	})
}

// suspends suspends an instance, or ends its suspension.
func (h *host) suspends(instance string, suspended bool) {
	states := map[string]keepalived.Status{}
	for name, is := range h.states {
		if name == instance {
			is.Suspended = suspended
		}
		states[name] = is
	}
	h.states = states
	h.apply(h.desired.SetKeepalived(states))
}

// rebuild replaces observed and the controller; meanwhile runs in between. The old ones must have ended.
func (h *host) rebuild(meanwhile func()) {
	old := h.ctl
	h.build(h.cloud)
	meanwhile()
	h.ctl.Inherit(old)
	h.start()
}
