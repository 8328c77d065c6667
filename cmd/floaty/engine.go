package main

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/serve"
	"floaty/config"
	"floaty/controller"
	"floaty/desired"
	"floaty/observed"
	"floaty/providers"
	"floaty/providers/cloudscale"
	"floaty/providers/exoscale"
	"floaty/providers/logkey"
)

// A cloud is a provider with what only the command asks of it.
type cloud interface {
	providers.Provider
	// Describe tells the name of a server, and what the API's clock says, also with most errors.
	Describe(ctx context.Context, server string) (name string, clock time.Time, err error)
	// ServerName returns the name of a server, as far as readings have told it; empty: it is not known.
	ServerName(id string) string
	// Close closes the connections that no call uses.
	Close()
}

// cloudOptions is what a cloud needs beside its setup.
type cloudOptions struct {
	secrets   func() *config.Config                                     // what it returns is asked for the credential on every call
	before    func(context.Context) error                               // whether a changing request may be sent; nil: it may
	observe   func(ctx context.Context, status int, took time.Duration) // is told of each request; nil: nobody is
	addresses func() int                                                // how many there are; nil: none will be written
	log       logr.Logger
}

// newCloud returns the cloud of a setup.
func newCloud(s setup, opts cloudOptions) (cloud, error) {
	build, known := map[string]func(*config.Config, cloudOptions) (cloud, error){
		"cloudscale": newCloudscale,
		"exoscale":   newExoscale,
	}[s.config.Provider]
	if !known {
		return nil, fmt.Errorf("provider %q is not known", s.config.Provider)
	}
	return build(s.config, opts)
}

func newCloudscale(c *config.Config, opts cloudOptions) (cloud, error) {
	provider, err := cloudscale.New(cloudscale.Options{
		Endpoint:              c.Cloudscale.Endpoint,
		Token:                 func() string { return opts.secrets().Cloudscale.Token.Reveal() },
		Server:                c.Cloudscale.ServerUUID,
		Before:                opts.before,
		Observe:               opts.observe,
		Addresses:             opts.addresses,
		MaxConcurrentRequests: c.MaxConcurrentRequests,
	})
	if err != nil {
		return nil, err
	}
	return hostNamed{provider, opts.secrets}, nil
}

func newExoscale(c *config.Config, opts cloudOptions) (cloud, error) {
	return exoscale.New(exoscale.Options{
		Endpoint: c.Exoscale.Endpoint,
		Zone:     c.Exoscale.Zone,
		Credential: func() (key, secret string) {
			c := opts.secrets().Exoscale
			return c.Key.Reveal(), c.Secret.Reveal()
		},
		Instance:              c.Exoscale.InstanceID,
		Before:                opts.before,
		Observe:               opts.observe,
		DetachManaged:         c.Exoscale.DetachManaged,
		Addresses:             opts.addresses,
		MaxConcurrentRequests: c.MaxConcurrentRequests,
		Log:                   opts.log,
	})
}

// A rehearsal asks before what a dry run would write, for no request does.
type rehearsal struct {
	providers.Provider
	before func(context.Context) error // may be nil
}

func (r rehearsal) Assign(ctx context.Context, addr netip.Addr, server string, seen []string) error {
	if r.before != nil {
		if err := r.before(ctx); err != nil {
			return err
		}
	}
	return r.Provider.Assign(ctx, addr, server, seen)
}

// An engine is all that talks to the cloud. One is built for each change of provider or timing.
type engine struct {
	cloud cloud
	paced *providers.Paced
	seen  *observed.Observed
	ctl   *controller.Controller
	stop  context.CancelFunc
	done  sync.WaitGroup
}

// engineOptions is what an engine needs beside its setup.
type engineOptions struct {
	dryRun  bool
	desired *desired.State
	secrets func() *config.Config
	before  func(context.Context) error // is asked before each changing request, in a dry run too; nil: nothing is
	found   func(server string)
	monitor *serve.Monitor
	names   *serverNames
	log     logr.Logger
}

func newEngine(s setup, opts engineOptions) (*engine, error) {
	log := opts.log.WithValues(logkey.Provider, s.config.Provider)
	cloud, err := newCloud(s, cloudOptions{
		secrets: opts.secrets, before: opts.before, observe: opts.monitor.Requested, addresses: opts.desired.Len, log: log,
	})
	if err != nil {
		return nil, err
	}
	opts.names.cloud.Store(&cloud)
	e := &engine{cloud: cloud}
	e.paced = providers.NewPaced(cloud, providers.PacedOptions{
		MaxInterval: s.config.BackOff.MaxInterval,
		Spread:      0.5, // see hack/decisions/008
		Resumed:     func() { e.ctl.Resume() },
		Log:         log,
	})
	provider := opts.monitor.Watch(e.paced)
	if opts.dryRun {
		provider = rehearsal{providers.DryRun(provider), opts.before}
	}
	e.seen = observed.New(observed.Options{
		Provider:  provider,
		Addresses: opts.desired.Addresses,
		Interval:  s.config.RefreshInterval,
		Timeout:   s.config.RefreshTimeout,
		BackOff:   backOff(s.config.BackOff),
		Found:     opts.found,
		OnRead:    func(addrs []netip.Addr) { e.ctl.ReadDone(addrs) },
		Log:       log,
	})
	e.ctl = controller.New(controller.Options{
		Desired:    opts.desired,
		Observed:   e.seen,
		Provider:   provider,
		Interval:   s.config.RefreshInterval,
		Timeout:    s.config.RefreshTimeout,
		BackOff:    backOff(s.config.BackOff),
		Concurrent: s.config.MaxConcurrentRequests,
		Log:        log,
		Recorder:   opts.monitor,
		Metrics:    opts.monitor.Queue(),
	})
	return e, nil
}

func backOff(b config.BackOff) observed.BackOff {
	return observed.BackOff{Initial: b.InitialInterval, Multiplier: b.Multiplier, Max: b.MaxInterval, MaxElapsed: b.MaxElapsedTime}
}

// start lets the engine work until ctx or end.
func (e *engine) start(ctx context.Context) {
	ctx, e.stop = context.WithCancel(ctx)
	e.done.Go(func() { e.seen.Run(ctx) })
	e.done.Go(func() { e.ctl.Run(ctx) })
}

// end cancels all calls and waits until they have returned.
func (e *engine) end() {
	e.stop()
	e.done.Wait()
	e.cloud.Close()
}

// apply hands a change on. A MASTER line tries at once, also while the credential is refused.
func (e *engine) apply(change desired.Change) {
	if len(change.Claimed) > 0 {
		e.paced.Probe()
	}
	e.ctl.Enqueue(change.Addresses()...)
}
