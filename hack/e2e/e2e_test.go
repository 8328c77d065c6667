// Package e2e_test tests the whole system: two hosts in network namespaces, each with a real Keepalived and floaty, and one simulated cloud.
package e2e_test

import (
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"floaty/hack/testenv"
)

// interval is the refresh interval of the hosts.
const interval = 2 * time.Second

var addrs = []netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")}

// program is floaty, built once.
var program string

func TestMain(m *testing.M) {
	if os.Getenv("FLOATY_E2E") == "" {
		os.Exit(m.Run()) // skips all tests
	}
	os.Exit(testenv.RunTests(m.Run, 8, func(path string) error { // these tests mostly wait
		program = path
		return nil
	}))
}

// An env is an environment with two hosts; a has the higher priority.
type env struct {
	*testing.T
	*testenv.Env
	a, b     *testenv.Host
	exoscale bool // the simulated cloud is Exoscale, not cloudscale.ch
}

// onBoth runs a test with each cloud.
func onBoth(t *testing.T, story func(t *testing.T, w *env)) {
	t.Parallel()
	t.Run("cloudscale.ch", func(t *testing.T) { story(t, newEnv(t)) })
	t.Run("Exoscale", func(t *testing.T) { story(t, newExoscale(t)) })
}

// newEnv creates an environment whose floating IPs point at no server and whose hosts run nothing yet.
func newEnv(t *testing.T) *env {
	t.Helper()
	if os.Getenv("FLOATY_E2E") == "" {
		t.Skip("FLOATY_E2E is not set: hack/test sets it as root, where Keepalived is installed")
	}
	if os.Getuid() != 0 {
		t.Skip("not root, so network namespaces cannot be created")
	}
	if _, err := exec.LookPath(testenv.KeepalivedProgram()); err != nil {
		t.Skip("Keepalived is not installed")
	}
	t.Parallel()
	dir, err := os.MkdirTemp("", "floaty-") // t.TempDir's name may be too long for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	s, err := testenv.New(t.Context(), dir, program, true)
	if err != nil {
		t.Fatal(err)
	}
	w := &env{T: t, Env: s}
	t.Cleanup(w.closeEnv)
	for _, host := range []struct {
		name string
		at   **testenv.Host
	}{{"a", &w.a}, {"b", &w.b}} {
		if *host.at, err = s.AddHost(t.Context(), host.name); err != nil {
			t.Fatal(err)
		}
	}
	s.AddAddresses("", addrs...)
	w.configure(w.a, 150, "")
	w.configure(w.b, 100, "")
	return w
}

// closeEnv closes the environment. If the test has failed, it first prints the calls and the logs of floaty and Keepalived.
func (w *env) closeEnv() {
	if w.Failed() {
		for _, call := range w.Cloud.Calls() {
			w.Logf("%s %s %s from %s for %s: %d", call.At.Format("15:04:05.000"), call.Method, call.Path, call.Remote, call.Server, call.Status)
		}
		for _, h := range []*testenv.Host{w.a, w.b} {
			if h != nil {
				w.Logf("floaty on %s has logged:\n%s", h.Name, h.Log())
				if said, err := os.ReadFile(h.Path("keepalived.log")); err == nil {
					w.Logf("Keepalived on %s has logged:\n%s", h.Name, said)
				}
			}
		}
	}
	if err := w.Close(); err != nil {
		w.Error(err)
	}
}

func (w *env) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *env) configure(h *testenv.Host, priority int, more string) {
	w.Helper()
	floaty := h.Floaty()
	if w.exoscale {
		floaty = h.FloatyAtExoscale()
	}
	w.must(h.Configure("floaty.yml", floaty))
	w.must(h.Configure("keepalived.conf", h.Keepalived(priority, more, addrs...)))
}

// start starts floaty on hosts, then Keepalived.
func (w *env) start(hosts ...*testenv.Host) {
	w.Helper()
	for _, h := range hosts {
		w.must(h.StartFloaty())
	}
	for _, h := range hosts {
		w.eventually("floaty creates the FIFO", 5*time.Second, func() bool { return w.exists(h.FIFO) })
		w.must(h.StartKeepalived())
	}
}

// startBoth starts the first host, waits until it has the addresses, and then starts the second one, which hears its advertisements. If both
// started together, both might be MASTER for a moment on a busy machine.
func (w *env) startBoth() {
	w.Helper()
	w.start(w.a)
	w.at(w.a, 15*time.Second)
	w.start(w.b)
	w.eventually("the second host knows that it is not MASTER", 5*time.Second, func() bool { return w.said(w.b, "state=BACKUP") })
}

// saved waits until floaty on h has saved that it is MASTER, and which Keepalived process reported that. If it were killed before, it would
// know neither after a restart.
func (w *env) saved(h *testenv.Host) {
	w.Helper()
	w.eventually("floaty on "+h.Name+" has saved its state", 10*time.Second, func() bool {
		files, err := filepath.Glob(filepath.Join(h.Path("state"), "*.states"))
		w.must(err)
		for _, file := range files {
			saved, err := os.ReadFile(file) //nolint:gosec // of the environment
			w.must(err)
			if strings.Contains(string(saved), `"MASTER"`) && !strings.Contains(string(saved), `"pid":0,`) {
				return true
			}
		}
		return false
	})
}

func (w *env) eventually(what string, within time.Duration, is func() bool) {
	w.Helper()
	for deadline := time.Now().Add(within); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("not within %v: %s", within, what)
		}
	}
}

// at waits until h is the only holder of each address.
func (w *env) at(h *testenv.Host, within time.Duration) {
	w.Helper()
	w.eventually("all addresses are at "+h.Name, within, func() bool {
		return !slices.ContainsFunc(addrs, func(addr netip.Addr) bool { return !slices.Equal(w.Cloud.Holders(addr), []string{h.UUID}) })
	})
}

// writesOf returns the number of writes from h since the last ForgetCalls.
func (w *env) writesOf(h *testenv.Host) int {
	n := 0
	for _, call := range w.Cloud.Calls() {
		if call.Method != http.MethodGet && strings.HasPrefix(call.Remote, h.Addr+":") {
			n++
		}
	}
	return n
}

// writesNothing checks for the given time that floaty on h makes no write.
func (w *env) writesNothing(h *testenv.Host, during time.Duration) {
	w.Helper()
	for deadline := time.Now().Add(during); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if n := w.writesOf(h); n != 0 {
			w.Fatalf("%d writes by %s, want none", n, h.Name)
		}
	}
}

// steal points the first address at b, as a change from outside.
func (w *env) steal() {
	w.Cloud.Move(addrs[0], w.b.UUID)
}

func (w *env) said(h *testenv.Host, text string) bool { return strings.Contains(h.Log(), text) }

func (w *env) exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
