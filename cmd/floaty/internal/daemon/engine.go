package daemon

import (
	"context"
	"net/netip"
	"sync"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/cloud"
	"floaty/cmd/floaty/internal/inputs"
	"floaty/cmd/floaty/internal/serve"
	"floaty/config"
	"floaty/controller"
	"floaty/desired"
	"floaty/observed"
	"floaty/providers"
	"floaty/providers/httpapi"
	"floaty/providers/logkey"
)

// A fencedDryRun is a dry run that calls the fence before each write that it leaves out. Normally httpapi calls the
// fence, but a dry run sends no changing request.
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
	cloud      cloud.Cloud
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
	names       *ServerNames
	log         logr.Logger
}

func newEngine(s inputs.Inputs, opts engineOptions) (*engine, error) {
	log := opts.log.WithValues(logkey.Provider, s.Config.Provider)
	api, err := cloud.New(s, cloud.Options{
		Current: opts.current,
		Hooks:   httpapi.Hooks{Before: opts.fence, Observe: opts.monitor.Requested, Addresses: opts.desired.Len},
		Log:     log,
	})
	if err != nil {
		return nil, err
	}
	opts.names.cloud.Store(&api)
	e := &engine{cloud: api}
	e.paced = providers.NewPaced(api, providers.PacedOptions{
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

// end cancels all calls and waits until they have returned or were given up.
func (e *engine) end() {
	e.stop()
	e.done.Wait()
	e.cloud.Close()
}

// apply hands a change to the controller. A MASTER line lets one call through at once, even while the cloud does not
// accept the credential.
func (e *engine) apply(change desired.Change) {
	if len(change.Claimed) > 0 {
		e.paced.Probe()
	}
	e.controller.Enqueue(change.Addresses()...)
}
