package simulator_test

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"floaty/providers/simulator"
)

func TestControlAPIShowsTheState(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	w.AimAtLoadBalancer(addr6, "lb-of-a-colleague")
	w.SetManaged(addr6, true)
	want := `{"addresses":[` +
		`{"address":"192.0.2.1","network":"192.0.2.1/32","servers":["` + lb1 + `"],"elastic_ip":"` + simulator.ElasticIPID(addr4) + `"},` +
		`{"address":"2001:db8::1","network":"2001:db8::1/128","servers":[],"load_balancer":"lb-of-a-colleague","elastic_ip":"` +
		simulator.ElasticIPID(addr6) + `","managed":true},` +
		`{"address":"2001:db8:1::","network":"2001:db8:1::/56","servers":[],"elastic_ip":"` + simulator.ElasticIPID(prefix.Addr()) + `"}],` +
		`"servers":[{"id":"` + lb1 + `","name":"lb1"},{"id":"` + lb2 + `","name":"lb2"}]}` + "\n"
	if got := w.call(http.MethodGet, "/sim/state", ""); got.status != 200 || got.body != want {
		t.Errorf("got %d %s\nwant 200 %s", got.status, got.body, want)
	}
	for _, addr := range []netip.Addr{addr4, addr6, prefix.Addr()} {
		w.RemoveAddress(addr)
	}
	w.wants(200, `{"addresses":[],`, http.MethodGet, "/sim/state", "")
}

func TestControlAPIChangesTheCloud(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	post := func(path, body string) {
		t.Helper()
		if got := w.call(http.MethodPost, path, body); got.status != http.StatusNoContent || got.body != "" {
			t.Errorf("POST %s %s: got %d %q, want 204 and nothing", path, body, got.status, got.body)
		}
	}
	post("/sim/servers", `{"id": "`+stranger+`", "name": "lb3"}`)
	w.wants(200, `"name":"lb3"`, http.MethodGet, "/v1/servers/"+stranger, "")

	post("/sim/addresses", `{"address": "192.0.2.99/32", "servers": ["`+stranger+`"]}`)
	w.wantHolders(absent, stranger)
	post("/sim/addresses", `{"address": "2001:db8:2::/56"}`)
	w.wants(200, `"network":"2001:db8:2::/56"`, http.MethodGet, list+"/2001:db8:2::", "")

	post("/sim/move", `{"address": "192.0.2.1", "servers": ["`+lb2+`", "`+lb1+`"]}`)
	w.wantHolders(addr4, lb2, lb1)
	post("/sim/move", `{"address": "192.0.2.1"}`)
	w.wantHolders(addr4)
	if got := len(w.Calls()); got != 2 {
		t.Errorf("got %d calls, want 2, because moves through the control API do not count", got)
	}

	post("/sim/token", `{"tokens": ["a", "b"]}`)
	w.wants(401, "", http.MethodGet, list, "")
	w.wants(200, "", http.MethodGet, list, "", "Authorization: Bearer b")
	post("/sim/token", `{}`)
	w.wants(200, "", http.MethodGet, list, "")

	const latency = 30 * time.Millisecond
	post("/sim/latency", `{"latency": "30ms"}`)
	begun := time.Now()
	w.wants(200, "", http.MethodGet, list, "")
	if took := time.Since(begun); took < latency {
		t.Errorf("got an answer after %v, want it after %v", took, latency)
	}
	post("/sim/latency", `{"latency": "0s"}`)
}

