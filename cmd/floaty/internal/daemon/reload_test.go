package daemon

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"floaty/cmd/floaty/internal/inputs"
	"floaty/config"
	"floaty/desired/keepalived/conf"
	"floaty/providers"
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

// A user whom keepalived.conf names may be created after the start: neither file changes then.
func TestAnOwnerOfTheFIFOCountsOnceTheUserExists(t *testing.T) {
	d := newDaemonAt(t, simulator.New())
	d.files.running.Keepalived = &conf.Config{}
	next := d.files.running
	next.FIFOOwners = []uint32{4711}
	d.reload(t.Context(), next, nil, true)
	if got := d.sources.Load().owners; !slices.Equal(got, next.FIFOOwners) {
		t.Errorf("got the owners %v, want %v", got, next.FIFOOwners)
	}
}

// What was read at one endpoint says nothing about another one, and a Retry-After of the one does not hold back calls to the other. An
// endpoint of Exoscale may be given by its zone alone.
func TestNeitherReadinessNorRetryAfterOutlivesTheEndpoint(t *testing.T) {
	const unread = "the cloud has not been read yet"
	exoscale := func(c *config.Config) { c.Provider, c.Exoscale.Zone = "exoscale", "ch-gva-2" }
	for what, c := range map[string]struct {
		before, edit func(*config.Config)
		same         bool
	}{
		"another timing":   {func(*config.Config) {}, func(c *config.Config) { c.RefreshInterval *= 2 }, true},
		"another endpoint": {func(*config.Config) {}, func(c *config.Config) { c.Cloudscale.Endpoint = "http://127.0.0.1:1" }, false},
		"another provider": {func(*config.Config) {}, exoscale, false},
		"another zone":     {exoscale, func(c *config.Config) { c.Exoscale.Zone = "ch-dk-2" }, false},
		"a zone that does not matter": {
			func(c *config.Config) { exoscale(c); c.Exoscale.Endpoint = "http://127.0.0.1:1/v2" },
			func(c *config.Config) { c.Exoscale.Zone = "ch-dk-2" }, true,
		},
	} {
		d := newDaemonAt(t, simulator.New())
		d.files.running = edited(d.files.running, c.before)
		ctx, end := context.WithCancel(t.Context())
		end() // no engine calls a cloud
		d.engine.Load().start(ctx)
		reads := &throttled{}
		if _, err := d.monitor.Watch(reads).Read(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		reads.err = &providers.WaitError{Wait: time.Minute, Err: errors.New("too many")}
		d.engine.Load().paced = providers.NewPaced(reads, providers.PacedOptions{})
		_, _ = d.engine.Load().paced.Read(t.Context(), nil) // told to wait
		if err := d.rebuild(ctx, edited(d.files.running, c.edit)); err != nil {
			t.Fatal(err)
		}
		if got := !slices.Contains(d.monitor.NotReady(), unread); got != c.same {
			t.Errorf("%s: got %q; does the last read count: want %v", what, d.monitor.NotReady(), c.same)
		}
		_, err := d.engine.Load().paced.Read(ctx, []netip.Addr{floating})
		if got := errors.As(err, new(*providers.WaitError)); got != c.same {
			t.Errorf("%s: got %v; does the Retry-After count: want %v", what, err, c.same)
		}
		d.engine.Load().end()
	}
}

// edited returns inputs with an edited copy of their configuration.
func edited(s inputs.Inputs, edit func(*config.Config)) inputs.Inputs {
	c := *s.Config
	edit(&c)
	s.Config = &c
	return s
}

// A throttled answers every read with err.
type throttled struct {
	providers.Provider
	err error
}

func (r *throttled) Read(context.Context, []netip.Addr) (map[netip.Addr]providers.Holding, error) {
	return nil, r.err
}
