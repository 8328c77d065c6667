package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"floaty/hack/testenv"
	"floaty/providers/simulator"
)

// scriptGroup is a group that every Debian has. It stands in for floaty's own group, of which the user of Keepalived's scripts is a member.
const scriptGroup = 1 // daemon

// A readyEnv is an env in which Keepalived checks whether floaty is ready, as hack/docs recommends: in a script that runs as an unprivileged
// user, with a weight above the difference of the priorities, and with several attempts.
type readyEnv struct {
	*env
	program string // floaty, at a path from which Keepalived runs it despite script security
}

func newReadyEnv(t *testing.T) *readyEnv {
	t.Helper()
	w := &readyEnv{env: newEnv(t)}
	dir, err := os.MkdirTemp("/var/lib", "floaty-e2e-") // all parent directories must be writable by root only
	w.must(err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w.must(os.Chmod(dir, 0o755)) //nolint:gosec // other users run it
	w.program = filepath.Join(dir, "floaty")
	data, err := os.ReadFile(program)
	w.must(err)
	w.must(os.WriteFile(w.program, data, 0o755)) //nolint:gosec // other users run it
	for _, h := range []*testenv.Host{w.a, w.b} {
		state := h.Path("state") // as created by tmpfiles.d, except for its user
		w.must(os.Mkdir(state, 0o750))
		w.must(os.Chown(state, 0, scriptGroup))
		w.must(os.Chmod(state, 0o750|os.ModeSetgid)) // the socket must belong to this group
		w.must(os.Chmod(h.Dir, 0o711))               //nolint:gosec // the script's user must reach the socket
	}
	w.must(os.Chmod(w.Dir, 0o755))               //nolint:gosec // as above
	w.must(os.Chmod(filepath.Dir(w.Dir), 0o755)) //nolint:gosec // as above
	return w
}

// startHost starts floaty, then Keepalived with the script in its configuration.
func (w *readyEnv) startHost(h *testenv.Host, priority int) {
	w.Helper()
	w.must(h.StartFloaty())
	var socket []string
	w.eventually("floaty creates its socket", 5*time.Second, func() bool {
		socket, _ = filepath.Glob(h.Path("state") + "/*.sock")
		return len(socket) == 1
	})
	text := h.Keepalived(priority, "    track_script {\n        floaty_ready\n    }", addrs...)
	script := fmt.Sprintf(`vrrp_script floaty_ready {
    script "%s --ready %s"
    user nobody daemon
    interval 1
    timeout 5
    fall 3
    rise 3
    weight 60
}
`, w.program, socket[0])
	before, after, found := strings.Cut(text, "vrrp_instance ")
	if !found {
		w.Fatal("no vrrp_instance in keepalived.conf")
	}
	w.must(h.Configure("keepalived.conf", before+script+"vrrp_instance "+after))
	w.must(h.StartKeepalived())
}

// succeeds waits until Keepalived has logged that the script succeeds.
func (w *readyEnv) succeeds(h *testenv.Host) {
	w.Helper()
	w.eventually("the script succeeds on "+h.Name, 15*time.Second, func() bool {
		said, err := os.ReadFile(h.Path("keepalived.log"))
		return err == nil && strings.Contains(string(said), "VRRP_Script(floaty_ready) succeeded")
	})
}

// stays checks for the given time that h keeps the addresses.
func (w *readyEnv) stays(what string, h *testenv.Host, during time.Duration) {
	w.Helper()
	for deadline := time.Now().Add(during); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		for _, addr := range addrs {
			if holders := w.Cloud.Holders(addr); len(holders) != 1 || holders[0] != h.UUID {
				w.Fatalf("%s: %v is at %v, want it to stay at %s", what, addr, holders, h.Name)
			}
		}
	}
}

func TestAHostThatCannotReachTheAPIGivesUpItsAddresses(t *testing.T) {
	w := newReadyEnv(t)
	w.startHost(w.a, 150)
	w.at(w.a, 20*time.Second)
	w.succeeds(w.a) // the first run fails, because Keepalived has not reported a state yet; then three must succeed
	w.startHost(w.b, 100)
	w.succeeds(w.b)
	w.stays("the other host's start", w.a, 2*time.Second)

	w.a.StopFloaty()
	w.must(w.a.StartFloaty())
	w.stays("floaty's own restart", w.a, 5*time.Second)

	var reads atomic.Int64
	w.Cloud.OnCall(func(call simulator.Call) {
		if call.Method == http.MethodGet && strings.HasPrefix(call.Remote, w.a.Addr+":") && reads.Add(1)%2 == 1 {
			w.Cloud.Fail(simulator.Fault{Method: http.MethodGet, Times: 1})
		}
	})
	w.stays("every other read fails", w.a, 8*time.Second)
	w.Cloud.OnCall(nil)
	w.Cloud.ClearFaults()
	if n := reads.Load(); n < 4 {
		t.Errorf("%d reads, want at least 4, of which every other one fails", n)
	}

	w.unreachable(w.a, "add")
	w.at(w.b, 30*time.Second)
	w.unreachable(w.a, "del")
	w.at(w.a, 30*time.Second)

	w.unreachable(w.a, "add") // an outage for both: the host with the higher priority stays MASTER
	w.unreachable(w.b, "add")
	w.stays("an outage for both", w.a, 8*time.Second)
}

// unreachable adds or deletes a route that hides the cloud from a host.
func (w *readyEnv) unreachable(h *testenv.Host, verb string) {
	w.Helper()
	cloud := strings.TrimPrefix(w.URL, "http://")
	out, err := exec.CommandContext(w.Context(), "ip", "-n", h.Space(), "route", verb, "unreachable", cloud+"/32").CombinedOutput() //nolint:gosec // no foreign input
	if err != nil {
		w.Fatalf("ip route %s: %v: %s", verb, err, out)
	}
}
