package controller

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"floaty/desired/keepalived"
	"floaty/providers"
)

var errDown = errors.New("the cloud is down")

func TestAHangingAddressHoldsUpNoOther(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		c.set(nil, func(ctx context.Context, addr netip.Addr, _ string) error {
			if addr == one {
				return hang(ctx)
			}
			return nil
		})
		h.says(keepalived.Master)
		time.Sleep(trip / 2)
		synctest.Wait()
		h.holds(two)
		c.set(nil, nil)
		time.Sleep(12 * time.Second) // the deadline of an attempt and a back-off
		h.holds(one)
	})
}

func TestAFailingWriteBacksOffAndRecovers(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		c.set(nil, func(context.Context, netip.Addr, string) error { return errDown })
		h.says(keepalived.Master)
		time.Sleep(10 * time.Minute)
		_, writes := c.count()
		if writes < 2*60 || writes > 2*90 { // 1 s growing to 10 s, two addresses
			t.Errorf("%d writes in ten minutes, want about 2 × 70", writes)
		}
		if lines := h.lines("assigning the address failed"); len(lines) < 4 || len(lines) > 10 {
			t.Errorf("%d lines in ten minutes, want a first one and reminders for each of two addresses: %q", len(lines), lines)
		}
		c.set(nil, nil)
		time.Sleep(12 * time.Second)
		h.holds(one)
		h.holds(two)
	})
}

func TestAPermanentRefusalWaitsAnInterval(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		c.set(nil, func(_ context.Context, addr netip.Addr, _ string) error {
			if addr == one {
				return fmt.Errorf("assigning: %w", providers.ErrRefused)
			}
			return nil
		})
		h.says(keepalived.Master)
		time.Sleep(10 * interval)
		h.holds(two)
		h.wrote("9..14") // one of two, about ten of one
	})
}

func TestRetryAfterIsNotCutShort(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		c.set(nil, func(context.Context, netip.Addr, string) error {
			return &providers.WaitError{Wait: 4 * time.Minute, Err: errDown}
		})
		h.says(keepalived.Master)
		time.Sleep(3*time.Minute + 59*time.Second) // with refreshes in between
		h.wrote("2")
		c.set(nil, nil)
		time.Sleep(3 * time.Second)
		h.holds(one)
		h.holds(two)
	})
}

func TestResumeEndsTheWait(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		c.set(nil, func(context.Context, netip.Addr, string) error {
			return &providers.WaitError{Wait: 4 * time.Minute, Err: errDown}
		})
		h.says(keepalived.Master)
		time.Sleep(time.Second)
		c.set(nil, nil)
		h.ctl.Resume()
		time.Sleep(trip)
		h.holds(one)
		h.holds(two)
	})
}

func TestMasterTriesAtOnceDuringABackOff(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		c.set(nil, func(context.Context, netip.Addr, string) error { return providers.ErrRefused })
		h.says(keepalived.Master)
		time.Sleep(5 * time.Second)
		c.set(nil, nil)
		h.says(keepalived.Master)
		time.Sleep(trip / 2)
		synctest.Wait()
		h.holds(one)
	})
}

func TestReadsFailWhileWritesWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(one, two)
		c.set(func(context.Context) error { return errDown }, nil)
		h := newHost(t, c, here, c, one, two)
		defer h.stop()
		time.Sleep(time.Second)
		h.says(keepalived.Master)
		time.Sleep(trip)
		h.holds(one)
		c.move(one, there)
		time.Sleep(2 * interval)
		h.holds(one)
		h.wrote("4..6") // two addresses: the takeover, then one an interval
		if lines := h.lines("reading the cloud failed"); len(lines) != 2 {
			t.Errorf("%d lines, want the first and a reminder: %q", len(lines), lines)
		}
	})
}

func TestAShortFailureOfReadsWritesNothing(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		h.says(keepalived.Master)
		time.Sleep(interval)
		c.count()
		c.set(func(context.Context) error { return errDown }, nil)
		time.Sleep(interval + 5*time.Second)
		c.set(nil, nil)
		time.Sleep(time.Hour)
		h.wrote("0")
	})
}

func TestAnUnknownAddressIsNamedAndHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(two)
		h := newHost(t, c, here, c, one, two)
		defer h.stop()
		time.Sleep(time.Second)
		h.says(keepalived.Master)
		time.Sleep(trip)
		h.holds(two)
		time.Sleep(30 * time.Second)
		if lines := h.lines(`"198.51.100.1"`); len(lines) != 1 {
			t.Errorf("got %q, want one line that names the address", lines)
		}
		c.move(one, there) // it is created meanwhile
		time.Sleep(2 * interval)
		h.holds(one)
	})
}

func TestDownFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(one, two)
		c.set(func(context.Context) error { return errDown }, func(context.Context, netip.Addr, string) error { return errDown })
		h := newHost(t, c, here, c, one, two)
		defer h.stop()
		h.says(keepalived.Master)
		time.Sleep(15 * time.Second)
		c.set(nil, nil)
		time.Sleep(4 * time.Second)
		h.holds(one)
		h.holds(two)
	})
}
