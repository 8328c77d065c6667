package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"floaty/cmd/floaty/internal/daemon"
	"floaty/cmd/floaty/internal/report"
	"floaty/desired/keepalived"
)

const usage = `usage: floaty [flags] --fifo CONFIG FIFO
       floaty [flags] CONFIG INSTANCE|GROUP NAME STATE PRIORITY
       floaty [flags] --dry-run CONFIG
       floaty [flags] --dry-run --fifo CONFIG FIFO
       floaty [flags] --check CONFIG [FIFO]
       floaty [flags] --test CONFIG
       floaty [flags] --status [--watch] CONFIG|SOCKET
       floaty [flags] --ready CONFIG|SOCKET
       floaty --version
       floaty --help
`

const help = usage + `
Keeps floating IP addresses pointed at the server whose Keepalived VRRP instance is MASTER.

  --fifo             run as a daemon that reads Keepalived's events from FIFO
  (five arguments)   run as a notify script of Keepalived: MASTER holds the addresses until another process takes
                     over or Keepalived exits; any other state stops the holder
  --dry-run          with --fifo or five arguments: log the changes to the cloud instead of making them;
                     alone: print what would change if this host were MASTER of every instance
                     (exit status 0: nothing, 1: something, 2: an error, or an address that could not be read)
  --check            validate the configuration and keepalived.conf offline, and print what they mean
                     (exit status 0: fine, 1: something must be fixed)
  --test, -T         check the credential, this server and every address with the real cloud, without
                     changing anything (exit status 0: fine, 1: something must be fixed)
  --status           show the status of the daemon that runs with CONFIG; SOCKET, in state-dir, serves those
                     who may not read CONFIG
  --watch            with --status: keep showing it until interrupted
  --ready            exit with status 0 if that daemon could take over now, else with 1 and the reason
  --version          print the version, the commit and the version of Go
  --output FORMAT    text (the default) or json, for --check, --test, --dry-run and --status
  --json-log         write log lines as JSON
  --verbose, -v      log more, and show servers by ID (also if FLOATY_LOG_VERBOSE is not empty)

Reports go to standard output, logs to standard error. On SIGHUP, the configuration is read again, as after an edit.
Exit status: 0 success, 1 unusable configuration, 2 usage error; for --dry-run see above.
See also: floaty(8), floaty.yml(5), /usr/share/doc/floaty/README.md (from the packages).
`

// A mode is what the command line asks floaty to do.
type mode int

const (
	modeDaemon mode = iota
	modeNotify
	modeDiff
	modeCheck
	modeTest
	modeStatus
	modeReady
	modeVersion
)

// A command is a parsed command line.
type command struct {
	mode      mode
	config    string
	fifo      string
	fifoGiven bool             // false: not given, which only --check allows
	event     keepalived.Event // the notify script's arguments
	dryRun    bool
	watch     bool // with --status: until interrupted
	verbose   bool
	jsonLog   bool
	output    report.Format
	names     *daemon.ServerNames // for log lines
}

// parse parses the command line without the program's name. Its error has one line, or is flag.ErrHelp.
func parse(args []string) (command, error) {
	var c command
	var fifo, check, test, status, ready, version bool
	var output string
	flags := flag.NewFlagSet("floaty", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&fifo, "fifo", false, "")
	flags.BoolVar(&check, "check", false, "")
	flags.BoolVar(&test, "test", false, "")
	flags.BoolVar(&test, "T", false, "")
	flags.BoolVar(&status, "status", false, "")
	flags.BoolVar(&c.watch, "watch", false, "")
	flags.BoolVar(&ready, "ready", false, "")
	flags.BoolVar(&version, "version", false, "")
	flags.BoolVar(&c.dryRun, "dry-run", false, "")
	flags.BoolVar(&c.verbose, "verbose", false, "")
	flags.BoolVar(&c.verbose, "v", false, "")
	flags.BoolVar(&c.jsonLog, "json-log", false, "")
	flags.StringVar(&output, "output", "text", "")
	rest, err := positional(flags, args)
	if err != nil {
		c.jsonLog = c.jsonLog || slices.Contains(args, "--json-log") || slices.Contains(args, "-json-log") // it may follow the mistake
		return c, err
	}
	c.verbose = c.verbose || os.Getenv("FLOATY_LOG_VERBOSE") != ""
	if c.output, err = report.ParseFormat(output); err != nil {
		return c, err
	}
	want := "CONFIG"
	modes := 0
	for _, given := range []bool{fifo, check, test, status, ready, version} {
		if given {
			modes++
		}
	}
	switch {
	case modes > 1, c.dryRun && modes > 0 && !fifo:
		return c, errors.New("--fifo, --check, --test, --status, --ready and --version exclude one another, and --dry-run can be combined with --fifo only")
	case c.watch && !status:
		return c, errors.New("--watch can be combined with --status only")
	case version:
		c.mode, want = modeVersion, ""
	case check:
		c.mode = modeCheck
		if c.fifoGiven = len(rest) > 1; c.fifoGiven {
			want = "CONFIG FIFO"
		}
	case test:
		c.mode = modeTest
	case status:
		c.mode, want = modeStatus, "CONFIG|SOCKET"
	case ready:
		c.mode, want = modeReady, "CONFIG|SOCKET"
	case fifo:
		c.mode, want = modeDaemon, "CONFIG FIFO"
	case len(rest) > 1:
		c.mode, want = modeNotify, "CONFIG INSTANCE|GROUP NAME STATE PRIORITY"
	case c.dryRun:
		c.mode = modeDiff
	default:
		return c, errors.New("no mode given: want --fifo, --dry-run, --check, --test, --status, --ready, --version or the five arguments of a notify script")
	}
	if len(rest) != len(strings.Fields(want)) {
		return c, fmt.Errorf("wrong number of arguments: got %d, want %s", len(rest), cmp.Or(want, "none"))
	}
	if want != "" {
		c.config = rest[0]
		if c.config == "" {
			return c, errors.New("the path of the configuration file is empty")
		}
	}
	switch c.mode {
	case modeDaemon:
		c.fifo = rest[1]
	case modeNotify:
		c.event, err = keepalived.ParseArgs(rest[1:])
	case modeCheck:
		if c.fifoGiven {
			c.fifo = rest[1]
		}
	case modeDiff, modeTest, modeStatus, modeReady, modeVersion:
	}
	return c, err
}

// positional parses the flags in args, which may precede and follow the other arguments, and returns the other
// arguments. What follows INSTANCE or GROUP comes from Keepalived and is never a flag, whatever the name of an
// instance; neither is what follows --.
func positional(flags *flag.FlagSet, args []string) ([]string, error) {
	var rest []string
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		left := flags.Args()
		if parsed := len(args) - len(left); len(left) == 0 || parsed > 0 && args[parsed-1] == "--" {
			return append(rest, left...), nil
		}
		if len(rest) == 1 && (left[0] == "INSTANCE" || left[0] == "GROUP") {
			return append(rest, left...), nil
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}
