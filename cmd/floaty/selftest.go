package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/inspect"
	"floaty/cmd/floaty/internal/report"
	"floaty/config"
	"floaty/desired"
	"floaty/providers"
)

// testAtMost bounds each of the two steps of a self-test.
const testAtMost = 20 * time.Second

// selftest asks the real cloud whether what the configuration says can be. It writes nothing.
func selftest(ctx context.Context, c command, log logr.Logger, stdout io.Writer) int {
	s, err := load(ctx, c.config)
	if err != nil {
		return refuse(log, err)
	}
	cloud, err := newCloud(s, cloudOptions{secrets: func() *config.Config { return s.config }, log: log})
	if err != nil {
		return refuse(log, err)
	}
	set := desired.Compute(desired.Input{Settings: s.settings(nil)})
	t := report.Test{Provider: s.config.Provider, Checks: ask(ctx, s, cloud, set).Checks(set), Warnings: s.reported()}
	if err := t.Write(stdout, c.output); err != nil {
		log.Error(err, "writing the report failed")
		return exitUnusable
	}
	if !t.OK() {
		return exitUnusable
	}
	return exitOK
}

// A rightsChecker is a cloud in which a right is needed that no reading shows.
type rightsChecker interface {
	CheckRights(ctx context.Context) error
}

// ask asks for everything once, side by side where it can.
func ask(ctx context.Context, s setup, cloud cloud, set desired.Set) inspect.Test {
	limit := min(s.config.RefreshTimeout, testAtMost)
	t := inspect.Test{Provider: s.config.Provider}
	t.Server, t.ServerErr = within(ctx, limit, cloud.Server)
	contact := new(contact)
	ctx = contact.trace(ctx)
	type description struct {
		name  string
		clock time.Time
	}
	var found description
	var step sync.WaitGroup
	step.Go(func() {
		if t.ServerErr != nil {
			return
		}
		found, t.DescribeErr = within(ctx, limit, func(ctx context.Context) (d description, err error) {
			d.name, d.clock, err = cloud.Describe(ctx, t.Server)
			return d, err
		})
	})
	step.Go(func() { t.Holdings, t.ReadErr = read(ctx, limit, providers.DryRun(cloud), set) })
	if checker, ok := cloud.(rightsChecker); ok {
		t.Rights = true
		step.Go(func() {
			_, t.RightsErr = within(ctx, limit, func(ctx context.Context) (any, error) { return nil, checker.CheckRights(ctx) })
		})
	}
	step.Wait()
	t.Name, t.Clock, t.Now = found.name, found.clock, time.Now()
	t.Contact = contact.made()
	return t
}

// read reads all that set manages, with a deadline.
func read(ctx context.Context, limit time.Duration, cloud providers.Provider, set desired.Set) (map[netip.Addr]providers.Holding, error) {
	addrs := slices.SortedFunc(maps.Keys(set.Addresses), netip.Addr.Compare)
	return within(ctx, limit, func(ctx context.Context) (map[netip.Addr]providers.Holding, error) {
		return cloud.Read(ctx, addrs)
	})
}

// within calls f with a deadline of its own, and gives it up if it does not return then.
func within[T any](ctx context.Context, limit time.Duration, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := orTimeout(ctx, limit)
	defer cancel()
	value, err := providers.Await(ctx, func() (T, error) { return f(ctx) })
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w (%w)", cause, err)
	}
	return value, err
}
