package cloudscale_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"floaty/providers"
	"floaty/providers/cloudscale"
	"floaty/providers/simulator"
)

const (
	here         = "11111111-1111-4111-8111-111111111111"
	elsewhere    = "22222222-2222-4222-8222-222222222222"
	token        = "s3cr3t-T0ken"
	metadataPath = "/openstack/latest/meta_data.json"
)

var addr = netip.MustParseAddr("192.0.2.1")

// proxied counts the requests that reached the proxy set in the environment.
var proxied atomic.Int64

// TestMain sets what net/http and crypto/x509 read from the environment once per process: the certificate of the test servers, and a proxy.
// The proxy's own responses show that it was used: an empty list of floating IPs, and elsewhere as this server's ID.
func TestMain(m *testing.M) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxied.Add(1)
		if r.URL.Path == metadataPath {
			_, _ = fmt.Fprintf(w, `{"meta":{"cloudscale_uuid":%q}}`, elsewhere)
			return
		}
		_, _ = w.Write([]byte("[]"))
	}))
	dir, err := os.MkdirTemp("", "cloudscale-test-")
	if err != nil {
		panic(err)
	}
	secured := httptest.NewTLSServer(nil)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secured.Certificate().Raw})
	secured.Close()
	file := filepath.Join(dir, "cert.pem")
	if err := os.WriteFile(file, cert, 0o600); err != nil {
		panic(err)
	}
	for name, value := range map[string]string{
		"SSL_CERT_FILE": file, "NO_PROXY": "", "no_proxy": "",
		"HTTP_PROXY": proxy.URL, "http_proxy": proxy.URL,
		"HTTPS_PROXY": proxy.URL, "https_proxy": proxy.URL, // so that no mistake reaches the real API
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	status := m.Run()
	proxy.Close()
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

// An env is a simulated cloud and the provider of its account; elsewhere holds addr.
type env struct {
	*testing.T
	*simulator.Cloud
	*cloudscale.Provider
	url string
}

func newEnv(t *testing.T) *env {
	t.Helper()
	w := &env{T: t, Cloud: simulator.New()}
	w.SetToken(token)
	w.AddServer(here, "lb1")
	w.AddServer(elsewhere, "lb2")
	w.AddAddress(netip.PrefixFrom(addr, 32), elsewhere)
	w.SetMetadata(nil, here)
	w.url = serve(t, w.Handler().ServeHTTP)
	w.Provider = provider(t, cloudscale.Options{Endpoint: w.url, MetadataURL: w.url + metadataPath})
	return w
}

// serve starts a server and returns its URL.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// provider returns a provider with the token, unless opts has another.
func provider(t *testing.T, opts cloudscale.Options) *cloudscale.Provider {
	t.Helper()
	if opts.Token == nil {
		opts.Token = func() string { return token }
	}
	if opts.MaxConcurrentRequests == 0 {
		opts.MaxConcurrentRequests = 100
	}
	p, err := cloudscale.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// listing returns a provider for an API that returns this text as the list of floating IPs.
func listing(t *testing.T, list string) *cloudscale.Provider {
	t.Helper()
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(list)) })
	return provider(t, cloudscale.Options{Endpoint: url})
}

// read reads one address.
func read(t *testing.T, p providers.Provider, text string) providers.Holding {
	t.Helper()
	addr := netip.MustParseAddr(text)
	got, err := p.Read(t.Context(), []netip.Addr{addr})
	if err != nil {
		t.Fatalf("reading %s: got %v, want no error", text, err)
	}
	return got[addr]
}
