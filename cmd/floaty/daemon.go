package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/serve"
	"floaty/config"
	"floaty/desired"
	"floaty/desired/keepalived"
	"floaty/providers/logkey"
)

// silence is how long Keepalived may take after its start to say what an instance is, before that is worth a line.
const silence = 5 * time.Second

// retryListening is how long to wait when the system has no descriptors left for the listener.
const retryListening = 10 * time.Second

// A daemon is floaty at work: with a FIFO, or fed once as a notify script.
type daemon struct {
	command command
	log     logr.Logger
	only    []string                    // the instances that count; nil: all
	before  func(context.Context) error // each changing request: whether it may be made
	state   desired.State
	secrets atomic.Pointer[config.Config] // whose credential calls are made with
	started *config.Config                // what it was started with
	running setup                         // owned by run's goroutine
	refused string                        // what was said of the last unusable edit; owned by run's goroutine
	watcher *config.Watcher
	pings   chan struct{} // run's goroutine takes them, to show that it works
	systemd *supervisor   // nil: nobody is told of reloads

	loads   loader                     // owned by run's goroutine
	sources atomic.Pointer[sourceInfo] // what the listener asks for
	vrrp    chan int                   // the ID of the VRRP process, where it has become known

	mu     sync.Mutex // guards that changes reach engine in the order in which they happened, and who else than run's goroutine reads it
	engine *engine

	monitor *serve.Monitor
}

// A sourceInfo says what the listener may rely on.
type sourceInfo struct {
	owners  []uint32 // who may own the FIFO
	pidFile string   // of the VRRP process
}

// newDaemon returns a daemon that does nothing yet. only names the instances that count; nil: all do. before is
// asked before each changing request; nil: it may be made.
func newDaemon(c command, log logr.Logger, s setup, only []string, before func(context.Context) error) (*daemon, error) {
	d := &daemon{command: c, log: log, only: only, before: before, started: s.config, running: s, vrrp: make(chan int, 1), pings: make(chan struct{})}
	d.loads.path = c.config
	d.secrets.Store(s.config)
	d.monitor = d.newMonitor()
	var err error
	if d.engine, err = newEngine(s, d.engineOptions()); err != nil {
		return nil, err
	}
	d.watcher = config.NewWatcher(log)
	if server, _ := s.server(); server != "" {
		d.setServer(server)
	}
	d.take(s)
	d.monitor.Loaded(d.shown(s), "")
	d.watch(s.files())
	return d, nil
}

// runDaemon runs the daemon with a FIFO until ctx ends and returns the exit status. dropped tells how many lines of the log were lost.
func runDaemon(ctx context.Context, c command, log logr.Logger, dropped func() uint64) int {
	hangup, stop := hangups()
	defer stop()
	s, err := load(ctx, c.config)
	if ctx.Err() != nil {
		return exitOK
	}
	if err != nil {
		return refuse(log, err)
	}
	if err := keepalived.CheckPath(c.fifo); err != nil {
		log.Error(err, warnHopeless, logkey.Path, c.fifo)
		return exitUnusable
	}
	s.fifo = &c.fifo
	logWarnings(log, setup{}, s, false)
	var listener *keepalived.Listener // it needs the daemon, whose calls need it
	d, err := newDaemon(c, log, s, nil, func(ctx context.Context) error { return listener.Settle(ctx) })
	if err != nil {
		return refuse(log, err)
	}
	connected := make(chan bool, 1)
	listener = d.newListener(connected)
	d.systemd = newSupervisor(log)
	live := newLiveness(d.systemd.healthy,
		loop{"the main loop", d.answer}, loop{"the FIFO's listener", listener.Ping}, loop{"the controller's refresh", d.refreshes})
	log.Info("floaty starts", d.about(s)...)
	d.run(ctx, hangup, func(ctx context.Context) {
		go live.run(ctx, d.systemd.interval()) // not waited for: what it asks may hang
		d.listenAndServe(ctx, listener, live.alive, dropped)
	}, connected)
	log.Info("floaty ends")
	return exitOK
}

// about says what a daemon has taken on, for its first line.
func (d *daemon) about(s setup) []any {
	about := []any{logkey.Version, version(), logkey.Path, s.config.Path, logkey.FIFO, d.command.fifo, logkey.Provider, s.config.Provider}
	if server, _ := s.server(); server != "" { // else a line tells when it is known
		about = append(about, logkey.Server, server)
	}
	instances := (desired.Input{Settings: s.settings(d.only)}).Instances()
	return append(about, logkey.Instances, len(instances), logkey.Addresses, d.state.Len())
}

// hangups catches SIGHUP until stop. It comes before all else: one that nobody catches ends the process, and what is read at the start
// may hang. One that came too early is obeyed later.
func hangups() (hangup <-chan os.Signal, stop func()) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	return caught, func() { signal.Stop(caught) }
}

