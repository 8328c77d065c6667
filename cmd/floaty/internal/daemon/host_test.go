package daemon

import (
	"os"
	"path/filepath"
	"testing"

	"floaty/cmd/floaty/internal/inputs"
	"floaty/providers/providertest"
)

// If the metadata service has not answered yet, the first line of a daemon does not name the server.
func TestAServerFoundAfterTheStartIsLoggedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "floaty.yml")
	text := "provider: cloudscale\ncloudscale: {token: token}\ninstances: {VI: {addresses: [198.51.100.1]}}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := inputs.Load(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	var log providertest.Log
	d, err := newDaemon(Options{Config: path, Names: &ServerNames{}, Log: log.Logger()}, s, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.serverFound(thisServer)
	d.serverFound(thisServer)
	d.serverFound(anotherServer) // as if this host had been renamed in the meantime
	if n := len(log.Lines("this host was renamed")); n != 1 {
		t.Errorf("got %d lines about a renamed host, want 1", n)
	}
	if n := len(log.Lines("it is now known which server this is")); n != 1 {
		t.Errorf("got %d lines that name the server, want 1", n)
	}
}
