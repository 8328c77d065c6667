package simulator_test

import (
	"errors"
	"net/http"
	"net/netip"
	"regexp"
	"testing"
	"time"

	v3 "github.com/exoscale/egoscale/v3"

	"floaty/providers/simulator"
)

func TestExoscalesAnswersHaveTheFormatOfTheAPI(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	w.SetManaged(addr4, true)
	w.RemoveAddress(addr6)
	w.RemoveAddress(prefix.Addr())
	id := simulator.ElasticIPID(addr4)
	const operation = "00000000-0000-4000-8000-000000000001"
	elastic := `{"id":"` + id + `","ip":"192.0.2.1","addressfamily":"inet4","cidr":"192.0.2.1/32",` +
		`"healthcheck":{"mode":"tcp","port":80,"interval":10,"timeout":2,"strikes-ok":2,"strikes-fail":3}}`
	instance := func(id, name, rest string) string {
		return `{"id":"` + id + `","name":"` + name + `","state":"running"` + rest + `}`
	}
	invalid := func(text string) string { return `{"errors":[{"message":"` + text + `"}],"message":"Invalid request"}` }
	attached := func(state string) string {
		return `{"id":"` + operation + `","state":"` + state + `",` +
			`"reference":{"id":"` + id + `","link":"/v2/elastic-ip/` + id + `","command":"get-elastic-ip"}}`
	}
	for _, test := range []struct {
		method, path, body string
		status             int
		want               string // the whole body
	}{
		{"GET", elasticIPs, "", 200, `{"elastic-ips":[` + elastic + `]}`},
		{"GET", elasticIPs + "/" + id, "", 200, elastic},
		{"GET", "/v2/instance", "", 200, `{"instances":[` + instance(lb1, "lb1", "") + `,` + instance(lb2, "lb2", "") + `]}`},
		{"GET", "/v2/instance?ip-address=192.0.2.1", "", 200, `{"instances":[` + instance(lb1, "lb1", "") + `]}`},
		{"GET", "/v2/instance?ip-address=192.0.2.1%2F32", "", 200, `{"instances":[]}`},
		{"GET", "/v2/instance?ip-address=", "", 200, `{"instances":[]}`},
		{"GET", "/v2/instance/" + lb1, "", 200, instance(lb1, "lb1", `,"elastic-ips":[{"id":"`+id+`","ip":"192.0.2.1"}]`)},
		{"GET", "/v2/instance/" + lb2, "", 200, instance(lb2, "lb2", `,"elastic-ips":[]`)},
		{"PUT", attachPath(addr4), `{"instance":{"id":"` + lb2 + `"}}`, 200, attached("pending")},
		{"GET", "/v2/operation/" + operation, "", 200, attached("success")},

		{"GET", "/v2/instance/", "", 400, invalid(`\"\" is not a UUID`)},
		{"GET", "/v2/instance/lb1", "", 400, invalid(`\"lb1\" is not a UUID`)},
		{"GET", "/v2/instance/" + stranger, "", 404, `{"message":"Instance not found."}`},
		{"GET", "/v2/operation", "", 404, `{"message":"Not Found"}`},
		{"GET", "/v2/", "", 404, `{"message":"Not Found"}`},
		{"DELETE", elasticIPs + "/" + id, "", 404, `{"message":"Not Found"}`},
		{"GET", attachPath(addr4), "", 404, `{"message":"Elastic IP not found."}`},
		{"PUT", elasticIPs + "/" + id + ":reset", "", 404, `{"message":"Not Found"}`},
		{"PUT", elasticIPs + "/" + id, "", 404, `{"message":"Not Found"}`},
		{"PUT", attachPath(addr4), `{`, 400, invalid("reading the request: unexpected end of JSON input")},
		{"PUT", attachPath(addr4), `{}`, 400, invalid(`instance.id: \"\" is not a UUID`)},
	} {
		got := w.call(test.method, test.path, test.body)
		if got.status != test.status || got.body != test.want+"\n" || got.header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s %s %s: got %d %s, want %d %s", test.method, test.path, test.body, got.status, got.body, test.status, test.want)
		}
	}
	w.RemoveServer(lb1)
	w.RemoveServer(lb2)
	w.RemoveAddress(addr4)
	w.wants(200, `{"elastic-ips":[]}`, http.MethodGet, elasticIPs, "")
	w.wants(200, `{"instances":[]}`, http.MethodGet, "/v2/instance", "")
}

