package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/report"
	"floaty/config"
	"floaty/desired"
	"floaty/providers"
)

const (
	testAtMost  = 20 * time.Second // for each of the two steps of a self-test
	clockFine   = time.Minute      // that clocks may differ without a word
	clockLatest = 10 * time.Minute // that a signature of Exoscale's lives
)

// selftest asks the real cloud whether what the configuration says can be. It writes nothing.
func selftest(ctx context.Context, c command, log logr.Logger, stdout io.Writer) int {
	s, err := load(c.config, configID{})
	if err != nil {
		return refuse(log, err)
	}
	remark(log, setup{}, s)
	cloud, err := newCloud(s, cloudOptions{secrets: func() *config.Config { return s.config }, log: log})
	if err != nil {
		return refuse(log, err)
	}
	t := report.Test{Provider: s.config.Provider}
	set := desired.Compute(desired.Input{Settings: s.settings(nil)})
	t.Checks = probe(ctx, s, cloud, set)
	if err := t.Write(stdout, c.output); err != nil {
		log.Error(err, "writing the report failed")
		return exitUnusable
	}
	if !t.OK() {
		return exitUnusable
	}
	return exitOK
}

// probe looks at everything once, side by side where it can.
func probe(ctx context.Context, s setup, cloud cloud, set desired.Set) []report.Probe {
	limit := min(s.config.RefreshTimeout, testAtMost)
	server, serverErr := within(ctx, limit, cloud.Server)
	addrs := slices.SortedFunc(maps.Keys(set.Addresses), netip.Addr.Compare)
	type description struct {
		name  string
		clock time.Time
	}
	var found description
	var holdings map[netip.Addr]providers.Holding
	var describeErr, readErr error
	var step sync.WaitGroup
	step.Go(func() {
		if serverErr != nil {
			return
		}
		found, describeErr = within(ctx, limit, func(ctx context.Context) (d description, err error) {
			d.name, d.clock, err = cloud.Describe(ctx, server)
			return d, err
		})
	})
	step.Go(func() {
		holdings, readErr = within(ctx, limit, func(ctx context.Context) (map[netip.Addr]providers.Holding, error) {
			return providers.DryRun(cloud).Read(ctx, addrs)
		})
	})
	step.Wait()
	checks := []report.Probe{credentialProbe(readErr, describeErr), serverProbe(server, found.name, serverErr, describeErr)}
	if !found.clock.IsZero() {
		checks = append(checks, clockProbe(time.Until(found.clock), s.config.Provider))
	}
	for _, addr := range addrs {
		checks = append(checks, addressProbe(addr, set.Addresses[addr].Instances, server, holdings[addr], readErr))
	}
	return checks
}

// within calls f with a deadline of its own, and gives it up if it does not return then.
func within[T any](ctx context.Context, limit time.Duration, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := orTimeout(ctx, limit)
	defer cancel()
	value, err := providers.Await(ctx, func() (T, error) { return f(ctx) })
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w (%w)", context.Cause(ctx), err)
	}
	return value, err
}

// credentialProbe judges the credential by what reading with it came to.
func credentialProbe(errs ...error) report.Probe {
	p := report.Probe{Name: "credential", OK: true, Text: "accepted for reading"}
	for _, err := range errs {
		if err == nil {
			return p // one answer shows it
		}
		if !errors.Is(err, providers.ErrNotFound) {
			p.OK, p.Text = false, err.Error()
		}
	}
	return p
}

func serverProbe(id, name string, serverErr, describeErr error) report.Probe {
	p := report.Probe{Name: "server", Text: id}
	switch {
	case serverErr != nil:
		p.Text = "which server is this: " + serverErr.Error()
	case describeErr != nil:
		p.Text = id + ": " + describeErr.Error()
	default:
		p.OK, p.Text = true, strings.TrimSpace(id+" "+name)
	}
	return p
}

// clockProbe judges how far the API's clock is ahead.
func clockProbe(ahead time.Duration, provider string) report.Probe {
	p := report.Probe{Name: "clock", OK: true, Text: "as the API's"}
	off := ahead.Abs()
	if off < clockFine {
		return p
	}
	direction := "behind"
	if ahead < 0 {
		direction = "ahead of"
	}
	p.Text = fmt.Sprintf("%v %s the API's", off.Round(time.Second), direction)
	if provider == "exoscale" {
		p.OK = off < clockLatest
		p.Text += fmt.Sprintf("; Exoscale takes no signature that is more than %v off", clockLatest)
	}
	return p
}

func addressProbe(addr netip.Addr, instances []string, server string, h providers.Holding, readErr error) report.Probe {
	p := report.Probe{Name: "address", Address: addr, Instances: instances, Servers: h.Servers}
	err := readErr
	if err == nil {
		err = h.Err
	}
	switch {
	case err != nil:
		p.Text = err.Error()
	case len(h.Servers) == 0:
		p.OK, p.Text = true, "at nothing"
	case h.At(server):
		p.OK, p.Text = true, "at this server"
	default:
		p.OK, p.Text = true, "at "+strings.Join(h.Servers, ", ")
	}
	if h.Shared {
		p.Text += " (shared: it has a health check)"
	}
	return p
}