// run keeps the watcher, the engine and what feeds it alive, and reloads, until ctx ends. hangup asks for a reload. connected tells
// when Keepalived has appeared, or has gone; it may be nil.
func (d *daemon) run(ctx context.Context, hangup <-chan os.Signal, feed func(context.Context), connected <-chan bool) {
	edited := make(chan struct{}, 1)

	var parts sync.WaitGroup
	defer func() { waitFor(&parts, hangAtMost) }()
	parts.Go(func() { feed(ctx) })
	parts.Go(func() { d.runWatcher(ctx, edited) })
	d.engine.start(ctx)
	defer func() { d.engine.end() }()
	var quiet <-chan time.Time
	lonely := newLonely(d.log, connected != nil)
	defer lonely.stop()
	for {
		select {
		case <-ctx.Done():
			d.systemd.stopping()
			return
		case <-d.pings:
		case <-edited:
			d.loads.start(false)
		case <-hangup:
			d.systemd.reloading()
			d.loads.start(true)
		case l := <-d.loads.result:
			asked := d.loads.end()
			d.reload(ctx, l.setup, l.err, asked)
			if asked {
				d.systemd.reloaded()
			}
		case <-d.loads.late:
			d.log.Error(nil, "reading the configuration and keepalived.conf takes too long: the running ones stay in force until then", logkey.Path, d.command.config)
			d.loads.hangs()
		case pid := <-d.vrrp:
			d.identified(pid)
		case on := <-connected:
			quiet = nil
			lonely.connected(on)
			if on {
				quiet = time.After(silence)
			}
		case <-lonely.tick.C:
			lonely.look(d.running)
		case <-quiet:
			for _, name := range d.state.Unknown() {
				d.log.Error(errSilent, "no state received for this instance yet: its addresses are not assigned", logkey.Instance, name)
			}
		}
	}
}

// hangAtMost is how long the end waits for what hangs in the system: a disk that does not answer.
const hangAtMost = 2 * time.Second

// waitFor waits for all of parts, but no longer than a time.
func waitFor(parts *sync.WaitGroup, atMost time.Duration) {
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

// take takes over what the configuration and keepalived.conf say.
func (d *daemon) take(s setup) (change desired.Change) {
	d.command.names.configure(s.config)
	d.sources.Store(&sourceInfo{owners: s.fifoOwners(), pidFile: s.pidFile()})
	d.update(func() desired.Change {
		change = d.state.SetSettings(s.settings(d.only))
		return change
	})
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage(d.state.Len()))
	}
	return change
}

// garbage is how much of it may come together before it is collected, in percent of what is in use. With few addresses little is in
// use, and a takeover would wait for the collector: 1,000 writes side by side took 296 ms with 150, 309 with 100, 314 with 75. With
// 10,000 addresses memory counts more: 54 MiB at most with 75, 58 with 100.
func garbage(addresses int) int {
	if addresses > 2000 {
		return 75
	}
	return 150
}

// watch says which files matter.
func (d *daemon) watch(files []string) {
	d.watcher.Watch(files)
}

func (d *daemon) runWatcher(ctx context.Context, edited chan<- struct{}) {
	d.watcher.Run(ctx, func() {
		select {
		case edited <- struct{}{}:
		default: // it is about to be read
		}
	})
}

// newListener returns what follows Keepalived. connected has room for one.
func (d *daemon) newListener(connected chan bool) *keepalived.Listener {
	was, vrrp := false, 0
	return keepalived.New(keepalived.Options{
		Path:      d.command.fifo,
		StateFile: stateFile(d.running.config, ".states"),

		PIDFile: func() string { return d.sources.Load().pidFile },
		Trusted: func(uid uint32) bool { return slices.Contains(d.sources.Load().owners, uid) },
		Conf: keepalived.Conf{
			Named:          d.state.Named,
			Members:        d.state.Members,
			VIPs:           d.state.VIPs,
			AdvertInterval: d.state.AdvertInterval,
		},
		Changed: func(s keepalived.Snapshot) {
			d.renamed() // MASTER must not be another server's
			d.update(func() desired.Change { return d.state.SetKeepalived(s.Instances) })
			d.monitor.SetKeepalived(s)
			if s.PID != 0 && s.PID != vrrp {
				vrrp = s.PID
				select { // as below: the latest counts
				case <-d.vrrp:
				default:
				}
				d.vrrp <- vrrp
			}
			if s.Connected == was {
				return
			}
			was = s.Connected
			select { // the listener waits for nobody: what was not taken yet is outdated
			case <-connected:
			default:
			}
			connected <- was
		},
		Log: d.log,
	})
}

// listen follows Keepalived until ctx ends.
func (d *daemon) listen(ctx context.Context, listener *keepalived.Listener) {
	for ctx.Err() == nil {
		if err := listener.Run(ctx); err != nil {
			d.log.Error(err, "reading the FIFO failed: trying again")
			select {
			case <-ctx.Done():
			case <-time.After(retryListening):
			}
		}
	}
}

// update changes the desired state and hands what that changed to the engine.
func (d *daemon) update(set func() desired.Change) {
	d.mu.Lock()
	change := set()
	d.engine.apply(change)
	d.mu.Unlock()
	for _, note := range change.Warnings {
		d.note(note)
	}
}

func (d *daemon) note(n desired.Warning) {
	var about []any
	if n.Instance != "" {
		about = append(about, logkey.Instance, n.Instance)
	}
	if n.Address != "" {
		about = append(about, logkey.Address, n.Address)
	}
	if n.Problem {
		d.log.Error(nil, n.Message, about...)
		return
	}
	d.log.Info(n.Message, about...)
}

func (d *daemon) engineOptions() engineOptions {
	return engineOptions{
		dryRun:  d.command.dryRun,
		desired: &d.state,
		secrets: d.secrets.Load,
		before:  d.before,
		found:   d.found,
		monitor: d.monitor,
		names:   d.command.names,
		log:     d.log,
	}
}