func TestControlAPIChangesExoscalesBehaviour(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	on := func(path string) { w.wants(204, "", http.MethodPost, path, `{"on": true}`) }
	off := func(path string) { w.wants(204, "", http.MethodPost, path, `{}`) }
	var started struct{ ID string }
	puts := func(path string, want int, part string) {
		t.Helper()
		got, err := w.put(path, lb1)
		if err != nil || got.status != want || !strings.Contains(got.body, part) {
			t.Errorf("PUT %s: got %+v, %v, want %d and %q", path, got, err, want, part)
		}
		if err := json.Unmarshal([]byte(got.body), &started); err != nil {
			t.Error(err)
		}
	}

	ended := func(part string) {
		t.Helper()
		w.wants(200, part, http.MethodGet, "/v2/operation/"+started.ID, "")
	}

	w.wants(204, "", http.MethodPost, "/sim/managed", `{"address": "192.0.2.1", "on": true}`)
	w.wants(200, `"healthcheck"`, http.MethodGet, elasticIPs+"/"+simulator.ElasticIPID(addr4), "")
	w.wants(204, "", http.MethodPost, "/sim/managed", `{"address": "192.0.2.1"}`)
	if got := w.call(http.MethodGet, elasticIPs, ""); strings.Contains(got.body, "healthcheck") {
		t.Errorf("got %s, want no health check", got.body)
	}

	on("/sim/ignore-filter")
	w.wants(200, lb2, http.MethodGet, "/v2/instance?ip-address=192.0.2.1", "")
	off("/sim/ignore-filter")

	on("/sim/attach-conflict")
	puts(attachPath(addr4), 409, "")
	off("/sim/attach-conflict")
	on("/sim/attach-failure")
	puts(attachPath(addr4), 200, "pending")
	ended("failure")
	off("/sim/attach-failure")
	puts(attachPath(addr4), 200, "pending")
	ended("success")

	w.wants(204, "", http.MethodPost, "/sim/operation-time", `{"time": "1h"}`)
	puts(attachPath(addr4), 200, "pending")
	on("/sim/busy")
	puts(attachPath(addr4), 409, "busy")
	off("/sim/busy")
	w.wants(204, "", http.MethodPost, "/sim/operation-time", `{}`)

	w.wants(204, "", http.MethodPost, "/sim/fault", `{"kind": "operation-failure", "reason": "conflict", "message": "as given"}`)
	puts(attachPath(addr6), 200, "pending")
	ended(`"state":"failure","reason":"conflict","message":"as given"`)
	w.wants(204, "", http.MethodDelete, "/sim/faults", "")

	w.wants(204, "", http.MethodPost, "/sim/key", `{"key": "`+key+`", "secret": "x"}`)
	w.wants(403, "", http.MethodGet, elasticIPs, "")
	w.wants(204, "", http.MethodPost, "/sim/key", `{"key": "`+key+`"}`)
	w.wants(200, "", http.MethodGet, elasticIPs, "")

	w.wants(204, "", http.MethodDelete, "/sim/servers", `{"id": "`+lb1+`"}`)
	w.wants(404, "", http.MethodGet, "/v2/instance/"+lb1, "")
	w.wantHolders(addr4)
}

func TestControlAPIAddsFaults(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	w.wants(204, "", http.MethodPost, "/sim/fault", `{"kind": "status", "status": 503, "method": "PATCH", "path": "192.0.2.1",
		"body": "down", "retry_after": "5", "times": 1, "for": "1h"}`)
	w.wantStatus(200, http.MethodGet, list)
	w.wantStatus(204, http.MethodPatch, list+"/2001:db8::1")
	got, err := w.assign(addr4, lb2)
	if err != nil || got.status != 503 || got.body != "down" || got.header.Get("Retry-After") != "5" {
		t.Errorf("got %+v, %v, want 503, down, Retry-After 5", got, err)
	}
	w.wantStatus(204, http.MethodPatch, list+"/192.0.2.1") // once was enough

	w.wants(204, "", http.MethodPost, "/sim/fault", `{"kind": "status", "status": 404, "no_body": true, "times": 1}`)
	if got := w.call(http.MethodGet, list, ""); got.status != 404 || got.body != "" {
		t.Errorf("got %+v, want 404 without a body", got)
	}
	w.wants(204, "", http.MethodPost, "/sim/fault", `{"kind": "html"}`)
	w.wantStatus(502, http.MethodGet, list)
	w.wants(204, "", http.MethodDelete, "/sim/faults", "")
	w.wantStatus(200, http.MethodGet, list)

	w.wants(204, "", http.MethodPost, "/sim/fault", `{"kind": "status", "for": "1ns"}`)
	w.wantStatus(200, http.MethodGet, list) // it has already ended
}

