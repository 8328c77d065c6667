package main

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/inputs"
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

// A cloud is a provider with further methods that only the command needs.
type cloud interface {
	providers.Provider
	// Describe returns a server's name and the time of the API's clock, the latter with most errors too.
	Describe(ctx context.Context, server string) (name string, clock time.Time, err error)
	// ServerName returns a server's name, if a reading has contained it; empty: unknown.
	ServerName(id string) string
	// Close closes idle connections.
	Close()
}

// cloudOptions are what a cloud needs in addition to the inputs.
type cloudOptions struct {
	current   func() *config.Config                                     // returns the configuration in force, which every call takes the credential from
	fence     func(context.Context) error                               // called before each changing request; an error forbids it; nil: all are allowed
	observe   func(ctx context.Context, status int, took time.Duration) // called after each request; may be nil
	addresses func() int                                                // returns the number of managed addresses; nil: none will be assigned
	log       logr.Logger
}

// newCloud returns the configured cloud.
func newCloud(s inputs.Inputs, opts cloudOptions) (cloud, error) {
	build, known := map[string]func(*config.Config, cloudOptions) (cloud, error){
		"cloudscale": newCloudscale,
		"exoscale":   newExoscale,
	}[s.Config.Provider]
	if !known {
		return nil, fmt.Errorf("provider %q is not known", s.Config.Provider)
	}
	return build(s.Config, opts)
}

func newCloudscale(c *config.Config, opts cloudOptions) (cloud, error) {
	provider, err := cloudscale.New(cloudscale.Options{
		Endpoint:              c.Cloudscale.Endpoint,
		Token:                 func() string { return opts.current().Cloudscale.Token.Reveal() },
		Server:                c.Cloudscale.ServerUUID,
		Before:                opts.fence,
		Observe:               opts.observe,
		Addresses:             opts.addresses,
		MaxConcurrentRequests: c.MaxConcurrentRequests,
	})
	if err != nil {
		return nil, err
	}
	return namedByHost{provider, opts.current}, nil
}

func newExoscale(c *config.Config, opts cloudOptions) (cloud, error) {
	return exoscale.New(exoscale.Options{
		Endpoint: c.Exoscale.Endpoint,
		Zone:     c.Exoscale.Zone,
		Credential: func() (key, secret string) {
			c := opts.current().Exoscale
			return c.Key.Reveal(), c.Secret.Reveal()
		},
		Instance:              c.Exoscale.InstanceID,
		Before:                opts.fence,
		Observe:               opts.observe,
		DetachManaged:         c.Exoscale.DetachManaged,
		Addresses:             opts.addresses,
		MaxConcurrentRequests: c.MaxConcurrentRequests,
		Log:                   opts.log,
	})
}

// A fencedDryRun is a dry run that calls the fence before each simulated write, because no request is made that
// would.
type fencedDryRun struct {
	providers.Provider
	fence func(context.Context) error // may be nil
}

func (r fencedDryRun) Assign(ctx context.Context, addr netip.Addr, server string, seen []string) error {
	if r.fence != nil {
		if err := r.fence(ctx); err != nil {
			return err
		}
	}
	return r.Provider.Assign(ctx, addr, server, seen)
}

// An engine is everything that talks to the cloud. It is rebuilt when the provider or a timing changes.
type engine struct {
	cloud      cloud
	paced      *providers.Paced
	observed   *observed.Observed
	controller *controller.Controller
	stop       context.CancelFunc
	done       sync.WaitGroup
}

// engineOptions are what an engine needs in addition to the inputs.
type engineOptions struct {
	dryRun      bool
	desired     *desired.State
	current     func() *config.Config
	fence       func(context.Context) error // called before each changing request, in a dry run too; an error forbids it; nil: all are allowed
	serverFound func(server string)
	monitor     *serve.Monitor
	queue       *controller.QueueMetrics // nil: its figures are not wanted
	names       *serverNames
	log         logr.Logger
}

func newEngine(s inputs.Inputs, opts engineOptions) (*engine, error) {
	log := opts.log.WithValues(logkey.Provider, s.Config.Provider)
	cloud, err := newCloud(s, cloudOptions{
		current: opts.current, fence: opts.fence, observe: opts.monitor.Requested, addresses: opts.desired.Len, log: log,
	})
	if err != nil {
		return nil, err
	}
	opts.names.cloud.Store(&cloud)
	e := &engine{cloud: cloud}
	e.paced = providers.NewPaced(cloud, providers.PacedOptions{
		MaxInterval: s.Config.BackOff.MaxInterval,
		Spread:      0.5, // see hack/decisions/008
		Resumed:     func() { e.controller.Resume() },
		Log:         log,
	})
	provider := opts.monitor.Watch(e.paced)
	if opts.dryRun {
		provider = fencedDryRun{providers.DryRun(provider), opts.fence}
	}
	e.observed = observed.New(observed.Options{
		Provider:  provider,
		Addresses: opts.desired.Addresses,
		Interval:  s.Config.RefreshInterval,
		Timeout:   s.Config.RefreshTimeout,
		BackOff:   backOff(s.Config.BackOff),
		Found:     opts.serverFound,
		OnRead:    func(addrs []netip.Addr) { e.controller.ReadDone(addrs) },
		Log:       log,
	})
	e.controller = controller.New(controller.Options{
		Desired:    opts.desired,
		Observed:   e.observed,
		Provider:   provider,
		Interval:   s.Config.RefreshInterval,
		Timeout:    s.Config.RefreshTimeout,
		BackOff:    backOff(s.Config.BackOff),
		Concurrent: s.Config.MaxConcurrentRequests,
		Log:        log,
		Recorder:   opts.monitor,
		Metrics:    opts.queue,
	})
	return e, nil
}

func backOff(b config.BackOff) observed.BackOff {
	return observed.BackOff{Initial: b.InitialInterval, Multiplier: b.Multiplier, Max: b.MaxInterval, MaxElapsed: b.MaxElapsedTime}
}

// start runs the engine until ctx ends or end is called.
func (e *engine) start(ctx context.Context) {
	ctx, e.stop = context.WithCancel(ctx)
	e.done.Go(func() { e.observed.Run(ctx) })
	e.done.Go(func() { e.controller.Run(ctx) })
}

// end cancels all calls and waits until they have returned.
func (e *engine) end() {
	e.stop()
	e.done.Wait()
	e.cloud.Close()
}

// apply hands a change to the controller. A MASTER line is attempted at once even while the cloud refuses the
// credential.
func (e *engine) apply(change desired.Change) {
	if len(change.Claimed) > 0 {
		e.paced.Probe()
	}
	e.controller.Enqueue(change.Addresses()...)
}
