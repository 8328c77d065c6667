package simulator_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"floaty/providers/simulator"
)

const (
	lb1      = "11111111-1111-4111-8111-111111111111"
	lb2      = "22222222-2222-4222-8222-222222222222"
	stranger = "99999999-9999-4999-8999-999999999999" // in no account

	patience = 5 * time.Second // limit for something that happens immediately, on a busy machine
)

var (
	addr4  = netip.MustParseAddr("192.0.2.1")
	addr6  = netip.MustParseAddr("2001:db8::1")
	absent = netip.MustParseAddr("192.0.2.99")
	prefix = netip.MustParsePrefix("2001:db8:1::/56")
)

// An env is a cloud with two servers, and a client of it: lb1 holds addr4, lb2 holds addr6, and no server holds the prefix.
type env struct {
	*testing.T
	*simulator.Cloud
	url    string
	client *http.Client
}

// newEnv creates a cloud and serves it, with TLS and HTTP/2 if http2 is set.
func newEnv(t *testing.T, http2 bool) *env {
	t.Helper()
	w := &env{T: t, Cloud: simulator.New()}
	w.AddServer(lb1, "lb1")
	w.AddServer(lb2, "lb2")
	w.AddAddress(netip.PrefixFrom(addr4, 32), lb1)
	w.AddAddress(netip.PrefixFrom(addr6, 128), lb2)
	w.AddAddress(prefix)
	server := httptest.NewUnstartedServer(w.Handler())
	server.EnableHTTP2 = http2
	if http2 {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	w.url, w.client = server.URL, server.Client()
	return w
}

// both runs a test over HTTP/1.1 and over HTTP/2.
func both(t *testing.T, test func(w *env)) {
	t.Helper()
	t.Run("HTTP/1.1", func(t *testing.T) { test(newEnv(t, false)) })
	t.Run("HTTP/2", func(t *testing.T) { test(newEnv(t, true)) })
}

// An answer is a response of the cloud.
type answer struct {
	status int
	header http.Header
	body   string
}

// try makes a request, with header lines such as "Authorization: Bearer x".
func (w *env) try(ctx context.Context, method, path, body string, header ...string) (answer, error) {
	w.Helper()
	req, err := http.NewRequestWithContext(ctx, method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	for _, line := range header {
		key, value, _ := strings.Cut(line, ": ")
		req.Header.Set(key, value)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	got, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(got)}, err
}

// call makes a request and fails the test if there is no answer.
func (w *env) call(method, path, body string, header ...string) answer {
	w.Helper()
	got, err := w.try(w.Context(), method, path, body, header...)
	if err != nil {
		w.Fatalf("%s %s: got %v, want an answer", method, path, err)
	}
	return got
}

// wants makes a request and checks the status of the answer, and that its body contains part.
func (w *env) wants(status int, part, method, path, body string, header ...string) {
	w.Helper()
	got := w.call(method, path, body, header...)
	if got.status != status || !strings.Contains(got.body, part) {
		w.Errorf("%s %s %s: got %d %q, want %d and %q in it", method, path, body, got.status, got.body, status, part)
	}
}

// assign requests that server becomes the holder of addr.
func (w *env) assign(addr netip.Addr, server string) (answer, error) {
	w.Helper()
	return w.try(w.Context(), http.MethodPatch, "/v1/floating-ips/"+addr.String(), `{"server": "`+server+`"}`)
}

func (w *env) wantHolders(addr netip.Addr, want ...string) {
	w.Helper()
	if got := w.Holders(addr); !slices.Equal(got, want) {
		w.Errorf("got %v held by %q, want %q", addr, got, want)
	}
}

// eventually waits until is returns true.
func (w *env) eventually(what string, is func() bool) {
	w.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("not within %v: %s", patience, what)
		}
	}
}
