// Command floaty keeps cloud floating IP addresses pointed at the server whose Keepalived VRRP instance is MASTER.
//
// It wires the packages together and is the only place that knows every implementation. What it decides itself is what
// its flags mean and how a changed configuration is taken over.
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
	defer stop()
	signal.Ignore(syscall.SIGPIPE) // who reads the log may go
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program; it returns the exit status.
func run(ctx context.Context, args []string, stdout io.Writer, stderr *os.File) int {
	c, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, _ = io.WriteString(stdout, help)
		return exitOK
	}
	c.names = &serverNames{}
	form := logForm{json: c.jsonLog, journal: textlog.IsJournal(stderr), verbose: c.verbose, names: c.names}
	queue := logqueue.New(stderr, form.droppedLine)
	defer queue.Close(lastWords)
	log := form.logger(queue)
	withhold(log)
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
	case modeLook:
		return look(ctx, c, log, stdout)
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

// lastWords is how long the end waits for who reads the log.
const lastWords = time.Second

// version says what was built, from what the Go command put into the binary.
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

// orTimeout is a context with one deadline and a cause that says so.
func orTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, fmt.Errorf("no answer within %v", d))
}
