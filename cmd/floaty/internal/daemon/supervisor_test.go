package daemon

import (
	"net"
	"path/filepath"
	"testing"

	"floaty/providers/providertest"
)

// The watchdog is fed every few seconds, so a failure must not be logged each time.
func TestAServiceManagerThatCannotBeReachedIsLoggedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("SYSTEMD_EXEC_PID", "")
	t.Setenv("WATCHDOG_USEC", "3000000")
	t.Setenv("WATCHDOG_PID", "")
	var log providertest.Log
	s := newSupervisor(log.Logger())
	for range 5 {
		s.healthy()
	}
	if lines := log.Lines("cannot notify systemd"); len(lines) != 1 {
		t.Errorf("got %d lines, want one: %q", len(lines), lines)
	}
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = manager.Close() }()
	for range 5 {
		s.healthy()
	}
	if lines := log.Lines(""); len(lines) != 2 || len(log.Lines("systemd can be notified again")) != 1 {
		t.Errorf("got %q, want one line for the failure and one for the recovery", lines)
	}
}
