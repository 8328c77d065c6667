package daemon

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"floaty/cmd/floaty/internal/inputs"
	"floaty/providers/providertest"
	"floaty/providers/simulator"
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

// A line from Keepalived may arrive at the very moment when another provider is put into force. The server that the old configuration maps
// this host to must not become known again: nothing would correct it.
func TestALineDuringARebuildDoesNotBringTheOldServerBack(t *testing.T) {
	d := newDaemonAt(t, simulator.New())
	byName, exoscale := d.files.running, d.files.running
	one, other := *byName.Config, *exoscale.Config
	one.Cloudscale.ServerUUID, one.Cloudscale.HostnameToServerUUID = "", map[string]string{inputs.HostName(): thisServer}
	other.Provider, other.Exoscale.Endpoint, other.Exoscale.InstanceID = "exoscale", one.Cloudscale.Endpoint, anotherServer
	byName.Config, exoscale.Config = &one, &other
	ctx, end := context.WithCancel(t.Context())
	d.engine.Load().start(ctx)
	var lines sync.WaitGroup
	lines.Go(func() {
		for ctx.Err() == nil {
			d.checkHostName()
		}
	})
	for range 30 {
		for next, want := range map[*inputs.Inputs]string{&byName: thisServer, &exoscale: anotherServer} {
			if err := d.rebuild(ctx, *next); err != nil {
				t.Fatal(err)
			}
			d.files.running = *next
			eventually(t, "the server is "+want, func() bool { return d.state.Server() == want })
		}
		if t.Failed() {
			break
		}
	}
	end()
	lines.Wait()
	d.engine.Load().end()
}
