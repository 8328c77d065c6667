package exoscale_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"floaty/providers"
	"floaty/providers/exoscale"
	"floaty/providers/simulator"
)

// many adds instances, and addresses that are distributed among these instances.
func (w *env) many(instances, addresses int) []netip.Addr {
	var ids []string
	for i := range instances {
		id := fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012d", i)
		w.AddServer(id, fmt.Sprint("node", i))
		ids = append(ids, id)
	}
	var addrs []netip.Addr
	for i := range addresses {
		a := netip.AddrFrom4([4]byte{203, 0, 113, byte(i + 1)})
		w.put(a, ids[i%len(ids)])
		addrs = append(addrs, a)
	}
	return addrs
}

func TestReadTakesTheCheaperWay(t *testing.T) {
	for _, c := range []struct{ instances, addresses, most int }{
		{1, 20, 6},  // 4 instances with the env's three: two lists and four gets
		{497, 2, 3}, // 500 instances: the list of elastic IPs and two filtered lists
		{20, 10, 11},
	} {
		t.Run(fmt.Sprintf("%d addresses, %d instances", c.addresses, c.instances+3), func(t *testing.T) {
			w := newEnv(t)
			addrs := w.many(c.instances, c.addresses)
			for range 3 {
				w.ForgetCalls()
				for a, h := range w.read(addrs...) {
					if got, want := h.Servers, w.Holders(a); h.Err != nil || !slices.Equal(got, want) {
						t.Errorf("%v: got %q, %v, want %q", a, got, h.Err, want)
					}
				}
			}
			if got := len(w.Calls()); got > c.most {
				t.Errorf("got %d calls %q, want at most %d", got, w.calls(), c.most)
			}
		})
	}
}

func TestFailingAddressDoesNotAffectOthers(t *testing.T) {
	w := newEnv(t)
	w.put(second, here)
	w.read(addr, second)
	w.Fail(simulator.Fault{Path: "/v2/instance", Kind: simulator.Status, Status: http.StatusInternalServerError, Times: 1})
	got := w.read(addr, second)
	failed := 0
	for a, h := range got {
		if h.Err != nil {
			failed++
		} else if !slices.Equal(h.Servers, w.Holders(a)) {
			t.Errorf("%v: got %q, want %q", a, h.Servers, w.Holders(a))
		}
	}
	if failed != 1 {
		t.Errorf("got %d addresses with an error, want 1: %+v", failed, got)
	}
}

func TestFailingInstanceAffectsNoAddress(t *testing.T) {
	w := newEnv(t)
	addrs := w.many(1, 20)
	w.read(addrs...)
	w.Fail(simulator.Fault{Path: "/v2/instance/" + third, Kind: simulator.Status, Status: http.StatusInternalServerError})
	for a, h := range w.read(addrs...) {
		if h.Err != nil || !slices.Equal(h.Servers, w.Holders(a)) {
			t.Errorf("%v: got %q, %v, want %q", a, h.Servers, h.Err, w.Holders(a))
		}
	}
}

func TestIgnoredFilterIsDetected(t *testing.T) {
	w := newEnv(t)
	w.SetIgnoreFilter(true)
	if got := w.read(addr)[addr]; got.Err != nil || !slices.Equal(got.Servers, []string{elsewhere}) {
		t.Errorf("got %+v, want it held only by %s", got, elsewhere)
	}
}

// An IPv6 elastic IP is a /96, which is attached as a whole, however many virtual addresses lie in it.
func TestEveryAddressInANetworkIsItsElasticIP(t *testing.T) {
	w := newEnv(t)
	w.put(netip.MustParseAddr("2001:db8:500:1::1"), elsewhere)
	w.put(netip.MustParseAddr("2001:db8:500:2::1"), third)
	var inside []netip.Addr
	for _, spelling := range []string{"2001:db8:500:1::1", "2001:DB8:500:1:0::2", "2001:0db8:0500:1::ffff:ffff", "2001:db8:500:1::"} {
		inside = append(inside, netip.MustParseAddr(spelling))
	}
	absent := netip.MustParseAddr("2001:db8:500:1:0:1::")
	w.read(inside[0]) // tests the filter
	w.ForgetCalls()
	got := w.read(append(inside, absent, addr)...)
	for _, a := range inside {
		if h := got[a]; h.Err != nil || !slices.Equal(h.Servers, []string{elsewhere}) || h.Resource == "" || h.Resource != got[inside[0]].Resource {
			t.Errorf("%v: got %+v, want it held by %s, and one resource for all", a, h, elsewhere)
		}
	}
	if got[addr].Resource == got[inside[0]].Resource || got[addr].Resource == "" {
		t.Errorf("got resource %q for %v and %q for %v, want two different resources", got[addr].Resource, addr, got[inside[0]].Resource, inside[0])
	}
	if h := got[absent]; !errors.Is(h.Err, providers.ErrNotFound) || h.Resource != "" {
		t.Errorf("%v: got %+v, want %v", absent, h, providers.ErrNotFound)
	}
	if calls := w.calls(); len(calls) != 3 {
		t.Errorf("got the calls %q, want one list of elastic IPs and two of holders", calls)
	}
	w.assign(inside[2], elsewhere)
	w.heldBy(inside[0], here)
	w.heldBy(netip.MustParseAddr("2001:db8:500:2::1"), third)
}

