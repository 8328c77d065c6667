package simulator_test

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"reflect"
	"testing"

	"floaty/providers/simulator"
)

func TestListHasTheFormatOfTheAPI(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	w.AimAtLoadBalancer(prefix.Addr(), "lb-of-a-colleague")
	got := w.call(http.MethodGet, "/v1/floating-ips", "")
	if want := "application/json"; got.status != 200 || got.header.Get("Content-Type") != want {
		t.Errorf("got %d with %q, want 200 with %q", got.status, got.header.Get("Content-Type"), want)
	}
	var list []map[string]any
	if err := json.Unmarshal([]byte(got.body), &list); err != nil || len(list) != 3 {
		t.Fatalf("got %s, %v, want a list of 3", got.body, err)
	}
	server := func(id, name string) any {
		return map[string]any{"href": w.url + "/v1/servers/" + id, "uuid": id, "name": name}
	}
	for i, want := range []map[string]any{
		{
			"href": w.url + "/v1/floating-ips/192.0.2.1", "network": "192.0.2.1/32", "ip_version": 4.0, "next_hop": "198.51.100.1",
			"server": server(lb1, "lb1"), "load_balancer": nil,
		},
		{
			"href": w.url + "/v1/floating-ips/2001:db8::1", "network": "2001:db8::1/128", "ip_version": 6.0, "next_hop": "2001:db8:ffff::1",
			"server": server(lb2, "lb2"), "load_balancer": nil,
		},
		{
			"href": w.url + "/v1/floating-ips/2001:db8:1::", "network": "2001:db8:1::/56", "ip_version": 6.0, "next_hop": "2001:db8:ffff::1",
			"server": nil, "load_balancer": map[string]any{
				"href": w.url + "/v1/load-balancers/lb-of-a-colleague", "uuid": "lb-of-a-colleague", "name": "",
			},
		},
	} {
		want["region"], want["type"] = map[string]any{"slug": "lpg"}, "regional"
		want["reverse_ptr"], want["tags"] = "", map[string]any{}
		created, _ := list[i]["created_at"].(string)
		if created == "" {
			t.Errorf("%d: got no created_at, want a time", i)
		}
		want["created_at"] = created
		if !reflect.DeepEqual(list[i], want) {
			t.Errorf("%d: got\n%v\nwant\n%v", i, list[i], want)
		}
	}
}

func TestAccountWithoutAddressesHasAnEmptyList(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	for _, addr := range []netip.Addr{addr4, addr6, prefix.Addr(), absent} {
		w.RemoveAddress(addr)
	}
	if got := w.call(http.MethodGet, "/v1/floating-ips", ""); got.body != "[]\n" {
		t.Errorf("got %q, want an empty list", got.body)
	}
}

func TestPatchTakesEffectImmediately(t *testing.T) {
	t.Parallel()
	both(t, func(w *env) {
		w.AimAtLoadBalancer(addr6, "lb-of-a-colleague")
		for _, addr := range []netip.Addr{addr4, addr6, prefix.Addr()} {
			for _, server := range []string{lb2, lb2, lb1} {
				got, err := w.assign(addr, server)
				if err != nil || got.status != http.StatusNoContent || got.body != "" {
					w.Errorf("%v: got %d %q, %v, want 204 and no body", addr, got.status, got.body, err)
				}
				w.wantHolders(addr, server)
				w.wants(200, `"uuid":"`+server+`"`, http.MethodGet, "/v1/floating-ips/"+addr.String(), "")
				w.wants(200, `"load_balancer":null`, http.MethodGet, "/v1/floating-ips/"+addr.String(), "")
			}
		}
	})
}

func TestAddressesAreComparedByValue(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	for _, path := range []string{"2001:db8::1", "2001:DB8:0::1", "2001%3Adb8%3A%3A1"} {
		w.wants(200, `"network":"2001:db8::1/128"`, http.MethodGet, "/v1/floating-ips/"+path, "")
	}
}

func TestErrorsHaveTheFormatOfTheAPI(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	for _, test := range []struct {
		method, path, body string
		status             int
		want               string // the whole body
	}{
		{"PATCH", "/v1/floating-ips/192.0.2.1", `{"server": "` + stranger + `"}`, 400, `{"server":["Object with uuid=` + stranger + ` does not exist."]}`},
		{"PATCH", "/v1/floating-ips/192.0.2.1", `{"server": "lb1"}`, 400, `{"server":["“lb1” is not a valid UUID."]}`},
		{"PATCH", "/v1/floating-ips/192.0.2.1", `{}`, 400, `{"server":["This field is required."]}`},
		{"PATCH", "/v1/floating-ips/192.0.2.1", `{`, 400, `{"detail":"JSON parse error - reading the request: unexpected end of JSON input"}`},
		{"PATCH", "/v1/floating-ips/192.0.2.99", `{"server": "` + lb1 + `"}`, 404, `{"detail":"Not found."}`},
		{"PATCH", "/v1/floating-ips/192.0.2.1/32", `{"server": "` + lb2 + `"}`, 404, `{"detail":"Not found."}`},
		{"PATCH", "/v1/floating-ips/192.0.2.1%2F32", `{"server": "` + lb2 + `"}`, 404, `{"detail":"Not found."}`},
		{"PATCH", "/v1/floating-ips/::ffff:192.0.2.1", `{"server": "` + lb2 + `"}`, 404, `{"detail":"Not found."}`},
		{"PATCH", "/v1/floating-ips/2001:db8:1::1", `{"server": "` + lb2 + `"}`, 404, `{"detail":"Not found."}`},
		{"GET", "/v1/floating-ips/192.0.2.99", "", 404, `{"detail":"Not found."}`},
		{"GET", "/v1/servers/" + stranger, "", 404, `{"detail":"Not found."}`},
		{"GET", "/v1/volumes", "", 404, `{"detail":"Not found."}`},
		{"GET", "/", "", 404, `{"detail":"Not found."}`},
		{"DELETE", "/v1/floating-ips/192.0.2.1", "", 405, `{"detail":"Method \"DELETE\" not allowed."}`},
		{"POST", "/v1/floating-ips", "{}", 405, `{"detail":"Method \"POST\" not allowed."}`},
	} {
		got := w.call(test.method, test.path, test.body)
		if got.status != test.status || got.body != test.want+"\n" {
			t.Errorf("%s %s %s: got %d %s, want %d %s", test.method, test.path, test.body, got.status, got.body, test.status, test.want)
		}
	}
	w.wantHolders(addr4, lb1)
	w.wantHolders(prefix.Addr())
}

