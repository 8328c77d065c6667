package main

import (
	"context"
	"io"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/inspect"
	"floaty/cmd/floaty/internal/report"
	"floaty/desired"
	"floaty/providers"
)

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
