package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/cloud"
	"floaty/cmd/floaty/internal/inputs"
	"floaty/cmd/floaty/internal/inspect"
	"floaty/config"
	"floaty/desired"
	"floaty/providers"
)

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

// read reads every managed address, with a deadline.
func read(ctx context.Context, limit time.Duration, api providers.Provider, set desired.Set) (map[netip.Addr]providers.Holding, error) {
	addrs := slices.SortedFunc(maps.Keys(set.Addresses), netip.Addr.Compare)
	return within(ctx, limit, func(ctx context.Context) (map[netip.Addr]providers.Holding, error) {
		return api.Read(ctx, addrs)
	})
}

// within calls f with a deadline and returns at the deadline even if f does not.
func within[T any](ctx context.Context, limit time.Duration, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := withTimeout(ctx, limit)
	defer cancel()
	value, err := providers.Await(ctx, func() (T, error) { return f(ctx) })
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w (%w)", cause, err)
	}
	return value, err
}
