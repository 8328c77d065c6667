package client

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
)

func TestWhyADaemonIsNotReadyIsOneLineWithoutItsHeading(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	daemon := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "not ready: no server; no FIFO", http.StatusServiceUnavailable)
	}))
	daemon.Listener = listener
	daemon.Start()
	defer daemon.Close()
	if err := New(socket).Ready(t.Context()); err == nil || err.Error() != "no server; no FIFO" {
		t.Errorf("got %v, want what is missing", err)
	}
}
