// Package daemon keeps floaty running: it builds the listener, the desired state and the engine that talks to the cloud, hands
// changes from one to the other, and puts changed inputs into force. A notify script is a daemon for one event.
//
// It parses no command line and decides no exit status, and nothing in it decides where an address belongs.
package daemon

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/inputs"
	"floaty/cmd/floaty/internal/serve"
	"floaty/config"
	"floaty/desired"
	"floaty/desired/keepalived"
	"floaty/providers/logkey"
)

// stateTimeout is how long the first state of each instance may take, after Keepalived has opened the FIFO, before its absence is logged.
const stateTimeout = 5 * time.Second

// whyNoState explains why an instance may have no state although Keepalived has the FIFO open.
const whyNoState = "restart Keepalived, because a reload does not repeat MASTER; vrrp_startup_delay, vrrp_delay_after_boot or a slow first check may also be the reason"

// Options are what a daemon needs in addition to its inputs.
type Options struct {
	Config  string // the path of the configuration, as given
	FIFO    string // the path of the FIFO; empty: none, as in a notify script
	DryRun  bool   // log the changes to the cloud instead of making them
	Version string // for the first log line
	Names   *ServerNames
	Log     logr.Logger
}

// A daemon is a running floaty, either with a FIFO or, as a notify script, for one event.
type daemon struct {
	opts      Options
	instances []string // the instances whose addresses are managed; nil: all
	state     desired.State
	current   atomic.Pointer[config.Config] // the configuration in force, whose credential requests are made with
	deciding  sync.Mutex                    // held from reading current until the server that follows from it is set
	files     files
	sources   atomic.Pointer[sourceInfo] // what the listener needs to know
	pings     chan struct{}              // received by run's goroutine, which shows that it works
	systemd   *supervisor                // nil: not told of reloads

	engineOptions engineOptions
	engine        atomic.Pointer[engine] // replaced by run's goroutine only
	monitor       *serve.Monitor
}

// files are what the daemon knows of the configuration and keepalived.conf. All but started and watcher is owned by run's goroutine.
type files struct {
	started  *config.Config // the configuration from the start, which stays in force for keys whose change needs a restart
	watcher  *config.Watcher
	loader   loader
	running  inputs.Inputs // those in force
	rejected string        // the logged problems of an unusable edit; empty: none
}

// newDaemon returns a daemon that does nothing until run. Only the named instances are managed; nil: all. fence is
// called before each changing request and forbids it with an error; nil: every request is allowed.
func newDaemon(opts Options, s inputs.Inputs, instances []string, fence func(context.Context) error) (*daemon, error) {
	d := &daemon{
		opts: opts, instances: instances, pings: make(chan struct{}),
		files: files{
			started: s.Config, running: s, watcher: config.NewWatcher(opts.Log), loader: loader{path: opts.Config, fifo: s.FIFO},
		},
	}
	d.current.Store(s.Config)
	d.monitor = d.newMonitor()
	d.engineOptions = engineOptions{
		dryRun:      opts.DryRun,
		desired:     &d.state,
		current:     d.current.Load,
		fence:       fence,
		serverFound: d.serverFound,
		monitor:     d.monitor,
		names:       opts.Names,
		log:         opts.Log,
	}
	if instances == nil { // a notify script serves no metrics
		d.engineOptions.queue = d.monitor.Queue()
	}
	first, err := newEngine(s, d.engineOptions)
	if err != nil {
		return nil, err
	}
	d.engine.Store(first)
	if server, _ := s.Server(); server != "" {
		d.setServer(server)
	}
	d.apply(s)
	d.monitor.Loaded(s.Config.Provider, "")
	d.files.watcher.Watch(s.Files())
	return d, nil
}

// Run runs the daemon with a FIFO until ctx ends. hangup requests reloads. dropped returns how many log lines were lost.
func Run(ctx context.Context, opts Options, s inputs.Inputs, hangup <-chan os.Signal, dropped func() uint64) error {
	var listener *keepalived.Listener // it needs the daemon, whose fence needs it
	d, err := newDaemon(opts, s, nil, func(ctx context.Context) error { return listener.Settle(ctx) })
	if err != nil {
		return err
	}
	heard := listenerNews{connected: make(chan bool, 1), vrrpPID: make(chan int, 1)}
	listener = d.newListener(heard)
	d.systemd = newSupervisor(d.opts.Log)
	live := newLiveness(d.systemd.healthy,
		loop{"the main loop", d.answer}, loop{"the FIFO's listener", listener.Ping}, loop{"the controller's refresh", d.refreshes})
	d.opts.Log.Info("floaty starts", d.about(s)...)
	d.run(ctx, hangup, func(ctx context.Context) {
		go live.run(ctx, d.systemd.interval()) // not waited for, because the loops that it asks may hang
		d.listenAndServe(ctx, listener, live.alive, dropped)
	}, heard)
	d.opts.Log.Info("floaty ends")
	return nil
}

