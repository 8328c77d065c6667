package main_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"floaty/hack/testenv"
)

// program is the path of floaty, which is built once for all tests.
var program string

func TestMain(m *testing.M) {
	os.Exit(testenv.RunTests(m.Run, 32, func(path string) error { // these tests wait more than they compute
		program = path
		return nil
	}))
}

const (
	interval = 2 * time.Second // the refresh interval of the hosts
	stranger = "99999999-9999-4999-8999-999999999999"
)

var (
	one   = netip.MustParseAddr("198.51.100.1")
	two   = netip.MustParseAddr("198.51.100.2")
	three = netip.MustParseAddr("2001:db8::3")
)

// An env is an environment with one host. The host has no Keepalived: the test writes Keepalived's lines itself.
type env struct {
	*testing.T
	*testenv.Env
	*testenv.Host
}

// newEnv creates an environment in which addrs belong to the instance and point at a stranger. Nothing runs yet.
func newEnv(t *testing.T, addrs ...netip.Addr) *env {
	t.Helper()
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
	s, err := testenv.New(t.Context(), dir, program, false)
	if err != nil {
		t.Fatal(err)
	}
	h, err := s.AddHost(t.Context(), "lb1")
	if err != nil {
		t.Fatal(err)
	}
	w := &env{T: t, Env: s, Host: h}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("floaty's log:\n%s", h.Log())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Cloud.AddServer(stranger, "stranger")
	s.AddAddresses(stranger, addrs...)
	w.must(h.Configure("floaty.yml", h.Floaty()))
	w.must(h.Configure("keepalived.conf", h.Keepalived(100, "", addrs...)))
	return w
}

func (w *env) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// start starts floaty and waits until it has read the cloud and made the FIFO.
func (w *env) start(args ...string) {
	w.Helper()
	w.must(w.StartFloaty(args...))
	w.eventually("floaty makes the FIFO", 5*time.Second, func() bool { _, err := os.Stat(w.FIFO); return err == nil })
	w.eventually("floaty reads the cloud", 5*time.Second, func() bool {
		calls := w.Cloud.Calls()
		return len(calls) > 0 && calls[0].Status != 0
	})
}

// says writes the line with which Keepalived reports this state of the instance.
func (w *env) says(state string) {
	w.Helper()
	w.must(w.Say(fmt.Sprintf(`INSTANCE "VI_1" %s 100`, state)))
}

func (w *env) eventually(what string, within time.Duration, is func() bool) {
	w.Helper()
	for deadline := time.Now().Add(within); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("not within %v: %s", within, what)
		}
	}
}

// never checks for a while that a condition does not hold.
func (w *env) never(what string, during time.Duration, is func() bool) {
	w.Helper()
	for deadline := time.Now().Add(during); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if is() {
			w.Fatal(what)
		}
	}
}

func (w *env) here(addr netip.Addr) bool {
	return slices.Equal(w.Cloud.Holders(addr), []string{w.UUID})
}

// holds waits until the addresses are at this host.
func (w *env) holds(within time.Duration, addrs ...netip.Addr) {
	w.Helper()
	w.eventually(fmt.Sprintf("%v are here", addrs), within, func() bool {
		return !slices.ContainsFunc(addrs, func(addr netip.Addr) bool { return !w.here(addr) })
	})
}

// logged counts the lines of the log that contain text.
func (w *env) logged(text string) int {
	n := 0
	for line := range strings.Lines(w.Log()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// loggedInTotal does the same after the log has stopped growing. Lines are written concurrently, and may come later than what they
// report.
func (w *env) loggedInTotal(text string) int {
	for size, still := -1, 0; still < 10; time.Sleep(10 * time.Millisecond) {
		if now := len(w.Log()); now != size {
			size, still = now, 0
		} else {
			still++
		}
	}
	return w.logged(text)
}

// run runs floaty until it ends.
func run(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var out, err strings.Builder
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // our own arguments
	cmd.Stdout, cmd.Stderr = &out, &err
	_ = cmd.Run() // the exit status tells whether it failed
	return cmd.ProcessState.ExitCode(), out.String(), err.String()
}