func TestEachElasticIPHasItsOwnUUID(t *testing.T) {
	t.Parallel()
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]netip.Addr{}
	for _, text := range []string{"192.0.2.1", "192.0.2.2", "::ffff:192.0.2.1", "2001:db8::1", "2001:db8:1::"} {
		addr := netip.MustParseAddr(text)
		got := simulator.ElasticIPID(addr)
		if other, taken := seen[got]; !uuid.MatchString(got) || taken || got != simulator.ElasticIPID(addr) {
			t.Errorf("%s: got %q (as %v), want a UUID that no other has", text, got, other)
		}
		seen[got] = addr
	}
}

func TestBothAPIsShareOneCloud(t *testing.T) {
	t.Parallel()
	w, client := newExoscale(t)
	w.SetToken("s3cr3t") // each API has its own credentials
	w.starts(w.attach(client, addr4, lb2))
	bearer := "Authorization: Bearer s3cr3t"
	w.wants(200, `"server":{"href":"`+w.url+`/v1/servers/`+lb1, http.MethodGet, list+"/192.0.2.1", "", bearer) // the first of the two holders
	w.wants(204, "", http.MethodPatch, list+"/192.0.2.1", `{"server":"`+lb2+`"}`, bearer)
	wantHeld(w, client, lb1)
	wantHeld(w, client, lb2, addr4, addr6)

	w.AimAtLoadBalancer(addr4, "lb-of-a-colleague")
	w.starts(w.attach(client, addr4, lb1))
	w.wants(200, `"load_balancer":null`, http.MethodGet, list+"/192.0.2.1", "", bearer)
}

func TestExoscalesCallsAreRecorded(t *testing.T) {
	t.Parallel()
	w, client := newExoscale(t)
	wantListed(w, client, []string{lb1, lb2})
	w.starts(w.attach(client, addr4, lb2))
	w.starts(w.detach(client, addr4, lb1))
	w.call(http.MethodGet, "/v2/instance?ip-address=192.0.2.1", "")
	_, _ = w.put(attachPath(absent), stranger)
	w.call(http.MethodGet, attachPath(addr4), "")
	w.call(http.MethodGet, "/latest/meta-data/instance-id", "") // is not recorded
	id := simulator.ElasticIPID(addr4)
	want := []simulator.Call{
		{Method: "GET", Path: "/v2/instance", Status: 200},
		{Method: "PUT", Path: elasticIPs + "/" + id + ":attach", Address: addr4, Server: lb2, Status: 200},
		{Method: "PUT", Path: elasticIPs + "/" + id + ":detach", Address: addr4, Server: lb1, Status: 200},
		{Method: "GET", Path: "/v2/instance", Query: "ip-address=192.0.2.1", Status: 403},
		{Method: "PUT", Path: attachPath(absent), Server: stranger, Status: 403},
		{Method: "GET", Path: attachPath(addr4), Status: 403},
	}
	got := w.Calls()
	if len(got) != len(want) {
		t.Fatalf("got %d calls %+v, want %d", len(got), got, len(want))
	}
	for i, call := range got {
		if call.At, call.Remote = (time.Time{}), ""; call != want[i] {
			t.Errorf("%d: got %+v, want %+v", i, call, want[i])
		}
	}
}

func TestFaultCanAffectOneElasticIP(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	w.Fail(simulator.Fault{Path: simulator.ElasticIPID(addr4), Status: 503, RetryAfter: "7"})
	got, err := w.put(attachPath(addr4), lb2)
	if err != nil || got.status != 503 || got.body != "" || got.header.Get("Retry-After") != "7" {
		t.Errorf("got %+v, %v, want 503 and Retry-After 7", got, err)
	}
	w.wantHolders(addr4, lb1)
	if got, err := w.put(attachPath(addr6), lb1); err != nil || got.status != 200 {
		t.Errorf("got %+v, %v, want 200", got, err)
	}
	w.wantHolders(addr6, lb2, lb1)
	w.wants(200, "", http.MethodGet, elasticIPs, "")
}

