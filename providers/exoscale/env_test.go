package exoscale_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"floaty/providers"
	"floaty/providers/exoscale"
	"floaty/providers/simulator"
)

const (
	here      = "11111111-1111-4111-8111-111111111111"
	elsewhere = "22222222-2222-4222-8222-222222222222"
	third     = "33333333-3333-4333-8333-333333333333"
	key       = "EXO0123456789abcdef"
	secret    = "s3cr3t-S3cret-s3cr3t"
)

var (
	addr   = netip.MustParseAddr("192.0.2.1")
	second = netip.MustParseAddr("192.0.2.2")
)

// TestMain sets a proxy at which nothing listens, so that no mistake reaches the real API.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		if err := os.Setenv(name, "http://127.0.0.1:9"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// An env is a simulated cloud with three instances and the provider of its account; elsewhere holds addr.
type env struct {
	*testing.T
	*simulator.Cloud
	*exoscale.Provider
	url string
}

func newEnv(t *testing.T, edit ...func(*exoscale.Options)) *env {
	t.Helper()
	t.Parallel()
	w := &env{T: t, Cloud: newCloud()}
	server := httptest.NewServer(w.Handler())
	t.Cleanup(server.Close)
	w.url = server.URL
	w.put(addr, elsewhere)
	w.Provider = newProvider(t, w.url, edit...)
	return w
}

func newCloud() *simulator.Cloud {
	c := simulator.New()
	c.SetKey(key, secret)
	for i, id := range []string{here, elsewhere, third} {
		c.AddServer(id, fmt.Sprint("lb", i+1))
	}
	return c
}

func newProvider(t *testing.T, url string, edit ...func(*exoscale.Options)) *exoscale.Provider {
	t.Helper()
	opts := exoscale.Options{
		Endpoint: url, Instance: here, MaxConcurrentRequests: 100,
		Credential: func() (string, string) { return key, secret },
	}
	for _, e := range edit {
		e(&opts)
	}
	p, err := exoscale.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func (w *env) put(addr netip.Addr, holders ...string) { w.AddAddress(network(addr), holders...) }

func (w *env) read(addrs ...netip.Addr) map[netip.Addr]providers.Holding {
	w.Helper()
	holdings, err := w.Read(w.Context(), addrs)
	if err != nil {
		w.Fatal(err)
	}
	return holdings
}

func (w *env) assign(addr netip.Addr, seen ...string) {
	w.Helper()
	if err := w.Assign(w.Context(), addr, here, seen); err != nil {
		w.Fatal(err)
	}
}

// heldBy demands that exactly these instances hold addr.
func (w *env) heldBy(addr netip.Addr, want ...string) {
	w.Helper()
	got := slices.Sorted(slices.Values(w.Holders(addr)))
	if !slices.Equal(got, want) {
		w.Errorf("%v: got it held by %q, want %q", addr, got, want)
	}
}

// neverBare demands that addr has never been without a holder since it first had one.
func (w *env) neverBare(addr netip.Addr) {
	w.Helper()
	had := false
	for _, change := range w.History(addr) {
		if len(change.Holders) == 0 && had {
			w.Errorf("%v: got %+v in its history, want it never without a holder", addr, change)
		}
		had = had || len(change.Holders) > 0
	}
}

// calls returns the requests since the last ForgetCalls, as "METHOD path".
func (w *env) calls() []string {
	var list []string
	for _, call := range w.Calls() {
		list = append(list, call.Method+" "+call.Path)
	}
	return list
}

// count returns how many of these requests contain text.
func (w *env) count(text string) int {
	n := 0
	for _, call := range w.calls() {
		if strings.Contains(call, text) {
			n++
		}
	}
	return n
}

func (w *env) writes() int { return w.count(http.MethodPut) }
