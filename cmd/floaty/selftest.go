package main

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/cloud"
	"floaty/cmd/floaty/internal/inputs"
	"floaty/cmd/floaty/internal/inspect"
	"floaty/cmd/floaty/internal/report"
	"floaty/desired"
	"floaty/providers"
)

// testTimeout bounds each of the two steps of a self-test.
const testTimeout = 20 * time.Second

// selftest checks the configuration against the real cloud, without changing anything there.
func selftest(ctx context.Context, c command, log logr.Logger, stdout io.Writer) int {
	s, api, err := openCloud(ctx, c.config, log)
	if err != nil {
		return reportProblems(log, err)
	}
	set := desired.Compute(desired.Input{Settings: s.Settings(nil)})
	t := report.Test{Provider: s.Config.Provider, Checks: queryCloud(ctx, s, api, set).Checks(set), Warnings: s.Reported()}
	if err := t.Write(stdout, c.output); err != nil {
		log.Error(err, "cannot write the report")
		return exitUnusable
	}
	if !t.OK() {
		return exitUnusable
	}
	return exitOK
}

// A rightsChecker is a cloud that can check a right that assigning needs and no reading shows.
type rightsChecker interface {
	// CheckRights returns the name of the right, and an error unless it is granted.
	CheckRights(ctx context.Context) (right string, err error)
}

// A signer is a cloud that requires signed requests, and therefore a clock that is not behind.
type signer interface {
	// SignatureLifetime returns how long the API accepts a signature.
	SignatureLifetime() time.Duration
}

// queryCloud makes every request once, in parallel where possible.
func queryCloud(ctx context.Context, s inputs.Inputs, api cloud.Cloud, set desired.Set) inspect.Test {
	limit := min(s.Config.RefreshTimeout, testTimeout)
	var t inspect.Test
	t.Server, t.ServerErr = within(ctx, limit, api.Server)
	contact := new(inspect.Recorder)
	ctx = contact.Trace(ctx)
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
			d.name, d.clock, err = api.Describe(ctx, t.Server)
			return d, err
		})
	})
	step.Go(func() { t.Holdings, t.ReadErr = read(ctx, limit, providers.DryRun(api), set) })
	if checker, ok := api.(rightsChecker); ok {
		t.Rights = true
		step.Go(func() { t.Right, t.RightsErr = within(ctx, limit, checker.CheckRights) })
	}
	if signer, ok := api.(signer); ok {
		t.Signature = signer.SignatureLifetime()
	}
	step.Wait()
	t.Name, t.Clock, t.Now = found.name, found.clock, time.Now()
	t.Contact = contact.Contact()
	return t
}