func TestFaultsAnswerLikeExoscalesAPI(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault  simulator.Fault
		status int
		want   string // the whole body
	}{
		{simulator.Fault{Status: 400}, 400, `{"errors":[{"message":"The request is not valid."}],"message":"Invalid request"}` + "\n"},
		{simulator.Fault{Status: 401}, 401, `{"message":"Unauthorized"}` + "\n"},
		{simulator.Fault{Status: 403}, 403, `{"message":"Forbidden by role policy for compute"}` + "\n"},
		{simulator.Fault{Status: 429}, 429, `{"message":"Too Many Requests"}` + "\n"},
		{simulator.Fault{Status: 409, Body: "as told"}, 409, "as told"},
		{simulator.Fault{}, 500, ""},
		{simulator.Fault{Kind: simulator.BrokenJSON}, 200, `{"elastic-ips":[{"id":"`},
	} {
		w := newEnv(t, false)
		w.Fail(test.fault)
		if got, err := w.put(attachPath(addr4), lb2); err != nil || got.status != test.status || got.body != test.want {
			t.Errorf("%+v: got %+v, %v, want %d %q", test.fault, got, err, test.status, test.want)
		}
		w.wantHolders(addr4, lb1)
	}
	for kind, want := range map[simulator.Kind][]string{simulator.Reset: {lb1}, simulator.LostAnswer: {lb1, lb2}} {
		both(t, func(w *env) {
			w.Fail(simulator.Fault{Kind: kind})
			if got, err := w.put(attachPath(addr4), lb2); err == nil {
				w.Errorf("%v: got %+v, want no answer", kind, got)
			}
			w.wantHolders(addr4, want...)
		})
	}
}

// Exoscale's API returns such an elastic IP as {"ip":"2001:db8:500:1::1","cidr":"2001:db8:500:1::/96"}.
func TestIPv6ElasticIPIsANetwork(t *testing.T) {
	t.Parallel()
	w, client := newExoscale(t)
	network := netip.MustParsePrefix("2001:db8:500:1::/96")
	inside := netip.MustParseAddr("2001:db8:500:1::7:1")
	w.AddAddress(network, lb1)
	got, err := client.GetElasticIP(t.Context(), elasticIPID(network.Addr()))
	if err != nil || got.IP != "2001:db8:500:1::1" || got.Cidr != network.String() {
		t.Errorf("got %+v, %v, want 2001:db8:500:1::1 of %v", got, err, network)
	}
	wantListed(w, client, []string{lb1}, v3.ListInstancesWithIPAddress("2001:db8:500:1::1"))
	wantListed(w, client, nil, v3.ListInstancesWithIPAddress("2001:db8:500:1::"))
	w.wantHolders(inside, lb1)
	w.Move(inside, lb2)
	w.wantHolders(network.Addr(), lb2)
	w.RemoveAddress(inside)
	w.wantHolders(network.Addr())
}

func TestForbiddenCallNamesTheRolePolicy(t *testing.T) {
	t.Parallel()
	w, client := newExoscale(t)
	w.Fail(simulator.Fault{Path: "/v2/operation/", Kind: simulator.Status, Status: http.StatusForbidden})
	_, err := client.GetOperation(t.Context(), stranger)
	var said *v3.APIError
	if !errors.Is(err, v3.ErrForbidden) || !errors.As(err, &said) || said.Message != "Forbidden by role policy for compute" {
		t.Errorf("got %v (%+v), want %v by a role policy", err, said, v3.ErrForbidden)
	}
	wantListed(w, client, []string{lb1, lb2})
	_, err = w.exoscale(key, "another").ListInstances(t.Context())
	if !errors.Is(err, v3.ErrForbidden) || !errors.As(err, &said) || said.Message != "Forbidden" {
		t.Errorf("with a wrong secret: got %v (%+v), want %v", err, said, v3.ErrForbidden)
	}
}