func TestServerIsReturnedWithItsName(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	w.AddServer(lb1, "renamed")
	w.wants(200, `"uuid":"`+lb1+`","name":"renamed","status":"running"`, http.MethodGet, "/v1/servers/"+lb1, "")
	w.wants(200, `"name":"renamed"`, http.MethodGet, "/v1/floating-ips/192.0.2.1", "")
}

func TestTokenIsRequiredOnceSet(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	const list = "/v1/floating-ips"
	w.wants(200, "", http.MethodGet, list, "")
	w.SetToken("old", "new")
	for _, header := range []string{"Authorization: Bearer old", "Authorization: Bearer new"} {
		w.wants(200, "", http.MethodGet, list, "", header)
	}
	w.SetToken("new")
	for _, header := range []string{
		"X-None: x", "Authorization: Bearer old", "Authorization: Bearer ", "Authorization: new", "Authorization: Basic new",
	} {
		w.wants(401, `{"detail":"Invalid token."}`, http.MethodGet, list, "", header)
		w.wants(401, "", http.MethodPatch, list+"/192.0.2.1", `{"server": "`+lb2+`"}`, header)
	}
	w.wantHolders(addr4, lb1)
	w.SetToken()
	w.wants(200, "", http.MethodGet, list, "")
}

func TestAddingAnAddressAgainReplacesIt(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	w.AddAddress(netip.PrefixFrom(addr4, 32), lb1, lb2)
	w.wantHolders(addr4, lb1, lb2)
	w.Move(addr4)
	w.wantHolders(addr4)
	w.Move(absent, lb1)
	w.wantHolders(absent)
}

func TestCheckNetwork(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"192.0.2.1/32":          "",
		"2001:db8::1/128":       "",
		"2001:db8:1::/56":       "",
		"2001:db8:500:1::/96":   "",
		"192.0.2.0/24":          "192.0.2.0/24 is not a /32, /128, IPv6 /56 or IPv6 /96",
		"2001:db8::/64":         "2001:db8::/64 is not a /32, /128, IPv6 /56 or IPv6 /96",
		"2001:db8::1/56":        "2001:db8::1/56 has host bits; the network is 2001:db8::/56",
		"::ffff:192.0.2.1/128":  "::ffff:192.0.2.1/128 is IPv4 in IPv6",
		"0.0.0.0/56 is invalid": "no network",
	} {
		network, _ := netip.ParsePrefix(text) // returns the zero Prefix if text is invalid
		if got := simulator.CheckNetwork(network); got == nil && want != "" || got != nil && got.Error() != want {
			t.Errorf("%s: got %v, want %q", text, got, want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("got no panic when adding a network that the clouds do not offer, want one")
		}
	}()
	simulator.New().AddAddress(netip.MustParsePrefix("192.0.2.0/24"))
}

func TestRegionalAddressIsAssignedOnlyWithinItsRegion(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	w.wants(204, "", http.MethodPost, "/sim/server-region", `{"id": "`+lb2+`", "region": "rma"}`)
	w.wants(400, `{"server":["The server must be in the region of the floating IP."]}`, http.MethodPatch, list+"/192.0.2.1", `{"server":"`+lb2+`"}`)
	w.wantHolders(addr4, lb1)
	w.wants(204, "", http.MethodPost, "/sim/region", `{"address": "192.0.2.1", "region": "rma"}`)
	w.wants(204, "", http.MethodPatch, list+"/192.0.2.1", `{"server":"`+lb2+`"}`)
	w.wants(200, `"region":{"slug":"rma"},"type":"regional"`, http.MethodGet, list+"/192.0.2.1", "")
}

func TestGlobalAddressIsAssignedInAnyRegion(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	w.SetServerRegion(lb2, "rma")
	w.wants(204, "", http.MethodPost, "/sim/region", `{"address": "192.0.2.1"}`)
	w.wants(200, `"region":null,"type":"global"`, http.MethodGet, list+"/192.0.2.1", "")
	for _, server := range []string{lb2, lb1} {
		w.wants(204, "", http.MethodPatch, list+"/192.0.2.1", `{"server":"`+server+`"}`)
		w.wantHolders(addr4, server)
	}
}

func TestNetworkIsNamedByItsFirstAddress(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	w.wants(404, "", http.MethodPatch, list+"/2001:db8:1::1", `{"server":"`+lb1+`"}`)
	w.wants(404, "", http.MethodGet, list+"/2001:db8:1::1", "")
	w.wants(204, "", http.MethodPatch, list+"/2001:db8:1::", `{"server":"`+lb1+`"}`)
	w.wantHolders(prefix.Addr().Next(), lb1)
}
