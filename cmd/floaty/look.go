package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/report"
	"floaty/config"
	"floaty/desired"
	"floaty/providers"
)

// check says what the configuration means, offline.
func check(c command, log logr.Logger, stdout io.Writer) int {
	s, err := load(c.config, configID{})
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
	s, err := load(c.config, configID{})
	if err != nil {
		return refuse(log, err)
	}
	remark(log, setup{}, s)
	cloud, err := newCloud(s, cloudOptions{secrets: func() *config.Config { return s.config }, log: log})
	if err != nil {
		return refuse(log, err)
	}
	d := compare(ctx, s.config.RefreshTimeout, providers.DryRun(cloud), desired.Compute(desired.Input{Settings: s.settings(nil)}))
	if err := d.Write(stdout, c.output, isTerminal(stdout)); err != nil {
		log.Error(err, "writing the report failed")
		return 2
	}
	return d.ExitStatus()
}

// compare reads the cloud once and says what is not as it should be. The metadata service and the API have limit each.
func compare(ctx context.Context, limit time.Duration, cloud providers.Provider, set desired.Set) report.Diff {
	addrs := slices.SortedFunc(maps.Keys(set.Addresses), netip.Addr.Compare)
	var server string
	var holdings map[netip.Addr]providers.Holding
	var serverErr, readErr error
	var both sync.WaitGroup
	both.Go(func() { server, serverErr = within(ctx, limit, cloud.Server) })
	both.Go(func() {
		holdings, readErr = within(ctx, limit, func(ctx context.Context) (map[netip.Addr]providers.Holding, error) {
			return cloud.Read(ctx, addrs)
		})
	})
	both.Wait()
	var d report.Diff
	for _, addr := range addrs {
		h := holdings[addr]
		change := report.Change{
			Address: addr, Instances: append([]string{}, set.Addresses[addr].Instances...),
			From: append([]string{}, h.Servers...), To: server, Shared: h.Shared,
		}
		err := readErr
		if err == nil {
			err = h.Err
		}
		if err == nil && serverErr != nil {
			err = fmt.Errorf("which server is this: %w", serverErr)
		}
		switch {
		case err != nil:
			change = report.Change{Address: addr, Instances: change.Instances, Action: report.Error, Error: brief(err)}
		case h.At(server):
			change.Action = report.InPlace
		default:
			change.Action = report.Move
		}
		d.Changes = append(d.Changes, change)
	}
	return d
}

// brief says that an address is not there in the words that scripts look for, and all else in full.
func brief(err error) string {
	if errors.Is(err, providers.ErrNotFound) {
		return providers.ErrNotFound.Error()
	}
	return err.Error()
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
