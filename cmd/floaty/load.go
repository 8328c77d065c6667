package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-logr/logr"

	"floaty/config"
	"floaty/desired"
	"floaty/desired/keepalived/conf"
)

// A setup is the configuration and keepalived.conf, read at one moment.
type setup struct {
	config     *config.Config
	keepalived *conf.Config // nil: unusable, and no address must come from it
	fifo       *string      // the daemon's path; nil: it has none
	doubt      error        // why keepalived is nil
	watch      []string     // files and directories from which keepalived was read, or failed to be
	host       string       // what this host was called then
	odd        []config.Warning
}

// loadTimeout is how long it may take to read the configuration and keepalived.conf before that is worth a line.
const loadTimeout = 10 * time.Second

// A loaded setup is what loadNow has returned; with some errors it is not complete.
type loaded struct {
	setup setup
	err   error
}

// load reads path and the keepalived.conf that it names. The error has a line for each problem (see problems). A disk that hangs holds
// up nobody after ctx's end: what is read then is lost.
func load(ctx context.Context, path string) (setup, error) {
	done := make(chan loaded, 1)
	go func() { done <- loadNow(path, configID{}) }()
	select {
	case l := <-done:
		return l.setup, l.err
	case <-ctx.Done():
		return setup{}, fmt.Errorf("reading %s and keepalived.conf: %w", path, context.Cause(ctx))
	}
}

// loadNow is [load] for who has the time; id is for keepalived.conf (see readKeepalived).
func loadNow(path string, id configID) loaded {
	s, err := readSetup(path, id)
	return loaded{s, err}
}

func readSetup(path string, id configID) (setup, error) {
	cfg, err := config.Load(path)
	if err != nil {
		return setup{}, err
	}
	read, err := readKeepalived(cfg, id)
	s := setup{config: cfg, keepalived: read, watch: read.Watch, odd: cfg.Warnings()}
	s.host = hostName()
	if err != nil {
		s.keepalived, s.doubt = nil, err
	}
	if err != nil && len(cfg.ManagedAddresses) == 0 && len(cfg.Instances) == 0 {
		return s, fmt.Errorf("keepalived-config: %w", err)
	}
	return s, nil
}

// settings is what desired needs to know of it: of the instances named only, or of all if only is nil.
func (s setup) settings(only []string) desired.Settings {
	counts := func(name string) bool { return only == nil || slices.Contains(only, name) }
	instances := map[string][]netip.Addr{}
	for name, inst := range s.config.Instances {
		if counts(name) {
			instances[name] = inst.Addresses
		}
	}
	read := s.keepalived
	if read != nil {
		read = &conf.Config{Groups: read.Groups}
		for _, inst := range s.keepalived.Instances {
			if counts(inst.Name) {
				read.Instances = append(read.Instances, inst)
			}
		}
	}
	return desired.Settings{Instances: instances, Managed: s.config.ManagedAddresses, Keepalived: read}
}

// files are the paths whose change may change the setup.
func (s setup) files() []string {
	if s.config == nil {
		return nil
	}
	files := slices.Concat(s.config.Files(), []string{s.config.KeepalivedConfig}, s.watch)
	slices.Sort(files)
	return slices.Compact(files)
}

// server returns the server's ID as configured; empty: the metadata service tells. Where the configuration names servers
// by host name, but not this one, missing is this host's name.
func (s setup) server() (id, missing string) {
	if s.config.Provider == "exoscale" {
		return s.config.Exoscale.InstanceID, ""
	}
	id, byName := hostServer(s.config, s.host)
	switch {
	case !byName:
		return s.config.Cloudscale.ServerUUID, ""
	case id != "":
		return id, ""
	case s.host == "":
		return "", "(unknown host name)"
	}
	return "", s.host
}

// pidFile returns the path of the pid file of Keepalived's VRRP process: as configured, or where keepalived.conf has Keepalived put it.
func (s setup) pidFile() string {
	switch {
	case s.config == nil:
		return ""
	case s.config.KeepalivedPIDFile != "":
		return s.config.KeepalivedPIDFile
	case s.keepalived != nil:
		return s.keepalived.PIDFile()
	}
	return new(conf.Config).PIDFile()
}

// maxName is the longest name of a file in state-dir, in bytes: that of a socket and its directory's must fit into 107.
const maxName = 60

// stateFile returns the path of one of the daemon's files in state-dir, named after the configuration's path, so that two
// daemons with two configurations do not share it.
func stateFile(c *config.Config, suffix string) string {
	name := url.PathEscape(c.Path)
	if len(name) > maxName {
		name = fmt.Sprintf("%.20s-%x", url.PathEscape(filepath.Base(c.Path)), sha256.Sum256([]byte(c.Path)))[:maxName]
	}
	return filepath.Join(c.StateDir, name+suffix)
}

// problems are the single lines of an error of load.
func problems(err error) []error {
	var all config.Problems
	if !errors.As(err, &all) {
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			return joined.Unwrap()
		}
		return []error{err}
	}
	var list []error
	for _, p := range all {
		list = append(list, p)
	}
	return list
}

// refuse says why the configuration is unusable and returns the exit status.
func refuse(log logr.Logger, err error) int {
	for _, p := range problems(err) {
		log.Error(p, "the configuration is unusable")
	}
	return exitUnusable
}