func TestIPv4ElasticIPIgnoresItsCIDR(t *testing.T) {
	w := newEnv(t)
	w.Fail(simulator.Fault{
		Path: "/v2/elastic-ip", Kind: simulator.Status, Status: http.StatusOK,
		Body: `{"elastic-ips":[{"id":"` + simulator.ElasticIPID(addr) + `","ip":"192.0.2.1","cidr":"192.0.2.0/24"}]}`,
	})
	got := w.read(addr, second)
	if h := got[addr]; h.Err != nil || !slices.Equal(h.Servers, []string{elsewhere}) {
		t.Errorf("got %+v, want it held by %s", h, elsewhere)
	}
	if h := got[second]; !errors.Is(h.Err, providers.ErrNotFound) {
		t.Errorf("got %+v, want %v", h, providers.ErrNotFound)
	}
}

func TestManagedAddressIsShared(t *testing.T) {
	w := newEnv(t)
	w.SetManaged(addr, true)
	if got := w.read(addr)[addr]; !got.Shared || !got.At(elsewhere) || got.At(here) {
		t.Errorf("got %+v, want it shared and at %s", got, elsewhere)
	}
	w.SetManaged(addr, false) // seen with the next reading
	if got := w.read(addr)[addr]; got.Shared {
		t.Errorf("got %+v, want it not shared", got)
	}
}

// An error on the first filtered list does not show whether the filter works. Two addresses must not cost a query of each of 300
// instances forever.
func TestFilterIsTestedAgainAfterAnError(t *testing.T) {
	for _, status := range []int{400, 403, 404, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			w := newEnv(t)
			addrs := w.many(300, 2)
			w.Fail(simulator.Fault{Path: "/v2/instance", Kind: simulator.Status, Status: status, Times: 1})
			_, _ = w.Read(t.Context(), addrs)
			w.read(addrs...)
			w.ForgetCalls()
			for a, h := range w.read(addrs...) {
				if h.Err != nil || !slices.Equal(h.Servers, w.Holders(a)) {
					t.Errorf("%v: got %+v, want it held by %q", a, h, w.Holders(a))
				}
			}
			if calls := w.calls(); len(calls) != 3 {
				t.Errorf("got %d calls, want the list of elastic IPs and two of holders", len(calls))
			}
		})
	}
}

func TestForbiddenListMeansTheCredentialUnlessItNamesARole(t *testing.T) {
	for body, want := range map[string]error{
		``:                        providers.ErrUnauthorized,
		`{"message":"Forbidden"}`: providers.ErrUnauthorized,
		`{"message":"Forbidden by role policy for compute"}`: providers.ErrRefused,
	} {
		for _, known := range []bool{false, true} { // the lists are requested one after the other, or concurrently
			t.Run(fmt.Sprint(body, known), func(t *testing.T) {
				w := newEnv(t)
				w.SetIgnoreFilter(true)
				if known {
					w.read(addr)
				}
				w.Fail(simulator.Fault{Kind: simulator.Status, Status: http.StatusForbidden, Body: body, NoBody: body == ""})
				_, err := w.Read(t.Context(), []netip.Addr{addr})
				for _, kind := range []error{providers.ErrUnauthorized, providers.ErrRefused} {
					if errors.Is(err, kind) != errors.Is(want, kind) {
						t.Errorf("got %v; want only %v", err, want)
					}
				}
			})
		}
	}
}

func TestRecreatedAddressIsFoundAgain(t *testing.T) {
	w := newEnv(t)
	w.read(addr)
	w.RemoveAddress(addr)
	if got := w.read(addr)[addr]; !errors.Is(got.Err, providers.ErrNotFound) {
		t.Errorf("got %+v, want %v", got, providers.ErrNotFound)
	}
	w.put(addr, third)
	w.read(addr) // the new ID may become known only with this read
	if got := w.read(addr)[addr]; got.Err != nil || !slices.Equal(got.Servers, []string{third}) {
		t.Errorf("got %+v, want it held by %s", got, third)
	}
}

func TestNewCredentialTakesEffectImmediately(t *testing.T) {
	now := "wrong-secret-wrong"
	w := newEnv(t, func(o *exoscale.Options) { o.Credential = func() (string, string) { return key, now } })
	_, err := w.Read(t.Context(), []netip.Addr{addr})
	if err == nil || strings.Contains(err.Error(), now) || strings.Contains(err.Error(), key) {
		t.Errorf("got %v, want an error without the credential", err)
	}
	now = secret
	if got := w.read(addr)[addr]; got.Err != nil {
		t.Errorf("got %v, want no error with the right secret", got.Err)
	}
}

