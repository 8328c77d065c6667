package main

import (
	"context"
	"io"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/cloud"
	"floaty/cmd/floaty/internal/inputs"
	"floaty/cmd/floaty/internal/inspect"
	"floaty/cmd/floaty/internal/report"
	"floaty/config"
	"floaty/desired"
	"floaty/providers"
)

// check prints what the configuration and keepalived.conf mean, without any request.
func check(ctx context.Context, c command, log logr.Logger, stdout io.Writer) int {
	var fifo *string
	if c.fifoGiven {
		fifo = &c.fifo
	}
	s, err := inputs.Load(ctx, c.config, fifo)
	if err != nil {
		return reportProblems(log, err)
	}
	server, _ := s.Server()
	warnings := append(s.Reported(), s.UnidentifiedWarnings(ctx, c.fifo)...)
	r := report.Check{Provider: s.Config.Provider, Server: server, Instances: []report.Instance{}, Groups: []report.Group{}, Warnings: warnings}
	if s.FIFO == nil && s.Keepalived != nil && len(s.Keepalived.Instances) > 0 && len(s.Keepalived.FIFOs) == 0 {
		r.Warnings = append(r.Warnings, report.Warning{Text: inputs.NoteNoFIFO})
	}
	for _, inst := range (desired.Input{Settings: s.Settings(nil)}).Instances() {
		addrs := append([]netip.Addr{}, inst.Addresses...)
		r.Instances = append(r.Instances, report.Instance{Name: inst.Name, Addresses: addrs, Source: inst.Source})
	}
	if s.Keepalived != nil {
		for _, g := range s.Keepalived.Groups {
			r.Groups = append(r.Groups, report.Group{Name: g.Name, Members: append([]string{}, g.Members...)})
		}
	}
	if err := r.Write(stdout, c.output); err != nil {
		log.Error(err, "cannot write the report")
		return exitUnusable
	}
	if !r.OK() {
		return exitUnusable
	}
	return exitOK
}

// exitTrouble is the exit status of a dry run that could not determine every address. As in diff(1), status 1 means
// that something would change.
const exitTrouble = 2

// diff prints what would change if this host were MASTER of every instance.
func diff(ctx context.Context, c command, log logr.Logger, stdout io.Writer) int {
	s, api, err := openCloud(ctx, c.config, log)
	if err != nil {
		_ = reportProblems(log, err)
		return exitTrouble
	}
	set := desired.Compute(desired.Input{Settings: s.Settings(nil)})
	answers := readCloud(ctx, s.Config.RefreshTimeout, providers.DryRun(api), set)
	d := report.Diff{Changes: inspect.Diff(set, answers), Warnings: s.Reported()}
	if err := d.Write(stdout, c.output, isTerminal(stdout)); err != nil {
		log.Error(err, "cannot write the report")
		return exitTrouble
	}
	return d.ExitStatus()
}

// openCloud reads the configuration at path, and returns the cloud that it names. It makes no call to the cloud.
func openCloud(ctx context.Context, path string, log logr.Logger) (inputs.Inputs, cloud.Cloud, error) {
	s, err := inputs.Load(ctx, path, nil)
	if err != nil {
		return s, nil, err
	}
	api, err := cloud.New(s, cloud.Options{Current: func() *config.Config { return s.Config }, Log: log})
	return s, api, err
}

// readCloud reads from the cloud once. The metadata service and the API each have a deadline of limit.
func readCloud(ctx context.Context, limit time.Duration, api providers.Provider, set desired.Set) inspect.Answers {
	var a inspect.Answers
	var both sync.WaitGroup
	both.Go(func() { a.Server, a.ServerErr = within(ctx, limit, api.Server) })
	both.Go(func() { a.Holdings, a.ReadErr = read(ctx, limit, api, set) })
	both.Wait()
	return a
}

// isTerminal reports whether w is a terminal that shows colours.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
