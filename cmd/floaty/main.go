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

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"floaty/cmd/floaty/internal/logqueue"
	"floaty/cmd/floaty/internal/printable"
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
	encoder := newEncoder(c.jsonLog)
	queue := logqueue.New(stderr, func(dropped int) []byte { return droppedLine(encoder, dropped) })
	defer queue.Close(lastWords)
	log := newLogger(queue, encoder, c.verbose)
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
		return runDaemon(ctx, c, log)
	case modeNotify:
		return notify(ctx, c, log)
	}
	return exitUsage
}

// lastWords is how long the end waits for who reads the log.
const lastWords = time.Second

// newLogger logs to w. Messages of logr's level 1 and above only if verbose.
func newLogger(w zapcore.WriteSyncer, encoder zapcore.Encoder, verbose bool) logr.Logger {
	level := zapcore.InfoLevel
	if verbose {
		level = zapcore.DebugLevel
	}
	return zapr.NewLoggerWithOptions(zap.New(zapcore.NewCore(encoder, w, level)), zapr.ErrorKey("err"))
}

// newEncoder makes a line of an entry, or a JSON object.
func newEncoder(asJSON bool) zapcore.Encoder {
	form := zap.NewProductionEncoderConfig()
	form.EncodeTime = zapcore.TimeEncoderOfLayout("2006-01-02T15:04:05.000Z07:00")
	form.EncodeDuration = zapcore.StringDurationEncoder
	form.EncodeLevel = zapcore.CapitalLevelEncoder
	form.TimeKey = "time"
	if asJSON {
		return escaping{zapcore.NewJSONEncoder(form)}
	}
	return escaping{zapcore.NewConsoleEncoder(form)}
}

// droppedLine says that lines were lost.
func droppedLine(encoder zapcore.Encoder, n int) []byte {
	entry := zapcore.Entry{Level: zapcore.ErrorLevel, Time: time.Now(), Message: "log lines were dropped: nobody read them in time"}
	line, err := encoder.EncodeEntry(entry, []zapcore.Field{zap.Int("lines", n)})
	if err != nil { // it encodes a number
		return nil
	}
	return line.Bytes()
}

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
