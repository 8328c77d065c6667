package controller

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"floaty/desired/keepalived"
	"floaty/providers"
	"floaty/providers/providertest"
)

// paced runs a test like story does, with the wrapper that holds calls back, as in the daemon.
func paced(t *testing.T, tell func(t *testing.T, c *cloud, h *host)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(one, two)
		var h *host
		h = newHost(t, c, here, providers.NewPaced(c, providers.PacedOptions{
			MaxInterval: 10 * time.Second, Resumed: func() { h.ctl.Resume() }, Log: new(providertest.Log).Logger(),
		}), one, two)
		defer h.stop()
		time.Sleep(time.Second)
		c.count()
		tell(t, c, h)
	})
}

func TestAMasterLineDuringRetryAfterIsAnsweredWhenThatEnds(t *testing.T) {
	paced(t, func(t *testing.T, c *cloud, h *host) {
		c.set(func(context.Context) error { return &providers.WaitError{Wait: 2 * time.Minute, Err: errDown} }, nil)
		for reads := 0; reads == 0; reads, _ = c.count() {
			time.Sleep(trip)
		}
		c.set(nil, nil)
		end := time.Now().Add(2*time.Minute - trip)
		for time.Until(end) > 20*time.Second { // each of them tries at once, and is held back
			h.says(keepalived.Master)
			time.Sleep(5 * time.Second)
			h.says(keepalived.Backup)
			time.Sleep(5 * time.Second)
		}
		h.says(keepalived.Master)
		time.Sleep(time.Until(end))
		if reads, writes := c.count(); reads+writes != 0 {
			t.Errorf("%d reads and %d writes, want none before the time is over", reads, writes)
		}
		time.Sleep(2 * trip)
		h.holds(one)
		h.holds(two)
	})
}

func TestACredentialThatIsAcceptedAgainEndsAllWaits(t *testing.T) {
	paced(t, func(t *testing.T, c *cloud, h *host) {
		c.set(func(context.Context) error { return providers.ErrUnauthorized },
			func(context.Context, netip.Addr, string) error { return providers.ErrUnauthorized })
		time.Sleep(2 * interval)
		c.count()
		h.says(keepalived.Master)
		time.Sleep(interval)
		if reads, writes := c.count(); reads+writes > 8 {
			t.Errorf("%d reads and %d writes in a minute, want one call for the MASTER line, and one per 10 s", reads, writes)
		}
		c.set(nil, nil)
		time.Sleep(10*time.Second + 2*trip) // until the next probe
		h.holds(one)
		h.holds(two)
	})
}
