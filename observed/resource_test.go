package observed

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"floaty/providers"
	"floaty/providers/providertest"
)

// A whole is a cloud in which both addresses are part of one resource.
type whole struct {
	*cloud
	err map[netip.Addr]error // of single addresses
}

func (w whole) Read(ctx context.Context, addrs []netip.Addr) (map[netip.Addr]providers.Holding, error) {
	holdings, err := w.cloud.Read(ctx, addrs)
	for addr, h := range holdings {
		h.Resource = "whole"
		if err := w.err[addr]; err != nil {
			h = providers.Holding{Err: err}
		}
		holdings[addr] = h
	}
	return holdings, err
}

func TestAddressesOfOneResourceAreInvalidatedTogether(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, o *Observed, _ *providertest.Log) {
		w := whole{c, map[netip.Addr]error{}}
		o.opts.Provider = w
		share := func(what string, want bool) {
			t.Helper()
			refresh(o)
			if got := slices.Equal(o.Sharing(two), []netip.Addr{one, two}); got != want {
				t.Errorf("%s: %v shares with %v, want that: %v", what, two, o.Sharing(two), want)
			}
		}
		if got := o.Sharing(two); got != nil {
			t.Errorf("got %v before the first reading, want none", got)
		}
		share("read", true)
		o.Invalidate(two)
		if _, ok := o.Last(one); ok {
			t.Error("the other address still has a reading, want it invalidated too")
		}
		before := c.reads()
		_, _ = reading(t.Context(), o, one, time.Time{})
		if _, ok := o.Last(two); !ok || c.reads() != before+1 {
			t.Errorf("valid: %v after %d reads; want one read for both", ok, c.reads()-before)
		}
		w.err[one] = errDown
		share("one of them failed", true)
		w.err[one] = providers.ErrNotFound
		share("one of them is not found", false)
		delete(w.err, one)
		share("it is there again", true)
		o.Forget(one)
		if got := o.Sharing(two); got != nil {
			t.Errorf("got %v after the other was forgotten, want none", got)
		}
	})
}

// A write may end before the first reading that shows which resource it has written.
func TestInvalidatingOneAddressInvalidatesAResourceThatIsFoundLater(t *testing.T) {
	for _, pair := range [][2]netip.Addr{{one, two}, {two, one}} {
		story(t, func(t *testing.T, c *cloud, o *Observed, _ *providertest.Log) {
			o.opts.Provider = whole{cloud: c}
			go func() { refresh(o) }()
			time.Sleep(time.Second / 2)
			o.Invalidate(pair[0])
			time.Sleep(time.Second)
			synctest.Wait()
			if r, ok := o.Last(pair[1]); ok {
				t.Errorf("got %v, want nothing valid: the resource was written after the request", r)
			}
		})
	}
}
