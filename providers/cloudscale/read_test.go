package cloudscale_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"floaty/providers"
	"floaty/providers/cloudscale"
)

func TestOneListServesManyAddresses(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	addrs := []netip.Addr{addr}
	for len(addrs) < 500 {
		next := addrs[len(addrs)-1].Next()
		w.AddAddress(netip.PrefixFrom(next, 32), here)
		addrs = append(addrs, next)
	}
	got, err := w.Read(t.Context(), addrs)
	if err != nil || len(got) != len(addrs) {
		t.Errorf("got %d holdings, %v, want %d", len(got), err, len(addrs))
	}
	for i, addr := range addrs {
		want := here
		if i == 0 {
			want = elsewhere
		}
		if !got[addr].At(want) {
			t.Errorf("got %v: %+v, want it at %s", addr, got[addr], want)
		}
	}
	if calls := w.Calls(); len(calls) != 1 || calls[0].Method != http.MethodGet {
		t.Errorf("got calls %+v, want one GET", calls)
	}
}

// A list contains the names only of servers that hold an address at that moment.
func TestAServerKeepsItsNameWhenItHoldsNothing(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	if got := w.ServerName(elsewhere); got != "" {
		t.Errorf("before a list: got the name %q, want none", got)
	}
	for _, holder := range []string{elsewhere, here} {
		w.Move(addr, holder)
		read(t, w, addr.String())
	}
	for id, want := range map[string]string{here: "lb1", elsewhere: "lb2"} {
		if got := w.ServerName(id); got != want {
			t.Errorf("%s: got the name %q, want %s", id, got, want)
		}
	}
}

func TestFloatingIPWithoutATarget(t *testing.T) {
	t.Parallel()
	const server, balancer = `{"uuid":"` + elsewhere + `"}`, `{"uuid":"lb-of-a-colleague"}`
	for _, test := range []struct {
		fields string
		want   []string
	}{
		{`"server":null,"load_balancer":null,"region":null`, nil},
		{`"tags":{}`, nil},
		{`"server":` + server + `,"load_balancer":null,"region":null`, []string{elsewhere}},
		{`"server":` + server, []string{elsewhere}},
		{`"server":null,"load_balancer":` + balancer + `,"region":{"slug":"lpg"}`, []string{"lb-of-a-colleague"}},
		{`"server":{"uuid":""},"load_balancer":{}`, nil},
	} {
		p := listing(t, `[{"network":"192.0.2.1/32",`+test.fields+`}]`)
		got := read(t, p, "192.0.2.1")
		if got.Err != nil || got.Shared || !slices.Equal(got.Servers, test.want) {
			t.Errorf("%s: got %+v, want it held by %q", test.fields, got, test.want)
		}
	}
}

// If a colleague points the address at a load balancer, it is not here, and an assign moves it back.
func TestLoadBalancerIsAnotherHolder(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	w.AimAtLoadBalancer(addr, "lb-of-a-colleague")
	if got := read(t, w, addr.String()); got.At(here) || !slices.Equal(got.Servers, []string{"lb-of-a-colleague"}) {
		t.Errorf("got %+v, want it held by the load balancer", got)
	}
	if err := w.Assign(t.Context(), addr, here, []string{"lb-of-a-colleague"}); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	if got := read(t, w, addr.String()); !got.At(here) {
		t.Errorf("got %+v, want it held by %s", got, here)
	}
}

func TestEveryAddressInANetworkIsItsFloatingIP(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	base := netip.MustParseAddr("2001:db8:1::")
	single := netip.MustParseAddr("2001:db8:1::5")
	w.AddAddress(netip.PrefixFrom(base, 56), elsewhere)
	w.AddAddress(netip.PrefixFrom(single, 128), here) // a floating IP of its own, although it lies in the network
	inside := []netip.Addr{base, base.Next(), netip.MustParseAddr("2001:db8:1:ff::1")}
	got, err := w.Read(t.Context(), append([]netip.Addr{single, addr}, inside...))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range inside {
		if !got[a].At(elsewhere) || got[a].Resource != "2001:db8:1::/56" {
			t.Errorf("%v: got %+v, want resource 2001:db8:1::/56 held by %s", a, got[a], elsewhere)
		}
	}
	for a, want := range map[netip.Addr]string{single: "2001:db8:1::5/128", addr: "192.0.2.1/32"} {
		if got[a].Err != nil || got[a].Resource != want {
			t.Errorf("%v: got %+v, want resource %s", a, got[a], want)
		}
	}
	if err := read(t, w, "2001:db8:1:100::1").Err; !errors.Is(err, providers.ErrNotFound) {
		t.Errorf("next to the network: got %v, want %v", err, providers.ErrNotFound)
	}

	w.ForgetCalls()
	if err := w.Assign(t.Context(), inside[1], here, nil); err != nil || !slices.Equal(w.Holders(base), []string{here}) {
		t.Errorf("got it held by %q, %v, want %q", w.Holders(base), err, here)
	}
	if calls := w.Calls(); len(calls) != 1 || calls[0].Path != "/v1/floating-ips/2001:db8:1::" {
		t.Errorf("got the calls %+v, want one that names the network by its first address", calls)
	}
	if err := w.Assign(t.Context(), single, elsewhere, nil); err != nil || !slices.Equal(w.Holders(single), []string{elsewhere}) {
		t.Errorf("got it held by %q, %v, want %q", w.Holders(single), err, elsewhere)
	}
	if got := w.Holders(base); !slices.Equal(got, []string{here}) {
		t.Errorf("got the network held by %q, want it still held by %q", got, here)
	}
}

