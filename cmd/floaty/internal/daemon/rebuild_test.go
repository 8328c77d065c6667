package daemon

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/inputs"
	"floaty/config"
	"floaty/desired"
	"floaty/desired/keepalived"
	"floaty/desired/keepalived/conf"
	"floaty/providers/simulator"
)

const (
	thisServer    = "11111111-1111-4111-8111-111111111111"
	anotherServer = "22222222-2222-4222-8222-222222222222"
)

var floating = netip.MustParseAddr("198.51.100.1")

// newDaemonAt returns a daemon that is not running, and whose address is at another server in the simulated cloud.
func newDaemonAt(t *testing.T, cloud *simulator.Cloud) *daemon {
	t.Helper()
	cloud.SetToken("token")
	cloud.AddServer(thisServer, "lb1")
	cloud.AddServer(anotherServer, "lb2")
	cloud.AddAddress(netip.PrefixFrom(floating, 32), anotherServer)
	api := httptest.NewServer(cloud.Handler())
	t.Cleanup(api.Close)
	t.Cleanup(cloud.ClearFaults) // runs before api.Close, which would wait for requests that hang
	path := filepath.Join(t.TempDir(), "floaty.yml")
	text := fmt.Sprintf("provider: cloudscale\ncloudscale: {endpoint: %q, token: token, server-uuid: %s}\ninstances: {VI: {addresses: [%s]}}\n",
		api.URL, thisServer, floating)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := inputs.Load(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDaemon(Options{Config: path, Names: &ServerNames{}, Log: logr.Discard()}, s, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// If a call does not return, ending an engine takes two seconds. A MASTER line that arrives meanwhile is a takeover like any other: it
// does not wait for a reading.
func TestChangesDuringARebuildReachTheNextEngine(t *testing.T) {
	cloud := simulator.New()
	d := newDaemonAt(t, cloud)
	ctx, end := context.WithCancel(t.Context())
	d.engine.Load().start(ctx)
	stuck, stopped := make(chan struct{}), make(chan struct{}, 2)
	d.engine.Load().done.Go(func() { <-stuck })
	stop := d.engine.Load().stop
	d.engine.Load().stop = func() {
		stop()
		stopped <- struct{}{}
	}
	cloud.Fail(simulator.Fault{Method: http.MethodGet, Kind: simulator.Hang})
	rebuilt := make(chan error, 1)
	go func() { rebuilt <- d.rebuild(ctx, otherTiming(d)) }()
	<-stopped
	d.saysMaster()
	close(stuck)
	if err := <-rebuilt; err != nil {
		t.Fatal(err)
	}
	eventually(t, "the address is here", func() bool { return slices.Equal(cloud.Holders(floating), []string{thisServer}) })
	end()
	d.engine.Load().end()
}

// Ending an engine cancels its writes. The next engine repeats them, and does not wait for a reading either.
func TestAnUnansweredClaimOutlivesItsEngine(t *testing.T) {
	cloud := simulator.New()
	d := newDaemonAt(t, cloud)
	ctx, end := context.WithCancel(t.Context())
	cloud.Fail(simulator.Fault{Method: http.MethodGet, Kind: simulator.Hang})
	cloud.Fail(simulator.Fault{Method: http.MethodPatch, Kind: simulator.Hang, Times: 1})
	d.engine.Load().start(ctx)
	eventually(t, "the server is known", func() bool { return d.state.Server() != "" })
	d.saysMaster()
	eventually(t, "a write is under way", func() bool {
		return slices.ContainsFunc(cloud.Calls(), func(c simulator.Call) bool { return c.Method == http.MethodPatch })
	})
	if err := d.rebuild(ctx, otherTiming(d)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the address is here", func() bool { return slices.Equal(cloud.Holders(floating), []string{thisServer}) })
	end()
	d.engine.Load().end()
}

// otherTiming returns d's configuration with another refresh interval, which needs a new engine.
func otherTiming(d *daemon) inputs.Inputs {
	next := d.files.running
	timing := *next.Config
	timing.RefreshInterval = 2 * time.Minute
	next.Config = &timing
	return next
}

func (d *daemon) saysMaster() {
	d.update(func() desired.Change {
		return d.state.SetKeepalived(map[string]keepalived.Status{"VI": {State: keepalived.Master, Claims: 1}})
	})
}

// eventually waits until is returns true, for half the time that a read may take.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("not within 5 s: %s", what)
			return
		}
	}
}

// A new path of the pid file counts from the next lookup on, whether floaty.yml or keepalived.conf sets it.
func TestANewPathOfThePIDFileNeedsNoRestart(t *testing.T) {
	d := newDaemonAt(t, simulator.New())
	for what, c := range map[string]struct {
		configured string
		keepalived *conf.Config
		want       string
	}{
		"floaty.yml":      {"/run/other.pid", nil, "/run/other.pid"},
		"keepalived.conf": {"", &conf.Config{Globals: conf.Globals{Instance: "two"}}, "/run/keepalived/vrrp_two.pid"},
		"neither":         {"", nil, "/run/vrrp.pid"},
	} {
		next := d.files.running
		edited := *next.Config
		edited.KeepalivedPIDFile = c.configured
		next.Config, next.Keepalived = &edited, c.keepalived
		if err := d.adopt(t.Context(), next, config.Changes(d.files.running.Config, next.Config), inputs.SameKeepalived(d.files.running.Keepalived, next.Keepalived)); err != nil {
			t.Fatal(err)
		}
		if got := d.sources.Load().pidFile; got != c.want {
			t.Errorf("%s: got %s, want %s", what, got, c.want)
		}
		d.files.running = next
	}
}
