// Package faults tests what floaty does when a call to a cloud fails: each call, each fault, in each phase of a host's life, at each
// provider.
//
// The real program calls the simulated cloud over real HTTP. The tests write Keepalived's lines into its FIFO and inject faults into
// its calls. A short form runs with the other tests. FLOATY_FAULTS=all runs everything, and
//
//	FLOATY_FAULTS=all go test ./hack/faults -results RESULTS.md
//
// writes the table. This package contains only tests.
package faults

import (
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"floaty/hack/testenv"
	"floaty/providers/simulator"
)

const (
	here  = "11111111-1111-4111-8111-111111111111" // the server that floaty runs on
	rival = "22222222-2222-4222-8222-222222222222"
)

var (
	one = netip.MustParseAddr("198.51.100.1") // faults of writes affect only this address
	two = netip.MustParseAddr("198.51.100.2")
)

// program is floaty, built once.
var program string

func TestMain(m *testing.M) {
	os.Exit(testenv.RunTests(m.Run, 32, func(path string) error { // these tests mostly wait
		program = path
		return trust(filepath.Join(filepath.Dir(path), "cert.pem"))
	}))
}

// trust makes programs started from now on trust the certificate of the test servers.
func trust(path string) error {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return errors.Join(os.WriteFile(path, text, 0o600), os.Setenv("SSL_CERT_FILE", path))
}

// An env is a cloud with the addresses one and two that injects faults and records its calls.
type env struct {
	t     *testing.T
	at    cloud
	Cloud *simulator.Cloud
	url   string

	mu     sync.Mutex // guards all below
	broken *breakage  // nil: no fault
	writes []time.Time
	leaked []string // requests that sent a credential to a foreign host
}

// A breakage is an active fault.
type breakage struct {
	fault fault
	call  call
	over  chan struct{}       // closed when the fault ends
	stale map[string]recorded // answers from before the fault, by path
	hits  int                 // guarded by the env's mu
}

// newEnv creates a cloud whose addresses point at holder, and starts its server with start.
func newEnv(t *testing.T, at cloud, holder string, start func(*httptest.Server)) *env {
	t.Helper()
	w := &env{t: t, at: at, Cloud: simulator.New()}
	w.Cloud.SetToken(testenv.Token)
	w.Cloud.SetKey(testenv.Key, testenv.Secret)
	w.Cloud.SetOperationTime(50 * time.Millisecond)
	w.Cloud.AddServer(here, "lb1")
	w.Cloud.AddServer(rival, "lb2")
	for _, addr := range []netip.Addr{one, two} {
		w.Cloud.AddAddress(netip.PrefixFrom(addr, 32), holder)
	}
	w.Cloud.SetMetadata(nil, here)
	server := httptest.NewUnstartedServer(w)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // connections break on purpose
	start(server)
	t.Cleanup(func() {
		w.heal()
		server.CloseClientConnections()
		server.Close()
	})
	w.url = server.URL
	return w
}

// ServeHTTP answers as the cloud does, except for broken calls.
func (w *env) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the request is incomplete
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.mu.Lock()
		w.writes = append(w.writes, time.Now())
		w.mu.Unlock()
	}
	if broken := w.injectFault(r); broken != nil {
		broken.fault.answer(&exchange{env: w, breakage: broken, w: rw, r: r, body: body})
		return
	}
	w.pass(rw, r, body)
}

// injectFault returns the breakage that applies to a request, and counts it; nil if there is none.
func (w *env) injectFault(r *http.Request) *breakage {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken == nil || !w.broken.call.matches(r) {
		return nil
	}
	w.broken.hits++
	return w.broken
}

// breaks makes a call fail from now on.
func (w *env) breaks(c call, f fault) {
	b := &breakage{fault: f, call: c, over: make(chan struct{}), stale: map[string]recorded{}}
	for _, path := range c.lists {
		b.stale[path] = w.record(path)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = b
}

// heal ends the breakage, and returns how many calls it has affected.
func (w *env) heal() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken == nil {
		return 0
	}
	hits := w.broken.hits
	close(w.broken.over)
	w.broken = nil
	return hits
}

// writesSince returns how many changing requests came after a time.
func (w *env) writesSince(at time.Time) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, write := range w.writes {
		if write.After(at) {
			n++
		}
	}
	return n
}

// leak records that a credential was sent to a foreign host.
func (w *env) leak(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leaked = append(w.leaked, what)
}

func (w *env) heldBy(server string, addrs ...netip.Addr) bool {
	return !slices.ContainsFunc(addrs, func(addr netip.Addr) bool {
		return !slices.Equal(w.Cloud.Holders(addr), []string{server})
	})
}

// quiet reports whether the cloud was called, but not within the last 200 ms.
func (w *env) quiet() bool {
	calls := w.Cloud.Calls()
	return len(calls) > 0 && time.Since(calls[len(calls)-1].At) > 200*time.Millisecond
}

// soon waits until a condition holds, and returns how long that took. If it takes longer than within, the test fails but goes on.
func (w *env) soon(what string, within time.Duration, is func() bool) time.Duration {
	w.t.Helper()
	start := time.Now()
	for !is() {
		if time.Since(start) > within {
			w.t.Errorf("not within %v: %s", within, what)
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(start)
}
