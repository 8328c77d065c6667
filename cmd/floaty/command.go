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
	fifoGiven bool             // whether fifo is an argument, which it need not be with --check
	event     keepalived.Event // the notify script's arguments
	dryRun    bool
	watch     bool // with --status: until interrupted
	verbose   bool
	jsonLog   bool
	output    report.Format
	names     *daemon.ServerNames // for log lines
}

// A selection holds the flags that select a mode. At most one of them may be given.
type selection struct{ fifo, check, test, status, ready, version bool }

// count returns how many modes are selected.
func (s selection) count() int {
	n := 0
	for _, given := range []bool{s.fifo, s.check, s.test, s.status, s.ready, s.version} {
		if given {
			n++
		}
	}
	return n
}

// parse parses the command line without the program's name. Its error has one line, or is flag.ErrHelp.
func parse(args []string) (command, error) {
	var c command
	var selected selection
	var output string
	rest, err := positional(c.flags(&selected, &output), args)
	if err != nil {
		c.jsonLog = c.jsonLog || slices.Contains(args, "--json-log") || slices.Contains(args, "-json-log") // it may follow the mistake
		return c, err
	}
	c.verbose = c.verbose || os.Getenv("FLOATY_LOG_VERBOSE") != ""
	if c.output, err = report.ParseFormat(output); err != nil {
		return c, err
	}
	if c.mode, err = c.choose(selected, len(rest)); err != nil {
		return c, err
	}
	err = c.setArguments(rest)
	return c, err
}

// flags returns the flags, which set the fields of c, selected and output.
func (c *command) flags(selected *selection, output *string) *flag.FlagSet {
	flags := flag.NewFlagSet("floaty", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&selected.fifo, "fifo", false, "")
	flags.BoolVar(&selected.check, "check", false, "")
	flags.BoolVar(&selected.test, "test", false, "")
	flags.BoolVar(&selected.test, "T", false, "")
	flags.BoolVar(&selected.status, "status", false, "")
	flags.BoolVar(&selected.ready, "ready", false, "")
	flags.BoolVar(&selected.version, "version", false, "")
	flags.BoolVar(&c.watch, "watch", false, "")
	flags.BoolVar(&c.dryRun, "dry-run", false, "")
	flags.BoolVar(&c.verbose, "verbose", false, "")
	flags.BoolVar(&c.verbose, "v", false, "")
	flags.BoolVar(&c.jsonLog, "json-log", false, "")
	flags.StringVar(output, "output", "text", "")
	return flags
}

// choose returns the mode that the flags select or, without such a flag, the number of arguments.
func (c *command) choose(selected selection, arguments int) (mode, error) {
	modes := selected.count()
	switch {
	case modes > 1, c.dryRun && modes > 0 && !selected.fifo:
		return 0, errors.New("--fifo, --check, --test, --status, --ready and --version exclude one another, and --dry-run can be combined with --fifo only")
	case c.watch && !selected.status:
		return 0, errors.New("--watch can be combined with --status only")
	case selected.version:
		return modeVersion, nil
	case selected.check:
		return modeCheck, nil
	case selected.test:
		return modeTest, nil
	case selected.status:
		return modeStatus, nil
	case selected.ready:
		return modeReady, nil
	case selected.fifo:
		return modeDaemon, nil
	case arguments > 1:
		return modeNotify, nil
	case c.dryRun:
		return modeDiff, nil
	}
	return 0, errors.New("no mode given: want --fifo, --dry-run, --check, --test, --status, --ready, --version or the five arguments of a notify script")
}

// wants returns the arguments of a mode, as the usage names them, separated by blanks. The FIFO of --check, which is optional, is one of them
// if more than one argument is given.
func (m mode) wants(given int) string {
	switch m {
	case modeDaemon:
		return "CONFIG FIFO"
	case modeNotify:
		return "CONFIG INSTANCE|GROUP NAME STATE PRIORITY"
	case modeCheck:
		if given > 1 {
			return "CONFIG FIFO"
		}
		return "CONFIG"
	case modeDiff, modeTest:
		return "CONFIG"
	case modeStatus, modeReady:
		return "CONFIG|SOCKET"
	case modeVersion:
	}
	return ""
}

// setArguments takes the arguments that are not flags, which must be those that the mode wants.
func (c *command) setArguments(args []string) error {
	want := c.mode.wants(len(args))
	switch {
	case len(args) != len(strings.Fields(want)):
		return fmt.Errorf("wrong number of arguments: got %d, want %s", len(args), cmp.Or(want, "none"))
	case len(args) == 0:
		return nil
	}
	c.config, args = args[0], args[1:]
	if c.config == "" {
		return errors.New("the path of the configuration file is empty")
	}
	var err error
	switch c.mode {
	case modeDaemon, modeCheck:
		if c.fifoGiven = len(args) > 0; c.fifoGiven {
			c.fifo = args[0]
		}
	case modeNotify:
		c.event, err = keepalived.ParseArgs(args)
	case modeDiff, modeTest, modeStatus, modeReady, modeVersion:
	}
	return err
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
