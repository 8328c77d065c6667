package main_test

import (
	"net/netip"
	"testing"
	"time"
)

// Several virtual addresses may be in one IPv6 network, which the cloud moves as one.
func TestAddressesOfOneNetworkAreMovedByOneWrite(t *testing.T) {
	t.Parallel()
	for name, cloud := range map[string]struct {
		network  string
		exoscale bool
		writes   int // Exoscale needs one to attach and one to detach
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
			w.never("one write too many", 2*interval, func() bool { return len(w.Writes()) > cloud.writes })
			if n := w.loggedInTotal("address assigned"); n != 1 {
				t.Errorf("got %d lines, want one", n)
			}
			w.Cloud.Move(network.Addr(), stranger)
			w.holds(interval*12/10, addrs...)
		})
	}
}
