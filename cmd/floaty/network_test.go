package main_test

import (
	"net/netip"
	"testing"
	"time"
)

// Several virtual addresses may lie in one IPv6 network that the cloud hands out whole.
func TestAddressesOfOneNetworkAreMovedByOneWrite(t *testing.T) {
	t.Parallel()
	for name, cloud := range map[string]struct {
		network  string
		exoscale bool
		writes   int // to attach and to detach, at Exoscale
	}{
		"Exoscale": {"2001:db8::/96", true, 2}, "cloudscale.ch": {"2001:db8::/56", false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			network := netip.MustParsePrefix(cloud.network)
			var addrs []netip.Addr
			for addr := network.Addr().Next(); len(addrs) < 5; addr = addr.Next() {
				addrs = append(addrs, addr)
			}
			w := newEnv(t, one)
			w.Cloud.AddAddress(network, stranger)
			w.must(w.Configure("keepalived.conf", w.Keepalived(100, "", addrs...)))
			if cloud.exoscale {
				w.must(w.Configure("floaty.yml", w.FloatyAtExoscale()))
			}
			w.start()
			w.never("written before MASTER", interval/2, func() bool { return len(w.Writes()) > 0 })
			w.says("MASTER")
			w.holds(time.Second, addrs...)
			w.never("a second write", 2*interval, func() bool { return len(w.Writes()) > cloud.writes })
			if n := w.saidInAll("address assigned"); n != 1 {
				t.Errorf("%d lines, want one", n)
			}
			w.Cloud.Move(network.Addr(), stranger)
			w.holds(interval*12/10, addrs...)
		})
	}
}
