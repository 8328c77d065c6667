package faults

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"floaty/hack/testenv"
	"floaty/providers/simulator"
)

// A cloud is one of the clouds that floaty supports, with its configuration and its calls.
type cloud struct {
	name   string
	config string // a format for the URL and the server's ID
	calls  []call
}

// A call is an API call that floaty makes.
type call struct {
	name     string
	writes   bool
	aside    bool // not needed for a takeover
	metadata bool // to the metadata service
	one      bool // affects only the address one
	matches  func(r *http.Request) bool
	lists    []string // paths that can return a stale answer
	empty    string   // a successful answer with the wrong content
}

func clouds() []cloud {
	is := func(method, prefix, part string) func(*http.Request) bool {
		return func(r *http.Request) bool {
			return r.Method == method && strings.HasPrefix(r.URL.Path, prefix) && strings.Contains(r.URL.Path, part)
		}
	}
	only := func(path string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Path == path }
	}
	const done = `{"id":"33333333-3333-4333-8333-333333333333","state":"success","reference":{"id":"44444444-4444-4444-8444-444444444444"}}`
	id := simulator.ElasticIPID(one)
	return []cloud{
		{
			name:   "cloudscale",
			config: "provider: cloudscale\ncloudscale: {endpoint: %q, token: " + testenv.Token + ", server-uuid: %s}\n",
			calls: []call{
				{name: "list", aside: true, matches: is("GET", "/v1/floating-ips", ""), lists: []string{"/v1/floating-ips"}, empty: "[]"},
				{name: "metadata", metadata: true, matches: is("GET", "/openstack/", ""), empty: "{}"},
				{name: "patch", writes: true, one: true, matches: is("PATCH", "/v1/", one.String())},
			},
		},
		{
			name: "exoscale",
			config: "provider: exoscale\nexoscale: {endpoint: %q, key: " + testenv.Key + ", secret: " + testenv.Secret +
				", instance-id: %s}\n",
			calls: []call{
				{name: "metadata", metadata: true, matches: is("GET", "/latest/", ""), empty: "somebody"},
				{name: "list-elastic-ips", matches: only("/v2/elastic-ip"), lists: []string{"/v2/elastic-ip"}, empty: `{"elastic-ips":[]}`},
				{name: "list-instances", matches: only("/v2/instance"), empty: `{"instances":[]}`},
				{name: "get-instance", matches: is("GET", "/v2/instance/", ""), empty: `{"id":"55555555-5555-4555-8555-555555555555"}`},
				{name: "attach", writes: true, one: true, matches: is("PUT", "/v2/elastic-ip/", id+":attach"), empty: done},
				{name: "detach", writes: true, one: true, matches: is("PUT", "/v2/elastic-ip/", id+":detach"), empty: done},
				{name: "get-operation", matches: is("GET", "/v2/operation/", ""), empty: done},
			},
		},
	}
}

// A recorded answer is an earlier answer of the cloud.
type recorded struct {
	status int
	body   []byte
}

// record requests path from the cloud directly, without a credential.
func (w *env) record(path string) recorded {
	w.Cloud.SetToken()
	w.Cloud.SetKey(testenv.Key, "")
	answer := httptest.NewRecorder()
	w.Cloud.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, http.NoBody))
	w.Cloud.SetToken(testenv.Token)
	w.Cloud.SetKey(testenv.Key, testenv.Secret)
	if answer.Code != http.StatusOK {
		w.t.Errorf("recording %s: got %d, want %d", path, answer.Code, http.StatusOK)
	}
	return recorded{answer.Code, answer.Body.Bytes()}
}

// pass forwards a request to the cloud.
func (w *env) pass(rw http.ResponseWriter, r *http.Request, body []byte) {
	r.Body = http.NoBody
	if len(body) > 0 {
		r.Body = readOnce(body)
	}
	w.Cloud.Handler().ServeHTTP(rw, r)
}

// floatyYML returns a configuration with intervals short enough for tests.
func (w *env) floatyYML(dir string) string {
	endpoint := w.url
	if w.at.name == "exoscale" {
		endpoint += "/v2"
	}
	return fmt.Sprintf(w.at.config, endpoint, here) + fmt.Sprintf(`keepalived-config: %[1]s/keepalived.conf
keepalived-pid-file: %[1]s/vrrp.pid
state-dir: %[1]s/state
instances: {VI_1: {addresses: [%[2]v, %[3]v]}}
refresh-interval: 1s
refresh-timeout: 1s
back-off: {initial-interval: 100ms, max-interval: 500ms}
`, dir, one, two)
}
