package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/report"
	"floaty/config"
	"floaty/desired"
	"floaty/providers"
)

// check says what the configuration means, offline.
func check(c command, log logr.Logger, stdout io.Writer) int {
	s, err := load(c.config)
	if err != nil {
		return refuse(log, err)
	}
	remark(log, setup{}, s)
	server, _ := s.server()
	r := report.Check{Provider: s.config.Provider, Server: server, Instances: []report.Instance{}, Groups: []report.Group{}}
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
	return exitOK
}

// look says what would change if this host were MASTER of every instance.
func look(ctx context.Context, c command, log logr.Logger, stdout io.Writer) int {
	s, err := load(c.config)
	if err != nil {
		return refuse(log, err)
	}
	remark(log, setup{}, s)
	cloud, err := newCloud(s, func() *config.Config { return s.config })
	if err != nil {
		return refuse(log, err)
	}
	ctx, cancel := orTimeout(ctx, s.config.RefreshTimeout)
	defer cancel()
	d := compare(ctx, providers.DryRun(cloud), desired.Compute(desired.Input{Settings: s.settings(nil)}))
	if err := d.Write(stdout, c.output, isTerminal(stdout)); err != nil {
		log.Error(err, "writing the report failed")
		return 2
	}
	return d.ExitStatus()
}

// compare reads the cloud once and says what is not as it should be.
func compare(ctx context.Context, cloud providers.Provider, set desired.Set) report.Diff {
	addrs := make([]netip.Addr, 0, len(set.Addresses))
	for addr := range set.Addresses {
		addrs = append(addrs, addr)
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	server, serverErr := cloud.Server(ctx)
	holdings, readErr := cloud.Read(ctx, addrs)
	var d report.Diff
	for _, addr := range addrs {
		change := report.Change{
			Address: addr, Instances: append([]string{}, set.Addresses[addr].Instances...),
			From: append([]string{}, holdings[addr].Servers...), To: server,
		}
		err := readErr
		if err == nil {
			err = holdings[addr].Err
		}
		if err == nil && serverErr != nil {
			err = fmt.Errorf("which server is this: %w", serverErr)
		}
		switch {
		case err != nil:
			change.Action, change.Error, change.From, change.To = report.Error, err.Error(), nil, ""
		case holdings[addr].At(server):
			change.Action = report.InPlace
		default:
			change.Action = report.Move
		}
		d.Changes = append(d.Changes, change)
	}
	return d
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
