package nagios_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"floaty/hack/testenv"
	"floaty/providers/simulator"
)

// program is floaty, built once.
var program string

func TestMain(m *testing.M) {
	os.Exit(testenv.RunTests(m.Run, 8, func(path string) error { // these tests mostly wait
		program = path
		return nil
	}))
}

// The test runs the plugin against a real floaty through its socket, while several things go wrong on the host.
func TestThePluginReportsTheStateOfARealFloaty(t *testing.T) {
	t.Parallel()
	s, err := testenv.New(t.Context(), filepath.Join(shortDir(t), "env"), program, false)
	if err != nil {
		t.Fatal(err)
	}
	h, err := s.AddHost(t.Context(), "lb1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("floaty has logged:\n%s", h.Log())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	const other = "99999999-9999-4999-8999-999999999999"
	addr := netip.MustParseAddr("198.51.100.1")
	s.Cloud.AddServer(other, "other")
	s.AddAddresses(other, addr)
	must(t, h.Configure("floaty.yml", h.Floaty()))
	must(t, h.Configure("keepalived.conf", h.Keepalived(100, "", addr)))
	says := func(status int, text string) {
		t.Helper()
		until(t, fmt.Sprintf("%d and %q", status, text), func() (string, bool) {
			got, said := check(t, "-f", program, h.Path("floaty.yml"))
			return fmt.Sprintf("%d and %q", got, said), got == status && strings.Contains(said, text)
		})
	}

	says(critical, "no status from "+h.Path("floaty.yml"))
	must(t, h.StartFloaty())
	says(warning, "FLOATY WARNING: not ready: ")
	must(t, h.Say(`INSTANCE "VI_1" MASTER 100`))
	says(ok, "FLOATY OK: 1 of 1 addresses in place, MASTER of 1 of 1 instances | ")
	s.Cloud.Fail(simulator.Fault{Method: http.MethodPatch, Status: http.StatusForbidden})
	s.Cloud.Move(addr, other)
	says(critical, addr.String()+" belongs here and is not in place: ")
	s.Cloud.ClearFaults()
	says(ok, "FLOATY OK: 1 of 1")
	must(t, h.Configure("floaty.yml", "provider: nobody\n"))
	socket, err := filepath.Glob(h.Path("state/*.sock*"))
	if err != nil || len(socket) != 1 {
		t.Fatalf("%s has the sockets %q, want one", h.Path("state"), socket)
	}
	until(t, "a warning about the configuration", func() (string, bool) {
		got, said := check(t, "-f", program, socket[0])
		return fmt.Sprintf("%d and %q", got, said), got == warning && strings.Contains(said, "the configuration is unusable")
	})
	h.StopFloaty()
	if got, said := check(t, "-f", program, socket[0]); got != critical {
		t.Errorf("after floaty has ended: got %d and %q, want %d", got, said, critical)
	}
}

// shortDir returns a temporary directory with a short path: a unix socket's path has at most 107 bytes, which [testing.T.TempDir] may exceed.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "floaty-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until waits until is returns true; if that takes more than a minute, the test fails with the result that is returned last.
func until(t *testing.T, what string, is func() (got string, ok bool)) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		got, ok := is()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %s within a minute, want %s", got, what)
		}
	}
}