func TestControlAPIListsTheCalls(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	w.wants(200, "[]", http.MethodGet, "/sim/calls", "")
	w.wantStatus(200, http.MethodGet, list)
	if got, err := w.assign(addr6, lb1); err != nil || got.status != 204 {
		t.Fatalf("got %+v, %v, want 204", got, err)
	}
	var calls []map[string]any
	if err := json.Unmarshal([]byte(w.call(http.MethodGet, "/sim/calls", "").body), &calls); err != nil || len(calls) != 2 {
		t.Fatalf("got %v, %v, want 2 calls", calls, err)
	}
	for i, want := range []map[string]any{
		{"method": "GET", "path": list, "status": 200.0, "address": nil, "server": nil},
		{"method": "PATCH", "path": list + "/2001:db8::1", "status": 204.0, "address": "2001:db8::1", "server": lb1},
	} {
		for key, value := range want {
			if got := calls[i][key]; got != value {
				t.Errorf("call %d: got %s %v, want %v", i, key, got, value)
			}
		}
		if _, err := time.Parse(time.RFC3339Nano, calls[i]["at"].(string)); err != nil {
			t.Errorf("call %d: got %v, want a time", i, err)
		}
	}
	w.wants(204, "", http.MethodDelete, "/sim/calls", "")
	if got := w.Calls(); len(got) != 0 {
		t.Errorf("got calls %+v, want none", got)
	}
}

