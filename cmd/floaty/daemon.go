package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-logr/logr"

	"floaty/config"
	"floaty/desired"
	"floaty/desired/keepalived"
)

// silence is how long Keepalived may take after its start to say what an instance is, before that is worth a line.
const silence = 5 * time.Second

// A daemon is floaty with a FIFO.
type daemon struct {
	command command
	log     logr.Logger
	state   desired.State
	token   atomic.Pointer[config.Secret]
	running setup  // owned by serve's goroutine
	refused string // what was said of the last unusable edit; owned by serve's goroutine

	mu     sync.Mutex // guards engine, and that changes reach it in the order in which they happened
	engine *engine
}

// serve runs the daemon until ctx ends and returns the exit status.
func serve(ctx context.Context, c command, log logr.Logger) int {
	d := &daemon{command: c, log: log}
	s, err := load(c.config)
	if err != nil {
		return refuse(log, err)
	}
	remark(log, setup{}, s)
	d.token.Store(&s.config.Cloudscale.Token)
	d.engine, err = newEngine(s, d.engineOptions())
	if err != nil {
		return refuse(log, err)
	}
	watcher, err := config.NewWatcher(log)
	if err != nil {
		return refuse(log, err)
	}
	d.running = s
	d.update(func() desired.Change { return d.state.SetSettings(s.settings()) })
	watcher.Watch(s.files())
	log.Info("floaty starts", "version", version(), "path", s.config.Path)
	d.run(ctx, watcher)
	log.Info("floaty ends")
	return exitOK
}

// run keeps the Keepalived side, the watcher and the engine alive, and reloads.
func (d *daemon) run(ctx context.Context, watcher *config.Watcher) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	edited := make(chan struct{}, 1)
	connected := make(chan bool, 1)

	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { d.listen(ctx, connected) })
	parts.Go(func() {
		err := watcher.Run(ctx, func() {
			select {
			case edited <- struct{}{}:
			default: // it is about to be read
			}
		})
		if err != nil && ctx.Err() == nil {
			d.log.Error(err, "watching files failed: SIGHUP reads them again")
		}
	})
	d.engine.start(ctx)
	defer func() { d.engine.end() }()
	var quiet <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-edited:
			d.reload(ctx, watcher)
		case <-hangup:
			d.reload(ctx, watcher)
		case on := <-connected:
			quiet = nil
			if on {
				quiet = time.After(silence)
			}
		case <-quiet:
			for _, name := range d.state.Unknown() {
				d.log.Info("Keepalived has not said what the instance is: nothing is written for it", "instance", name)
			}
		}
	}
}

// listen follows Keepalived until ctx ends.
func (d *daemon) listen(ctx context.Context, connected chan bool) {
	was := false
	listener := keepalived.New(keepalived.Options{
		Path:    d.command.fifo,
		PIDFile: d.running.config.KeepalivedPIDFile,
		Members: d.state.Members,
		VIPs:    d.state.VIPs,
		Changed: func(s keepalived.Snapshot) {
			d.update(func() desired.Change { return d.state.SetKeepalived(s.Instances) })
			if s.Connected != was {
				was = s.Connected
				select {
				case connected <- was:
				case <-ctx.Done():
				}
			}
		},
		Log: d.log,
	})
	if err := listener.Run(ctx); err != nil && ctx.Err() == nil {
		d.log.Error(err, "reading the FIFO failed")
	}
}

// update changes the desired state and hands what that changed to the engine.
func (d *daemon) update(set func() desired.Change) {
	d.mu.Lock()
	change := set()
	d.engine.apply(change)
	d.mu.Unlock()
	for _, note := range change.Notes {
		d.note(note)
	}
}

func (d *daemon) note(n desired.Note) {
	var about []any
	if n.Instance != "" {
		about = append(about, "instance", n.Instance)
	}
	if n.Address != "" {
		about = append(about, "address", n.Address)
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
		token:   func() string { return d.token.Load().Reveal() },
		found: func(server string) {
			d.update(func() desired.Change { return d.state.SetServer(server) })
		},
		log: d.log,
	}
}