// A notify script writes without a read before it; and a network may be created again with another size.
func TestUnknownNetworkIsLookedUp(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	inside := netip.MustParseAddr("2001:db8:1::7")
	w.AddAddress(netip.MustParsePrefix("2001:db8:1::/56"), elsewhere)
	if err := w.Assign(t.Context(), inside, here, nil); err != nil || !slices.Equal(w.Holders(inside), []string{here}) {
		t.Errorf("got it held by %q, %v, want %q", w.Holders(inside), err, here)
	}
	w.RemoveAddress(inside)
	w.AddAddress(netip.PrefixFrom(inside, 128), elsewhere)
	if err := w.Assign(t.Context(), inside, here, nil); err != nil || !slices.Equal(w.Holders(inside), []string{here}) {
		t.Errorf("got it held by %q, %v, want %q", w.Holders(inside), err, here)
	}
	w.RemoveAddress(inside)
	w.ForgetCalls()
	if err := w.Assign(t.Context(), inside, here, nil); !errors.Is(err, providers.ErrNotFound) {
		t.Errorf("got %v, want %v", err, providers.ErrNotFound)
	}
	if calls := w.Calls(); len(calls) != 2 {
		t.Errorf("got the calls %+v, want one write and one list", calls)
	}
}

func TestAddressOfAnotherRegionIsARefusal(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	w.SetServerRegion(here, "rma")
	if err := w.Assign(t.Context(), addr, here, nil); !errors.Is(err, providers.ErrRefused) || !strings.Contains(err.Error(), "region") {
		t.Errorf("got %v, want %v with the API's reason", err, providers.ErrRefused)
	}
	w.SetRegion(addr, "") // a global address
	if err := w.Assign(t.Context(), addr, here, nil); err != nil || !read(t, w, addr.String()).At(here) {
		t.Errorf("got %v, %+v, want a global address to be here", err, read(t, w, addr.String()))
	}
}

func TestUnparsableNetworkDoesNotAffectOthers(t *testing.T) {
	t.Parallel()
	for _, network := range []string{`"nonsense"`, `""`, `null`, `"192.0.2.1/33"`, `"192.0.2.300/32"`} {
		p := listing(t, fmt.Sprintf(`[{"network":%s,"server":{"uuid":%q}},{"network":"192.0.2.7/32","server":{"uuid":%q}}]`, network, elsewhere, here))
		if got := read(t, p, "192.0.2.7"); !got.At(here) {
			t.Errorf("%s: got %+v, want it held by %s", network, got, here)
		}
		err := read(t, p, "192.0.2.8").Err
		want := fmt.Sprintf("%q could not be", strings.Trim(strings.TrimPrefix(network, "null"), `"`))
		if err == nil || errors.Is(err, providers.ErrNotFound) || !strings.Contains(err.Error(), want) { // may be its network
			t.Errorf("%s: got %v, want an error that names the network that cannot be parsed, other than not found", network, err)
		}
	}
}

// An unusable list is no evidence about any address, so the whole read fails.
func TestUnusableListIsAnError(t *testing.T) {
	t.Parallel()
	const one = `{"network":"192.0.2.1/32","server":{"uuid":"` + here + `"}}`
	for list, want := range map[string]string{
		``:                     "EOF",
		`null`:                 "unusable response (want a list)",
		`{}`:                   "unusable response (want a list)",
		`<html>`:               "invalid character",
		`[`:                    "unexpected EOF",
		`[` + one:              "unexpected EOF",
		`[` + one + `,`:        "unexpected EOF",
		`[` + one + `,]`:       "invalid character",
		`[` + one + one + `]`:  "expected comma",
		`[1]`:                  "cannot unmarshal",
		`[` + one + `]` + `{}`: "unexpected data after the list",
		`[` + one + `]<html>`:  "unexpected data after the list",
		`[` + one + `,"` + strings.Repeat("a", 3<<20) + `"]`: "a floating IP is longer than 1048576 bytes",
	} {
		_, err := listing(t, list).Read(t.Context(), []netip.Addr{addr})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v, want %s", list, err, want)
		}
	}
}

func TestNetworksAreComparedByValue(t *testing.T) {
	t.Parallel()
	for network, want := range map[string]string{
		"192.0.2.1":              "192.0.2.1",
		"2001:DB8:0:0::0007/128": "2001:db8::7",
		"2001:db8:1::9/56":       "2001:db8:1::3",
		"::ffff:192.0.2.1":       "192.0.2.1",
	} {
		p := listing(t, fmt.Sprintf(`[{"network":%q,"server":{"uuid":%q}}]`, network, here))
		if got := read(t, p, want); !got.At(here) {
			t.Errorf("%s: got %s %+v, want it held by %s", network, want, got, here)
		}
	}
}

func TestMissingAddressIsNamedInTheError(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	err := read(t, w, "192.0.2.99").Err
	if want := "not found: the account has no floating IP 192.0.2.99"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestFailedListNamesTheCall(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	w.SetToken("another")
	got, err := w.Read(t.Context(), []netip.Addr{addr})
	want := "listing floating IPs: GET " + w.url + "/v1/floating-ips: 401 Unauthorized: detail: Invalid token."
	if got != nil || err == nil || err.Error() != want {
		t.Errorf("got %v, %v, want %s", got, err, want)
	}
}

// TestMain sets a proxy in the environment, which applies to all addresses except loopback. 0.0.0.0 is this host too, but not a loopback
// address.
func TestProxyOfTheEnvironmentIsUsed(t *testing.T) {
	t.Parallel()
	p := provider(t, cloudscale.Options{Endpoint: "http://0.0.0.0:9"})
	before := proxied.Load()
	if got, err := p.Read(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v, want the proxy's empty list", got, err)
	}
	if got := proxied.Load() - before; got != 1 {
		t.Errorf("got %d requests at the proxy, want 1", got)
	}
}
