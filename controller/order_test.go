package controller

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"floaty/desired/keepalived"
	"floaty/providers"
)

func TestAFailureDoesNotUseUpTheWriteOfAContestedAddress(t *testing.T) {
	for name, fault := range map[string]error{
		"500":         errors.New("500"),
		"Retry-After": &providers.WaitError{Wait: 2 * time.Second, Err: errors.New("429")},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, c *cloud, h *host) {
				h.says(keepalived.Master)
				time.Sleep(interval)
				for range 4 {
					c.move(one, there)
					time.Sleep(interval * 12 / 10)
				}
				if len(h.lines("is contested")) != 1 {
					t.Fatal("the address is not contested")
				}
				fails := 1
				c.set(nil, func(context.Context, netip.Addr, string) error {
					if fails--; fails >= 0 {
						return fault
					}
					return nil
				})
				c.move(one, there)
				c.count()
				for len(c.written()) == 0 {
					time.Sleep(trip)
				}
				time.Sleep(5 * time.Second) // not at the next refresh, which may come after 54 s
				h.holds(one)
			})
		})
	}
}

func TestALossRightAfterAClaimIsNoticed(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		h.says(keepalived.Master)
		time.Sleep(5 * interval)
		h.says(keepalived.Backup)
		h.says(keepalived.Master)
		h.says(keepalived.Backup) // all before the address is reconciled
		time.Sleep(trip)
		c.move(one, there)
		c.move(two, there)
		time.Sleep(20 * time.Second)
		c.count()
		h.says(keepalived.Master)
		time.Sleep(trip)
		if reads, writes := c.count(); reads != 0 || writes != 2 {
			t.Errorf("%d reads and %d writes within a trip, want no read and one write each", reads, writes)
		}
	})
}

func TestBlindWritesAreNotLogged(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		h.says(keepalived.Master)
		time.Sleep(5 * interval)
		before := len(h.lines("address assigned"))
		c.set(func(context.Context) error { return errors.New("500") }, nil)
		time.Sleep(60 * interval)
		if _, writes := c.count(); writes < 50 {
			t.Errorf("%d writes, want one per interval and address while nothing can be read", writes)
		}
		if got := len(h.lines("address assigned")) - before; got != 0 {
			t.Errorf("%d lines about blind writes, want none", got)
		}
	})
}

func TestAnotherMasterLineRestartsTheBackOff(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		h.ctl.pace.backOff.MaxElapsed = 30 * time.Second
		c.set(nil, func(context.Context, netip.Addr, string) error { return errors.New("500") })
		h.says(keepalived.Master)
		time.Sleep(5 * interval)
		c.count()
		h.says(keepalived.Master)
		time.Sleep(20 * time.Second)
		if _, writes := c.count(); writes < 10 {
			t.Errorf("%d writes, want one every few seconds for each address", writes)
		}
	})
}

func TestResumeAndStateChangesMayHappenAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var addrs []netip.Addr
		for i := range 50 {
			addrs = append(addrs, netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}))
		}
		c := newCloud(addrs...)
		h := newHost(t, c, here, c, addrs...)
		defer h.stop()
		var both sync.WaitGroup
		both.Go(func() {
			for range 300 {
				h.ctl.Resume()
				time.Sleep(time.Millisecond)
			}
		})
		for range 150 {
			h.says(keepalived.Master)
			h.says(keepalived.Backup)
			time.Sleep(2 * time.Millisecond)
		}
		both.Wait()
		h.says(keepalived.Master)
		time.Sleep(2 * time.Second)
		for _, addr := range addrs {
			h.holds(addr)
		}
	})
}

// A newer read that succeeds does not make up for a refresh that fails later, unless it covers all addresses.
func TestARefreshThatFailsAfterANewerReadIsRetried(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		h.wants(map[string][]netip.Addr{"A": {one}, "B": {two}})
		h.saysOf("A", keepalived.Master)
		h.saysOf("B", keepalived.Master)
		time.Sleep(interval)
		c.count()
		c.set(hang, nil)
		for reads := 0; reads == 0; reads, _ = c.count() { // until the refresh is sent
			time.Sleep(trip)
		}
		c.set(nil, nil)
		c.move(two, there)
		h.hearsRivalOf("A")
		time.Sleep(10*time.Second + 12*time.Second + 3*trip) // the deadline plus the longest back-off
		h.holds(two)
	})
}

// If refresh-interval is far below refresh-timeout, which only causes a warning, a reading may be older than two intervals when it arrives.
func TestAReadingThatTakesTwoIntervalsVerifiesATakeover(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		h.stop()
		h.build(c)
		h.ctl.opts.Interval = 2 * time.Second
		h.start()
		defer h.stop()
		c.set(func(ctx context.Context) error { return pass(ctx, 5*time.Second) }, nil)
		h.says(keepalived.Master)
		time.Sleep(20 * time.Second)
		h.memo.mu.Lock()
		defer h.memo.mu.Unlock()
		if got := len(h.memo.takeovers); got != 2 {
			t.Errorf("%d takeovers were verified, want one for each of two addresses", got)
		}
	})
}
