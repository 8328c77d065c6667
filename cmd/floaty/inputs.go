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

// inputs are the configuration and keepalived.conf, read at one moment.
type inputs struct {
	config         *config.Config
	keepalived     *conf.Config // nil: unusable, but not needed for any address
	fifo           *string      // the path of the daemon's FIFO; nil: it has none
	keepalivedErr  error        // why keepalived is nil
	watchFiles     []string     // the files and directories that keepalived.conf consists of, or lacks
	hostName       string       // this host's name at that moment; empty: unknown
	configWarnings []config.Warning

	// From keepalived.conf and the file system, for the daemon's FIFO:
	fifoOwners   []uint32  // the users who may own it
	fifoWarnings []warning // why Keepalived's events would not reach it
}

// loadTimeout is how long reading the configuration and keepalived.conf may take before that is logged.
const loadTimeout = 10 * time.Second

// loaded is the result of reading the inputs. With some errors the inputs are incomplete.
type loaded struct {
	inputs inputs
	err    error
}

// load reads the configuration at path and the keepalived.conf that it names. The error may contain several problems (see
// problems). If a disk hangs, load returns when ctx ends. fifo is the path of the daemon's FIFO; nil: it has none.
func load(ctx context.Context, path string, fifo *string) (inputs, error) {
	done := make(chan loaded, 1)
	go func() { done <- loadNow(path, fifo, configID{}) }()
	select {
	case l := <-done:
		return l.inputs, l.err
	case <-ctx.Done():
		return inputs{}, fmt.Errorf("reading %s and keepalived.conf: %w", path, context.Cause(ctx))
	}
}

// loadNow is load without a context. The config id is needed for keepalived.conf (see readKeepalived).
func loadNow(path string, fifo *string, id configID) loaded {
	cfg, err := config.Load(path)
	if err != nil {
		return loaded{err: err}
	}
	read, err := readKeepalived(cfg, id)
	s := inputs{config: cfg, keepalived: read, fifo: fifo, watchFiles: read.Watch, hostName: hostName(), configWarnings: cfg.Warnings()}
	if err != nil {
		s.keepalived, s.keepalivedErr = nil, err
	}
	s.fifoOwners, s.fifoWarnings = s.findFIFOOwners(), s.checkFIFO()
	if err != nil && len(cfg.ManagedAddresses) == 0 && len(cfg.Instances) == 0 {
		return loaded{s, fmt.Errorf("keepalived-config: %w", err)}
	}
	return loaded{inputs: s}
}

// keep puts what keepalived.conf said before in the place of one that is unusable but not needed for any address.
func (s *inputs) keep(before inputs) {
	if s.keepalived == nil {
		s.keepalived, s.fifoOwners, s.fifoWarnings = before.keepalived, before.fifoOwners, before.fifoWarnings
	}
}

// settings returns what desired needs to know, restricted to the named instances; nil: all.
func (s inputs) settings(names []string) desired.Settings {
	counts := func(name string) bool { return names == nil || slices.Contains(names, name) }
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

// files returns the paths whose change may change the inputs.
func (s inputs) files() []string {
	if s.config == nil {
		return nil
	}
	files := slices.Concat(s.config.Files(), []string{s.config.KeepalivedConfig}, s.watchFiles)
	slices.Sort(files)
	return slices.Compact(files)
}

// server returns the configured ID of this server; empty: it comes from the metadata service. If the configuration
// maps host names to servers but lacks this host, missing is this host's name.
func (s inputs) server() (id, missing string) {
	if s.config.Provider == "exoscale" {
		return s.config.Exoscale.InstanceID, ""
	}
	id, byName := serverByHostName(s.config, s.hostName)
	switch {
	case !byName:
		return s.config.Cloudscale.ServerUUID, ""
	case id != "":
		return id, ""
	case s.hostName == "":
		return "", "(unknown host name)"
	}
	return "", s.hostName
}

// pidFile returns the path of the PID file of Keepalived's VRRP process: the configured one, or the one that follows
// from keepalived.conf.
func (s inputs) pidFile() string {
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

// maxName bounds the name of a file in state-dir, in bytes. The path of a socket is limited to 107.
const maxName = 60

// stateFile returns the path of a file of the daemon in state-dir. It is named after the path of the configuration,
// so that daemons with different configurations do not share it.
func stateFile(c *config.Config, suffix string) string {
	name := url.PathEscape(c.Path)
	if len(name) > maxName {
		name = fmt.Sprintf("%.20s-%x", url.PathEscape(filepath.Base(c.Path)), sha256.Sum256([]byte(c.Path)))[:maxName]
	}
	return filepath.Join(c.StateDir, name+suffix)
}

// problems returns the single problems of an error of load.
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

// reportProblems logs why the configuration is unusable and returns the exit status.
func reportProblems(log logr.Logger, err error) int {
	for _, p := range problems(err) {
		log.Error(p, "the configuration is unusable")
	}
	return exitUnusable
}
