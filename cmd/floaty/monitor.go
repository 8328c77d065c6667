package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"floaty/cmd/floaty/internal/report"
	"floaty/cmd/floaty/internal/serve"
	"floaty/config"
	"floaty/desired"
	"floaty/desired/keepalived"
)

// newMonitor returns what is told about all that the daemon does.
func (d *daemon) newMonitor() *serve.Monitor {
	return serve.NewMonitor(serve.MonitorOptions{
		DryRun:   d.command.dryRun,
		Desired:  &d.state,
		HostName: hostName,
		Engine: func() serve.Engine {
			d.mu.Lock()
			defer d.mu.Unlock()
			return facts{d.engine, &d.state}
		},
	})
}

// shown is what the monitor shows of a setup.
func (d *daemon) shown(s setup) serve.Inputs {
	inputs := serve.Inputs{Provider: s.config.Provider}
	for _, inst := range (desired.Input{Settings: s.settings(d.only)}).Instances() {
		inputs.Instances = append(inputs.Instances, inst.Name)
	}
	return inputs
}

// facts are what an engine knows.
type facts struct {
	engine  *engine
	desired *desired.State
}

// Addresses implements [serve.Engine].
func (f facts) Addresses() []report.StatusAddress {
	addrs := f.desired.Addresses()
	list := make([]report.StatusAddress, 0, len(addrs))
	for _, addr := range addrs {
		server, _ := f.desired.Server(addr)
		a := report.StatusAddress{Address: addr}
		reading, valid := f.engine.seen.Last(addr)
		switch {
		case reading.Err != nil:
			a.Error = reading.Err.Error()
		case !reading.At.IsZero():
			a.Targets, a.Verified, a.InPlace = reading.Servers, reading.At, valid && reading.Holding.At(server)
		}
		list = append(list, a)
	}
	return list
}

// Retry implements [serve.Engine].
func (f facts) Retry() time.Time { return f.engine.seen.Retry() }

// listenAndServe follows Keepalived, and serves status and metrics, until ctx ends.
func (d *daemon) listenAndServe(ctx context.Context, listener *keepalived.Listener, alive func() error, dropped func() uint64) {
	server := serve.New(serve.Options{
		Socket:  socketPath(d.started.StateDir, d.started.Path),
		Address: d.started.ListenAddress,
		Monitor: d.monitor,
		Heard:   listener.Stats,
		Dropped: dropped,
		Alive:   alive,
		Log:     d.log,
	})
	var parts sync.WaitGroup
	parts.Go(func() { server.Run(ctx) })
	d.listen(ctx, listener)
	parts.Wait()
}

// socketPath returns the path of the status socket of the daemon with the configuration at path, which is absolute.
func socketPath(stateDir, path string) string {
	socket := stateFile(&config.Config{Path: path, StateDir: stateDir}, ".sock")
	if len(socket) > serve.MaxSocketPath {
		socket = filepath.Join(stateDir, fmt.Sprintf("%x", sha256.Sum256([]byte(path)))[:16]+".sock")
	}
	return socket
}