func TestInstanceAndZoneFromTheMetadataService(t *testing.T) {
	w := newEnv(t)
	w.SetMetadata(nil, third)
	p := newProvider(t, "", func(o *exoscale.Options) { o.Instance, o.MetadataURL = "", w.url+"/latest/meta-data" })
	if got, err := p.Server(t.Context()); err != nil || got != third {
		t.Errorf("got %q, %v, want %s", got, err, third)
	}
	_, err := p.Read(t.Context(), []netip.Addr{addr}) // fails, because nothing listens at the proxy that TestMain sets
	if err == nil || !strings.Contains(err.Error(), "https://api-ch-gva-2.exoscale.com/v2/elastic-ip") {
		t.Errorf("got %v, want an error that names the endpoint of the zone", err)
	}
	w.SetMetadata(nil, "")
	if _, err := p.Server(t.Context()); err == nil || !strings.Contains(err.Error(), "set exoscale.instance-id and exoscale.zone") {
		t.Errorf("got %v, want an error that names the settings to use without a metadata service", err)
	}
	w.Fail(simulator.Fault{Kind: simulator.Status, Status: http.StatusOK, Body: "evil.example.com/"})
	p = newProvider(t, "", func(o *exoscale.Options) { o.Instance, o.MetadataURL = "", w.url+"/latest/meta-data" })
	if got, err := p.Server(t.Context()); err == nil {
		t.Errorf("got %q, want an error, because it is not a UUID", got)
	}
	if _, err := p.Read(t.Context(), []netip.Addr{addr}); err == nil || !strings.Contains(err.Error(), "is not a zone name") {
		t.Errorf("got %v, want an error, because it is not a zone name", err)
	}
}

// Otherwise the address would count as unknown, the credential as not accepted, or the API as one that asks to wait.
func TestARefusalByTheMetadataServiceIsNotOneByTheAPI(t *testing.T) {
	w := newEnv(t)
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusServiceUnavailable} {
		w.ClearFaults()
		w.Fail(simulator.Fault{Kind: simulator.Status, Status: status, RetryAfter: "60"})
		p := newProvider(t, "", func(o *exoscale.Options) { o.MetadataURL = w.url + "/latest/meta-data" })
		_, reading := p.Read(t.Context(), []netip.Addr{addr})
		for call, err := range map[string]error{"Read": reading, "Assign": p.Assign(t.Context(), addr, here, nil)} {
			if err == nil || errors.Is(err, providers.ErrNotFound) || errors.Is(err, providers.ErrUnauthorized) ||
				errors.Is(err, providers.ErrRefused) || errors.As(err, new(*providers.WaitError)) {
				t.Errorf("%d, %s: got %v, want an error that is worth another try", status, call, err)
			}
		}
	}
}

func TestDescribeReturnsNameAndClock(t *testing.T) {
	w := newEnv(t)
	name, clock, err := w.Describe(t.Context(), here)
	if err != nil || name != "lb1" || clock.IsZero() {
		t.Errorf("got %q, %v, %v, want lb1 and a time", name, clock, err)
	}
	if _, clock, err := w.Describe(t.Context(), "44444444-4444-4444-8444-444444444444"); !errors.Is(err, providers.ErrNotFound) || clock.IsZero() {
		t.Errorf("got %v, %v, want %v and a time", clock, err, providers.ErrNotFound)
	}
	for body, want := range map[string]error{
		`{"message":"Forbidden"}`:                            providers.ErrUnauthorized,
		`{"message":"Forbidden by role policy for compute"}`: providers.ErrRefused,
	} {
		w.Fail(simulator.Fault{Kind: simulator.Status, Status: http.StatusForbidden, Body: body, Times: 1})
		if _, _, err := w.Describe(t.Context(), "44444444-4444-4444-8444-444444444444"); !errors.Is(err, want) {
			t.Errorf("403 %s: got %v, want %v", body, err, want)
		}
	}
}

func TestCheckRightsDetectsARoleWithoutGetOperation(t *testing.T) {
	w := newEnv(t)
	if right, err := w.CheckRights(t.Context()); err != nil || right != "get-operation" {
		t.Errorf("got %q and %v, want get-operation and no error: a key that has the right gets 404", right, err)
	}
	w.Fail(simulator.Fault{
		Path: "/v2/operation/", Kind: simulator.Status, Status: http.StatusForbidden,
		Body: `{"message":"Forbidden by role policy for compute"}`,
	})
	_, err := w.CheckRights(t.Context())
	if !errors.Is(err, providers.ErrRefused) || !strings.Contains(err.Error(), "get-operation") || !strings.Contains(err.Error(), "role policy") {
		t.Errorf("got %v, want %v that names get-operation and contains the API's reason", err, providers.ErrRefused)
	}
	if got := w.writes(); got != 0 {
		t.Errorf("got %d changing requests, want none", got)
	}
}
