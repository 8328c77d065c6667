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

  --fifo             run as the daemon that reads Keepalived's events from FIFO
  (five arguments)   run as Keepalived's notify script: MASTER holds the addresses until another
                     process takes over or Keepalived is gone; any other state ends the holder
  --dry-run          with --fifo or five arguments: log what would be written and write nothing;
                     else: look once, as if this host were MASTER of everything, and print
                     what would change (exit status 0: nothing, 1: something, 2: trouble)
  --check            say whether the configuration and keepalived.conf are usable, and what is odd, offline
                     (exit status 0: all is well, 1: something needs a human)
  --test, -T         ask the real cloud whether credential, server and addresses are right; writes
                     nothing (exit status 0: all is well, 1: something is not)
  --status           show what the running daemon of that configuration knows; --watch follows it until Ctrl-C;
                     SOCKET, in state-dir, is for those who may not read the configuration
  --ready            exit status 0 if that daemon could take over now; else 1, and one line says why
  --version          print version, commit and Go version
  --output text|json how --check, --test, --dry-run and --status report to standard output (default text)
  --json-log         log in JSON
  --verbose, -v      log more (also: FLOATY_LOG_VERBOSE set to anything but the empty string)

Logs go to standard error. SIGHUP reads the configuration again, as an edit of it does.
Exit status: 0 fine, 1 unusable configuration, 2 wrong usage; --dry-run as above.
`

// A mode is what floaty is called for.
type mode int

const (
	modeDaemon mode = iota
	modeNotify
	modeLook
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
	fifoGiven bool             // with --check it may be left out
	event     keepalived.Event // of a notify script
	dryRun    bool
	watch     bool // the status, again and again
	verbose   bool
	jsonLog   bool
	output    report.Format
	names     *serverNames // for the log
}

// parse reads a command line without the program's name. Its error is one line, or flag.ErrHelp.
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
		c.jsonLog = c.jsonLog || slices.Contains(args, "--json-log") || slices.Contains(args, "-json-log") // behind the mistake, perhaps
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
		return c, errors.New("--fifo, --check, --test, --status, --ready and --version exclude each other, and --dry-run goes with --fifo only")
	case c.watch && !status:
		return c, errors.New("--watch goes with --status only")
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
		c.mode = modeLook
	default:
		return c, errors.New("which mode: --fifo, --dry-run, --check, --test, --status, --ready, --version, or the five arguments of a notify script?")
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
	case modeLook, modeTest, modeStatus, modeReady, modeVersion:
	}
	return c, err
}

// positional parses the flags in args, before and behind the other arguments, and returns those. What follows INSTANCE or GROUP comes
// from Keepalived and is no flag, whatever an instance is called; nor is what follows a --.
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
