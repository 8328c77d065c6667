// Package conf parses keepalived.conf, as far as it names VRRP instances, their addresses, sync groups and the notify FIFO.
//
// It reads a file as Keepalived 2.2.7 does: comments, @id conditions, $definitions, ~SEQ and ~LST, includes, quotes and braces, in that
// order. It returns either the addresses that Keepalived itself would use, or an error:
//
//   - What it cannot read as Keepalived does is an error with file, line and construct, never a shorter list.
//   - What Keepalived itself ignores with a message, it ignores too, and adds a [Problem] to the warnings.
//   - It skips blocks that name no addresses. Their braces must balance, and a vrrp_instance within one is an error, because a brace
//     before it is missing.
//
// It executes nothing, asks no running Keepalived, and does not decide whether Keepalived would start with the file.
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

// A Config is what a keepalived.conf says, together with the files that it includes.
type Config struct {
	Instances []Instance // in the order of the file, each name once
	Groups    []Group    // in the order of the file, each name once
	FIFOs     []FIFO     // from notify_fifo and vrrp_notify_fifo, in the order of the file
	Watch     []string   // the files that were read, and the directories in which an include might find more; each once
	Warnings  []Problem  // what Keepalived ignores

	Conditions bool // whether anything depends on the config ID: an @id line or $_INSTANCE
	Globals
}

// Globals are what keepalived.conf sets for Keepalived as a whole.
type Globals struct {
	Instance     string // instance, which distinguishes several Keepalived on one host; empty: not set
	NetNamespace string // net_namespace, in which the interfaces are; empty: not set
	PIDDir       bool   // whether use_pid_dir is set
	ScriptUser   string // script_user; empty: not set
}

// An Instance is a vrrp_instance.
type Instance struct {
	Name      string
	Addresses []netip.Prefix // virtual_ipaddress, in the order of the file, with host bits and repetitions
	Excluded  []netip.Prefix // virtual_ipaddress_excluded

	// AdvertInterval is the time between two advertisements, from 10 ms to 255 s. It is advert_int as Keepalived rounds it, or 1 s.
	AdvertInterval time.Duration

	File string
	Line int
}

// A Group is a vrrp_sync_group.
type Group struct {
	Name    string
	Members []string // the names of instances in Config, each once
	File    string
	Line    int
}

// A Problem is what is wrong with one line. As an error it says why the file cannot be used, as a warning what Keepalived ignores.
type Problem struct {
	File string
	Line int // from 1; 0: the problem concerns the whole file
	Text string
	Err  error // the error of the system if the file could not be read; else nil
}

// Error returns the problem in one line, with file and line number.
func (p Problem) Error() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Unwrap returns Err.
func (p Problem) Unwrap() error { return p.Err }

// Options are what Parse needs to know in addition to the file.
type Options struct {
	ID      string // the config ID for @id lines (Keepalived's option -i); empty: the host name up to its first dot
	Guessed bool   // the ID is uncertain: lines that are ignored because of it lead to warnings, if they may matter
}

// Parse reads the file at path, and the files that it includes. Its error is a [Problem]. The configuration is never nil; with an error it
// holds only Conditions and Watch, the files in which the mistake may be corrected.
func Parse(path string, opts Options) (*Config, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return &Config{}, Problem{File: path, Text: err.Error()}
	}
	if opts.ID == "" {
		host, err := os.Hostname()
		if err != nil {
			return &Config{}, Problem{File: path, Text: fmt.Sprintf("cannot determine the host name for @id: %v", err)}
		}
		opts.ID, _, _ = strings.Cut(host, ".")
	}
	p := &parser{reader: newReader(opts), version: '2', fifos: map[string]bool{}}
	err = p.reader.open(path)
	if err == nil {
		err = p.topLevel()
	}
	watch := p.reader.watched()
	if err != nil {
		return &Config{Watch: watch, Conditions: p.reader.conditions}, err
	}
	p.config.Watch, p.config.Conditions = watch, p.reader.conditions
	p.config.Groups = p.validGroups()
	p.setIntervals()
	p.config.Warnings = slices.Concat(p.reader.warnings, p.warnings)
	return &p.config, nil
}
