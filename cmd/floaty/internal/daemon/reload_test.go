package daemon

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"floaty/cmd/floaty/internal/inputs"
	"floaty/providers/providertest"
	"floaty/providers/simulator"
)

// An operator who sends SIGHUP wants to know what came of it. A file that is merely touched is no news.
func TestAnUnusableConfigurationIsLoggedAgainAfterSIGHUP(t *testing.T) {
	var log providertest.Log
	d := newDaemonAt(t, simulator.New())
	d.opts.Log = log.Logger()
	for i, c := range []struct{ requested, logged bool }{{false, true}, {false, false}, {true, true}, {true, true}} {
		before := len(log.Lines("stays in force"))
		d.reload(t.Context(), inputs.Inputs{}, errors.New("floaty.yml: nonsense: unknown key"), c.requested)
		if logged := len(log.Lines("stays in force")) > before; logged != c.logged {
			t.Errorf("reading %d, requested: %v: got it logged: %v, want %v", i+1, c.requested, logged, c.logged)
		}
	}
}

// What was read at one endpoint says nothing about another one.
func TestANewEndpointIsNotReadyBeforeItIsRead(t *testing.T) {
	const unread = "the cloud has not been read yet"
	d := newDaemonAt(t, simulator.New())
	ctx, end := context.WithCancel(t.Context())
	d.engine.Load().start(ctx)
	eventually(t, "the cloud is read", func() bool { return !slices.Contains(d.monitor.NotReady(), unread) })
	if err := d.rebuild(ctx, otherTiming(d)); err != nil {
		t.Fatal(err)
	}
	if got := d.monitor.NotReady(); slices.Contains(got, unread) {
		t.Errorf("another timing: got %q, want the last read to count", got)
	}
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	next := d.files.running
	edited := *next.Config
	edited.Cloudscale.Endpoint = silent.URL
	next.Config = &edited
	if err := d.rebuild(ctx, next); err != nil {
		t.Fatal(err)
	}
	if got := d.monitor.NotReady(); !slices.Contains(got, unread) {
		t.Errorf("another endpoint: got %q, want %q among it", got, unread)
	}
	end()
	d.engine.Load().end()
}
