package daemon

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"floaty/cmd/floaty/internal/inputs"
	"floaty/cmd/floaty/internal/serve"
	"floaty/config"
	"floaty/controller"
	"floaty/desired/keepalived"
)

// newMonitor returns the monitor, which is told what the daemon does.
func (d *daemon) newMonitor() *serve.Monitor {
	return serve.NewMonitor(serve.MonitorOptions{
		DryRun:     d.opts.DryRun,
		Desired:    &d.state,
		ServerName: d.opts.Names.name,
		HostName:   inputs.HostName,
		Log:        d.opts.Log,
		Engine:     func() serve.Engine { return d.engine.Load() },
	})
}

// Statuses implements [serve.Engine].
func (e *engine) Statuses() []controller.Status { return e.controller.Statuses() }

// Retry implements [serve.Engine].
func (e *engine) Retry() time.Time { return e.observed.Retry() }

// listenAndServe runs the listener and serves status and metrics until ctx ends.
func (d *daemon) listenAndServe(ctx context.Context, listener *keepalived.Listener, alive func() error, dropped func() uint64) {
	server := serve.New(serve.Options{
		Socket:  SocketPath(d.files.started.StateDir, d.files.started.Path),
		Address: d.files.started.ListenAddress,
		Monitor: d.monitor,
		Heard:   listener.Stats,
		Dropped: dropped,
		Alive:   alive,
		Log:     d.opts.Log,
	})
	var parts sync.WaitGroup
	parts.Go(func() { server.Run(ctx) })
	d.listen(ctx, listener)
	parts.Wait()
}

// SocketPath returns the path of the status socket of the daemon whose configuration is at path, which is absolute.
func SocketPath(stateDir, path string) string {
	socket := inputs.StateFile(&config.Config{Path: path, StateDir: stateDir}, ".sock")
	if len(socket) > serve.MaxSocketPath {
		socket = filepath.Join(stateDir, fmt.Sprintf("%x", sha256.Sum256([]byte(path)))[:16]+".sock")
	}
	return socket
}