// about returns the keys and values of the first log line.
func (d *daemon) about(s inputs.Inputs) []any {
	about := []any{logkey.Version, d.opts.Version, logkey.Path, s.Config.Path, logkey.FIFO, d.opts.FIFO, logkey.Provider, s.Config.Provider}
	if server, _ := s.Server(); server != "" { // otherwise a line follows once it is known
		about = append(about, logkey.Server, server)
	}
	instances := (desired.Input{Settings: s.Settings(d.instances)}).Instances()
	return append(about, logkey.Instances, len(instances), logkey.Addresses, d.state.Len())
}

// run runs the watcher, the engine and feed, and applies changes of the inputs, until ctx ends. A hangup requests a
// reload.
func (d *daemon) run(ctx context.Context, hangup <-chan os.Signal, feed func(context.Context), heard listenerNews) {
	edited := make(chan struct{}, 1)

	var parts sync.WaitGroup
	defer func() { waitAtMost(&parts, hangTimeout) }()
	parts.Go(func() { feed(ctx) })
	parts.Go(func() { d.runWatcher(ctx, edited) })
	d.engine.Load().start(ctx)
	defer func() { d.engine.Load().end() }()
	var noState <-chan time.Time
	writer := inputs.NewWriterWatch(d.opts.Log, heard.connected != nil)
	defer writer.Stop()
	for {
		select {
		case <-ctx.Done():
			d.systemd.stopping()
			return
		case <-d.pings:
		case <-edited:
			d.files.loader.start(false)
		case <-hangup:
			d.systemd.reloading()
			d.files.loader.start(true)
		case l := <-d.files.loader.result:
			requested := d.files.loader.finish()
			d.reload(ctx, l.Inputs, l.Err, requested)
			if requested {
				d.systemd.reloaded()
			}
		case <-d.files.loader.slow:
			d.opts.Log.Error(nil, "reading the configuration and keepalived.conf takes too long: the current ones stay in force until it is done", logkey.Path, d.opts.Config)
			d.files.loader.giveUp()
		case pid := <-heard.vrrpPID:
			d.identified(pid)
		case on := <-heard.connected:
			noState = nil
			writer.Connected(on)
			if on {
				noState = time.After(stateTimeout)
			}
		case <-writer.Tick.C:
			writer.Check(d.files.running)
		case <-noState:
			for _, name := range d.state.Unknown() {
				d.opts.Log.Error(errors.New(whyNoState), "no state received for this instance yet: its addresses are not assigned", logkey.Instance, name)
			}
		}
	}
}

// hangTimeout is how long run waits at its end for goroutines that hang in the system, for example in reading from a disk that does not
// answer.
const hangTimeout = 2 * time.Second

// waitAtMost waits for parts, but no longer than atMost.
func waitAtMost(parts *sync.WaitGroup, atMost time.Duration) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		parts.Wait()
	}()
	select {
	case <-done:
	case <-time.After(atMost):
	}
}

// apply puts new inputs into force, except for a rebuild of the engine.
func (d *daemon) apply(s inputs.Inputs) (change desired.Change) {
	d.opts.Names.configure(s.Config)
	d.trust(s)
	d.update(func() desired.Change {
		change = d.state.SetSettings(s.Settings(d.instances))
		return change
	})
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent(d.state.Len()))
	}
	return change
}

// trust tells the listener which FIFO and which process to trust.
func (d *daemon) trust(s inputs.Inputs) {
	d.sources.Store(&sourceInfo{owners: s.FIFOOwners, pidFile: s.PIDFile()})
}

// gcPercent returns the garbage collector's target for a number of addresses. With few addresses little memory is in
// use, and the collector would delay a takeover: 1,000 writes in parallel took 296 ms with 150, 309 with 100 and 314
// with 75. With 10,000 addresses memory matters more: at most 59 MiB with 65 and 61 with 75.
func gcPercent(addresses int) int {
	if addresses > 2000 {
		return 65
	}
	return 150
}

func (d *daemon) runWatcher(ctx context.Context, edited chan<- struct{}) {
	d.files.watcher.Run(ctx, func() {
		select {
		case edited <- struct{}{}:
		default: // a report is pending already
		}
	})
}

// update changes the desired state and hands the change to the engine. An engine that is being replaced may get the change too late, but
// the next engine begins with the desired state as it is by then.
func (d *daemon) update(set func() desired.Change) {
	change := set()
	d.engine.Load().apply(change)
	for _, note := range change.Warnings {
		d.logWarning(note)
	}
}

func (d *daemon) logWarning(n desired.Warning) {
	var about []any
	if n.Instance != "" {
		about = append(about, logkey.Instance, n.Instance)
	}
	if n.Address != "" {
		about = append(about, logkey.Address, n.Address)
	}
	if n.Serious {
		d.opts.Log.Error(nil, n.Message, about...)
		return
	}
	d.opts.Log.Info(n.Message, about...)
}
