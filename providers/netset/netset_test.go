package netset_test

import (
	"net/netip"
	"testing"

	"floaty/providers/netset"
)

func TestLongestPrefixWins(t *testing.T) {
	var set netset.Set[string]
	for _, text := range []string{
		"192.0.2.1/32", "192.0.2.0/28", "2001:db8:500:1::1/96", "2001:db8:500::/56", "2001:db8:500:1::7", "::ffff:198.51.100.0/120",
	} {
		network, err := netset.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		set.Add(network, text)
	}
	for _, c := range []struct{ addr, network, value string }{
		{"192.0.2.1", "192.0.2.1/32", "192.0.2.1/32"},
		{"::ffff:192.0.2.1", "192.0.2.1/32", "192.0.2.1/32"},
		{"192.0.2.2", "192.0.2.0/28", "192.0.2.0/28"},
		{"192.0.2.16", "", ""},
		{"198.51.100.9", "198.51.100.0/24", "::ffff:198.51.100.0/120"},
		{"2001:db8:500:1::", "2001:db8:500:1::/96", "2001:db8:500:1::1/96"},
		{"2001:db8:500:1::ffff:ffff", "2001:db8:500:1::/96", "2001:db8:500:1::1/96"},
		{"2001:db8:500:1::7", "2001:db8:500:1::7/128", "2001:db8:500:1::7"},
		{"2001:db8:500:1::7%eth0", "2001:db8:500:1::7/128", "2001:db8:500:1::7"},
		{"2001:db8:500:1:0:1::", "2001:db8:500::/56", "2001:db8:500::/56"},
		{"2001:db8:501::", "", ""},
		{"::", "", ""},
	} {
		network, value, ok := set.Find(netip.MustParseAddr(c.addr))
		got := ""
		if network.IsValid() {
			got = network.String()
		}
		if got != c.network || value != c.value || ok != (c.value != "") {
			t.Errorf("%s: got network %q, value %q, %v; want %q, %q", c.addr, got, value, ok, c.network, c.value)
		}
	}
}

func TestEmptySetAndInvalidAddress(t *testing.T) {
	var set netset.Set[int]
	set.Add(netip.Prefix{}, 1)
	if _, value, ok := set.Find(netip.MustParseAddr("192.0.2.1")); ok || value != 0 {
		t.Errorf("got %d, %v in an empty set, want nothing", value, ok)
	}
	set.Add(netip.MustParsePrefix("::/0"), 2)
	if _, value, ok := set.Find(netip.Addr{}); ok || value != 0 {
		t.Errorf("got %d, %v for an invalid address, want nothing", value, ok)
	}
}

func TestAddReplacesAnEarlierValue(t *testing.T) {
	var set netset.Set[int]
	set.Add(netip.MustParsePrefix("192.0.2.1/32"), 1)
	set.Add(netip.MustParsePrefix("::ffff:192.0.2.1/128"), 2)
	if _, value, _ := set.Find(netip.MustParseAddr("192.0.2.1")); value != 2 {
		t.Errorf("got %d, want 2", value)
	}
}

func TestParseRejectsInvalidNetworks(t *testing.T) {
	for _, text := range []string{"", "192.0.2.1/33", "192.0.2", "2001:db8::/129", "lb1"} {
		if got, err := netset.Parse(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}
