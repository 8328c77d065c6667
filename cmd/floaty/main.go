// Command floaty keeps cloud floating IP addresses pointed at the server whose Keepalived VRRP instance is MASTER.
//
// It parses the command line, runs the packages below internal that the chosen mode needs, and turns what they return into reports, log
// lines and exit statuses.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/daemon"
	"floaty/cmd/floaty/internal/inputs"
	"floaty/cmd/floaty/internal/logform"
	"floaty/cmd/floaty/internal/logqueue"
	"floaty/cmd/floaty/internal/printable"
	"floaty/cmd/floaty/internal/textlog"
)

// Exit statuses that have no report of their own.
const (
	exitOK       = 0
	exitUnusable = 1 // the configuration
	exitUsage    = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	signal.Ignore(syscall.SIGPIPE) // the reader of the log may exit
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program; it returns the exit status.
func run(ctx context.Context, args []string, stdout io.Writer, stderr *os.File) int {
	c, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, _ = io.WriteString(stdout, help)
		return exitOK
	}
	c.names = &daemon.ServerNames{}
	form := logform.Form{JSON: c.jsonLog, Journal: textlog.IsJournal(stderr), Verbose: c.verbose, Names: c.names.Show}
	queue := logqueue.New(stderr, form.DroppedLine)
	defer queue.Close(flushTimeout)
	log := form.Logger(queue)
	logform.DiscardLibraryLogs(log)
	if err != nil {
		if c.jsonLog {
			log.Error(err, "usage")
		} else {
			_, _ = fmt.Fprintf(queue, "floaty: %s\n%s", printable.Text(err.Error()), usage)
		}
		return exitUsage
	}
	switch c.mode {
	case modeVersion:
		_, _ = fmt.Fprintln(stdout, version())
		return exitOK
	case modeCheck:
		return check(ctx, c, log, stdout)
	case modeDiff:
		return diff(ctx, c, log, stdout)
	case modeTest:
		return selftest(ctx, c, log, stdout)
	case modeStatus:
		return status(ctx, c, log, stdout)
	case modeReady:
		return ready(ctx, c, log)
	case modeDaemon:
		return runDaemon(ctx, c, log, queue.Dropped)
	case modeNotify:
		return notify(ctx, c, log)
	}
	return exitUsage
}

// flushTimeout is how long the program waits at its end for log lines to be written.
const flushTimeout = time.Second

// version describes the build, from what the Go command has recorded in the binary.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "floaty (unknown build)"
	}
	commit, modified := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = " (modified)"
		}
	}
	return fmt.Sprintf("floaty %s, commit %s%s, %s", info.Main.Version, commit, modified, info.GoVersion)
}

// withTimeout returns a context with a deadline, whose cause names the timeout.
func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, fmt.Errorf("no answer within %v", d))
}

// reportProblems logs why the configuration is unusable and returns the exit status.
func reportProblems(log logr.Logger, err error) int {
	for _, p := range inputs.Problems(err) {
		log.Error(p, "the configuration is unusable")
	}
	return exitUnusable
}
