// Package conf reads keepalived.conf, as far as it names VRRP instances, their addresses and sync groups.
//
// It reads a file as Keepalived 2.2.7 does: comments, @id conditions, $definitions, ~SEQ and ~LST, includes, quotes and
// braces, in that order. Its promise is that the list of addresses is Keepalived's own or that there is none:
//
//   - What it cannot read as Keepalived does is an error with file, line and construct, never a shorter list.
//   - What Keepalived itself drops with a message, it drops too, with a [Problem] among the warnings.
//   - Blocks that name no addresses are passed over, but their braces must balance, and a vrrp_instance within one is an
//     error: a brace is missing before it.
//
// It runs nothing, asks no running Keepalived, and does not judge whether Keepalived would start with the file.
package conf

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Config is what one keepalived.conf says, with all that it includes.
type Config struct {
	Instances []Instance // in the order of the file, each name once
	Groups    []Group    // in the order of the file, each name once
	FIFOs     []FIFO     // of notify_fifo and vrrp_notify_fifo, in the order of the file
	Watch     []string   // files that were read, and directories in which an include would find more; each once
	Warnings  []Problem  // what Keepalived drops

	Instance     string // of the setting "instance": one of several Keepalived on this host; empty: none
	NetNamespace string // of the setting "net_namespace": where the interfaces are; empty: none
	PIDDir       bool   // use_pid_dir
	Conditions   bool   // there are @id lines
	ScriptUser   string // script_user; empty: not given
}

// An Instance is a vrrp_instance.
type Instance struct {
	Name      string
	Addresses []netip.Prefix // virtual_ipaddress, in the order of the file; host bits are kept, repetitions too
	Excluded  []netip.Prefix // virtual_ipaddress_excluded

	// AdvertInterval is the time between two advertisements, as Keepalived uses it: advert_int, or 1 s; 10 ms to 255 s.
	AdvertInterval time.Duration

	File string
	Line int
}

// A Group is a vrrp_sync_group.
type Group struct {
	Name    string
	Members []string // names of instances in Config, each once
	File    string
	Line    int
}

// A Problem is one thing about one line. As an error it says why the file cannot be read, as a warning what Keepalived
// drops.
type Problem struct {
	File string
	Line int // from 1; 0: it is about the whole file
	Text string
	Err  error // of the system, where the file could not be read; else nil
}

// Error returns the problem in one line, with its place.
func (p Problem) Error() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Options says what the file does not.
type Options struct {
	ID      string // the config id for @id lines, Keepalived's option -i; empty: the host name up to its first dot
	Guessed bool   // that is not certain: lines left out for it are warnings, if they may matter
}

// Unwrap returns what the system said.
func (p Problem) Unwrap() error { return p.Err }

// Parse reads the file at path and all that it includes. Its error is a [Problem]; the configuration then holds nothing but
// Conditions and Watch: where the mistake may be mended.
func Parse(path string, opts Options) (*Config, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return &Config{}, Problem{File: path, Text: err.Error()}
	}
	if opts.ID == "" {
		host, err := os.Hostname()
		if err != nil {
			return &Config{}, Problem{File: path, Text: fmt.Sprintf("finding the host name for @id: %v", err)}
		}
		opts.ID, _, _ = strings.Cut(host, ".")
	}
	p := &parser{reader: newReader(opts), version: '2', fifos: map[string]bool{}}
	err = p.reader.open(path)
	if err == nil {
		err = p.top()
	}
	watch := p.reader.watched()
	if err != nil {
		return &Config{Watch: watch, Conditions: p.reader.conditions}, err
	}
	p.config.Watch, p.config.Conditions = watch, p.reader.conditions
	p.config.Groups = p.settled()
	p.settleIntervals()
	p.config.Warnings = slices.Concat(p.reader.warnings, p.warnings)
	return &p.config, nil
}
