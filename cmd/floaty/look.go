package main

import (
	"context"
	"io"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/inspect"
	"floaty/cmd/floaty/internal/report"
	"floaty/config"
	"floaty/desired"
	"floaty/providers"
)

// check says what the configuration means, offline.
func check(ctx context.Context, c command, log logr.Logger, stdout io.Writer) int {
	s, err := load(ctx, c.config)
	if err != nil {
		return refuse(log, err)
	}
	if c.fifoGiven {
		s.fifo = &c.fifo
	}
	server, _ := s.server()
	warnings := append(s.reported(), s.unproven(ctx, c.fifo)...)
	r := report.Check{Provider: s.config.Provider, Server: server, Instances: []report.Instance{}, Groups: []report.Group{}, Warnings: warnings}
	if s.fifo == nil && s.keepalived != nil && len(s.keepalived.Instances) > 0 && len(s.keepalived.FIFOs) == 0 {
		r.Warnings = append(r.Warnings, report.Warning{Text: noteNoFIFO})
	}
	for _, inst := range (desired.Input{Settings: s.settings(nil)}).Instances() {
		addrs := append([]netip.Addr{}, inst.Addresses...)
		r.Instances = append(r.Instances, report.Instance{Name: inst.Name, Addresses: addrs, Source: inst.Source})
	}
	if s.keepalived != nil {
		for _, g := range s.keepalived.Groups {
			r.Groups = append(r.Groups, report.Group{Name: g.Name, Members: append([]string{}, g.Members...)})
		}
	}
	if err := r.Write(stdout, c.output); err != nil {
		log.Error(err, "writing the report failed")
		return exitUnusable
	}
	if !r.OK() {
		return exitUnusable
	}
	return exitOK
}

// exitTrouble is the exit status of a look that found out too little, as diff(1) has it: 1 says that something would change.
const exitTrouble = 2

// look says what would change if this host were MASTER of every instance.
func look(ctx context.Context, c command, log logr.Logger, stdout io.Writer) int {
	s, err := load(ctx, c.config)
	if err != nil {
		_ = refuse(log, err)
		return exitTrouble
	}
	cloud, err := newCloud(s, cloudOptions{secrets: func() *config.Config { return s.config }, log: log})
	if err != nil {
		_ = refuse(log, err)
		return exitTrouble
	}
	set := desired.Compute(desired.Input{Settings: s.settings(nil)})
	answers := lookAt(ctx, s.config.RefreshTimeout, providers.DryRun(cloud), set)
	d := report.Diff{Changes: inspect.Diff(set, answers), Warnings: s.reported()}
	if err := d.Write(stdout, c.output, isTerminal(stdout)); err != nil {
		log.Error(err, "writing the report failed")
		return exitTrouble
	}
	return d.ExitStatus()
}

// lookAt reads the cloud once. The metadata service and the API have limit each.
func lookAt(ctx context.Context, limit time.Duration, cloud providers.Provider, set desired.Set) inspect.Answers {
	var a inspect.Answers
	var both sync.WaitGroup
	both.Go(func() { a.Server, a.ServerErr = within(ctx, limit, cloud.Server) })
	both.Go(func() { a.Holdings, a.ReadErr = read(ctx, limit, cloud, set) })
	both.Wait()
	return a
}

// isTerminal reports whether w shows colours.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
