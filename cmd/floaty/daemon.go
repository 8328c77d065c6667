package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/daemon"
	"floaty/cmd/floaty/internal/inputs"
	"floaty/desired/keepalived"
	"floaty/providers/logkey"
)

// runDaemon runs the daemon with a FIFO until ctx ends and returns the exit status. dropped returns how many log
// lines were lost.
func runDaemon(ctx context.Context, c command, log logr.Logger, dropped func() uint64) int {
	hangup, stop := catchSIGHUP()
	defer stop()
	s, err := inputs.Load(ctx, c.config, &c.fifo)
	if ctx.Err() != nil {
		return exitOK
	}
	if err != nil {
		return reportProblems(log, err)
	}
	if err := keepalived.CheckPath(c.fifo); err != nil {
		log.Error(err, inputs.WarnUnusableFIFO, logkey.Path, c.fifo)
		return exitUnusable
	}
	inputs.LogWarnings(log, inputs.Inputs{}, s, false)
	opts := c.daemonOptions(log)
	opts.Version = version()
	if err := daemon.Run(ctx, opts, s, hangup, dropped); err != nil {
		return reportProblems(log, err)
	}
	return exitOK
}

// catchSIGHUP catches SIGHUP until stop is called. It is called before anything else, because an uncaught SIGHUP ends
// the process and reading the files at the start may hang. A SIGHUP during the start is handled later.
func catchSIGHUP() (hangup <-chan os.Signal, stop func()) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	return caught, func() { signal.Stop(caught) }
}

// daemonOptions returns the options that a daemon and a notify script share.
func (c command) daemonOptions(log logr.Logger) daemon.Options {
	return daemon.Options{Config: c.config, FIFO: c.fifo, DryRun: c.dryRun, Names: c.names, Log: log}
}