func TestControlAPIRejectsBadRequests(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	before := w.call(http.MethodGet, "/sim/state", "").body
	for _, test := range []struct {
		method, path, body string
		status             int
		want               string // in the error
	}{
		{"GET", "/sim/nothing", "", 404, "no path /sim/nothing; there are [state servers addresses move managed region server-region token key latency " +
			"operation-time busy attach-conflict attach-failure ignore-filter fault faults calls]"},
		{"POST", "/sim/region", `{"address": "192.0.2.99", "region": "rma"}`, 404, "no address 192.0.2.99"},
		{"POST", "/sim/server-region", `{"id": "` + lb1 + `"}`, 400, "region is missing"},
		{"POST", "/sim/server-region", `{"id": "nobody", "region": "rma"}`, 404, `no server "nobody"`},
		{"GET", "/sim/", "", 404, "no path"},
		{"GET", "/sim/fault", "", 405, "no GET for /sim/fault"},
		{"POST", "/sim/state", "{}", 405, "no POST for /sim/state"},
		{"DELETE", "/sim/addresses", "", 405, "no DELETE for /sim/addresses"},

		{"POST", "/sim/servers", "", 400, "reading the request: EOF"},
		{"POST", "/sim/servers", "{", 400, "reading the request: unexpected EOF"},
		{"POST", "/sim/servers", "[]", 400, "reading the request: json: cannot unmarshal array"},
		{"POST", "/sim/servers", `{"id": "x"}{"id": "y"}`, 400, "reading the request: more than one JSON value"},
		{"POST", "/sim/servers", `{"id": "x"}}`, 400, "reading the request: more than one JSON value"},
		{"POST", "/sim/servers", `{"id": "x"}]`, 400, "reading the request: more than one JSON value"},
		{"POST", "/sim/servers", `{"uuid": "x"}`, 400, `reading the request: json: unknown field "uuid"`},
		{"POST", "/sim/servers", `{"name": "x"}`, 400, "id is missing"},

		{"POST", "/sim/addresses", `{"address": "192.0.2.7"}`, 400, `netip.ParsePrefix("192.0.2.7")`},
		{"POST", "/sim/addresses", `{"address": "192.0.2.0/24"}`, 400, "address: 192.0.2.0/24 is not a /32"},
		{"POST", "/sim/addresses", `{}`, 400, "address: no network"},
		{"POST", "/sim/addresses", `{"address": "192.0.2.7/32", "servers": ["x"]}`, 404, `no server "x"`},
		{"POST", "/sim/addresses", `{"address": "192.0.2.7/32", "server": "x"}`, 400, `unknown field "server"`},

		{"POST", "/sim/move", `{`, 400, "unexpected EOF"},
		{"POST", "/sim/move", `{"address": "192.0.2.7", "servers": []}`, 404, "no address 192.0.2.7"},
		{"POST", "/sim/move", `{"address": "192.0.2.1", "servers": ["` + lb2 + `", "x"]}`, 404, `no server "x"`},
		{"POST", "/sim/move", `{"address": "192.0.2.1/32"}`, 400, `ParseAddr("192.0.2.1/32")`},

		{"POST", "/sim/token", `{"tokens": "x"}`, 400, "cannot unmarshal string"},
		{"POST", "/sim/latency", `{"latency": "soon"}`, 400, `time: invalid duration "soon"`},
		{"POST", "/sim/latency", `{"latency": "-1s"}`, 400, "duration -1s is below 0"},
		{"POST", "/sim/latency", `{"latency": 1}`, 400, "cannot unmarshal number"},

		{"DELETE", "/sim/servers", `{`, 400, "unexpected EOF"},
		{"DELETE", "/sim/servers", `{"id": "x"}`, 404, `no server "x"`},
		{"POST", "/sim/managed", `{"on": 1}`, 400, "cannot unmarshal number"},
		{"POST", "/sim/managed", `{"address": "192.0.2.7", "on": true}`, 404, "no address 192.0.2.7"},
		{"POST", "/sim/key", `{"secret": "x"}`, 400, "key is missing"},
		{"POST", "/sim/key", `{"keys": {}}`, 400, `unknown field "keys"`},
		{"POST", "/sim/operation-time", `{"time": "-1s"}`, 400, "duration -1s is below 0"},
		{"POST", "/sim/busy", `{"busy": true}`, 400, `unknown field "busy"`},

		{"POST", "/sim/fault", `{"status": 500}`, 400, "kind is missing"},
		{"POST", "/sim/fault", `{"kind": "fire"}`, 400, `unknown kind of fault "fire" (want one of status, hang, reset, broken-json, slow-body, html, lost-answer, operation-failure, operation-timeout, operation-pending, operation-unfinished)`},
		{"POST", "/sim/fault", `{"kind": "status", "status": 99}`, 400, "status 99 is not in 200 to 599"},
		{"POST", "/sim/fault", `{"kind": "status", "status": 600}`, 400, "status 600 is not in 200 to 599"},
		{"POST", "/sim/fault", `{"kind": "status", "times": -1}`, 400, "times -1 is below 0"},
		{"POST", "/sim/fault", `{"kind": "status", "for": "-1s"}`, 400, "duration -1s is below 0"},
	} {
		got := w.call(test.method, test.path, test.body)
		var refused map[string]string
		err := json.Unmarshal([]byte(got.body), &refused)
		if got.status != test.status || err != nil || len(refused) != 1 || !strings.Contains(refused["error"], test.want) {
			t.Errorf("%s %s %s: got %d %s, want %d and %q in the error", test.method, test.path, test.body, got.status, got.body, test.status, test.want)
		}
	}
	if after := w.call(http.MethodGet, "/sim/state", "").body; after != before {
		t.Errorf("got the state %s, want it as before: %s", after, before)
	}
	w.wantStatus(200, http.MethodGet, list) // no fault and no token were set
}
