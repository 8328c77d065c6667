package httpapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

const token = "s3cr3t-T0ken"

// An api is a test server, a client for it, and counters of what reached the server.
type api struct {
	*httptest.Server
	client      *http.Client
	connections atomic.Int64
	requests    atomic.Int64
}

// serve starts a server, with TLS and HTTP/2 if http2 is set, and creates a client for it that has a credential.
func serve(t *testing.T, http2 bool, handler http.HandlerFunc) *api {
	t.Helper()
	a := &api{}
	a.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.requests.Add(1)
		if want := map[bool]int{false: 1, true: 2}[http2]; r.ProtoMajor != want {
			t.Errorf("got a request over HTTP/%d, want HTTP/%d", r.ProtoMajor, want)
		}
		handler(w, r)
	}))
	a.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, conn)
	}
	a.start(t, http2)
	return a
}

// start starts the server, which counts its connections, and creates the client.
func (a *api) start(t *testing.T, http2 bool) {
	t.Helper()
	a.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			a.connections.Add(1)
		}
	}
	a.EnableHTTP2 = http2
	if http2 {
		a.StartTLS()
	} else {
		a.Start()
	}
	t.Cleanup(a.Close)
	a.client = clientOf(t, a.Server, a.URL)
}

type connKey struct{}

// drop closes the connection of r abruptly, without a TLS or HTTP/2 message.
func drop(r *http.Request) {
	conn := r.Context().Value(connKey{}).(net.Conn)
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	_ = conn.Close()
}

// clientOf returns a client of the API at endpoint that trusts server's certificate.
func clientOf(t *testing.T, server *httptest.Server, endpoint string) *http.Client {
	t.Helper()
	client := New(Options{Endpoint: parse(t, endpoint), Token: func() string { return token }, Parallel: 10})
	if cert := server.Certificate(); cert != nil {
		pool := x509.NewCertPool()
		pool.AddCert(cert)
		client.Transport.(*transport).base.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func parse(t *testing.T, endpoint string) *url.URL {
	t.Helper()
	u, err := ParseEndpoint(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// call makes one call and returns the whole answer and the error from Answer.Err.
func call(t *testing.T, client *http.Client, method, address string) (string, error) {
	t.Helper()
	ctx, answer := Capture(t.Context())
	text, err := do(t, ctx, client, method, address)
	return text, answer.Err(err)
}

// do makes one call and returns the whole answer and the client's error.
func do(t *testing.T, ctx context.Context, client *http.Client, method, address string) (string, error) { //nolint:revive // t is first everywhere
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(`{"server":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	return string(body), err
}

// both runs a test over HTTP/1.1 and over HTTP/2.
func both(t *testing.T, test func(t *testing.T, http2 bool)) {
	t.Helper()
	t.Run("HTTP/1.1", func(t *testing.T) { test(t, false) })
	t.Run("HTTP/2", func(t *testing.T) { test(t, true) })
}
