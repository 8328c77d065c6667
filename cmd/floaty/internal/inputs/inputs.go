// Package inputs reads what an operator has written: the configuration and keepalived.conf, at one moment and together. It determines what
// follows from both: which instances, addresses and server there are, what is unusual, and whether Keepalived's events reach the daemon's
// FIFO.
//
// It does not put anything into force and calls no cloud.
package inputs

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

	"floaty/config"
	"floaty/desired"
	"floaty/desired/keepalived/conf"
)

// Inputs are the configuration and keepalived.conf, read at one moment.
type Inputs struct {
	Config     *config.Config
	Keepalived *conf.Config // nil: unusable, but not needed for any address
	FIFO       *string      // the path of the daemon's FIFO; nil: it has none
	FIFOOwners []uint32     // the users who may own it, as keepalived.conf names them

	hostName       string   // this host's name at that moment; empty: unknown
	watchFiles     []string // the files and directories that keepalived.conf consists of, or lacks
	keepalivedErr  error    // why keepalived.conf is unusable; nil: it is usable
	configWarnings []config.Warning
	fifoWarnings   []warning // why Keepalived's events would not reach the FIFO
}

// LoadTimeout is how long reading the configuration and keepalived.conf may take before that is logged.
const LoadTimeout = 10 * time.Second

// Loaded is the result of reading the inputs. With some errors the inputs are incomplete.
type Loaded struct {
	Inputs Inputs
	Err    error
}

// Load reads the configuration at path and the keepalived.conf that it names. The error may contain several problems (see
// [Problems]). If a disk hangs, Load returns when ctx ends. fifo is the path of the daemon's FIFO; nil: it has none.
func Load(ctx context.Context, path string, fifo *string) (Inputs, error) {
	done := make(chan Loaded, 1)
	go func() { done <- Read(path, fifo, ConfigID{}) }()
	select {
	case l := <-done:
		return l.Inputs, l.Err
	case <-ctx.Done():
		return Inputs{}, fmt.Errorf("reading %s and keepalived.conf: %w", path, context.Cause(ctx))
	}
}

// Read is Load without a context. The config id is needed for keepalived.conf (see readKeepalived).
func Read(path string, fifo *string, id ConfigID) Loaded {
	cfg, err := config.Load(path)
	if err != nil {
		return Loaded{Err: err}
	}
	read, err := readKeepalived(cfg, id)
	s := Inputs{Config: cfg, Keepalived: read, FIFO: fifo, watchFiles: read.Watch, hostName: HostName(), configWarnings: cfg.Warnings()}
	if err != nil {
		s.Keepalived, s.keepalivedErr = nil, err
	}
	s.FIFOOwners, s.fifoWarnings = s.findFIFOOwners(), s.checkFIFO()
	if err != nil && len(cfg.ManagedAddresses) == 0 && len(cfg.Instances) == 0 {
		return Loaded{s, fmt.Errorf("keepalived-config: %w", err)}
	}
	return Loaded{Inputs: s}
}

// Keep takes keepalived.conf from before if the one in s is unusable but not needed for any address.
func (s *Inputs) Keep(before Inputs) {
	if s.Keepalived == nil {
		s.Keepalived, s.FIFOOwners, s.fifoWarnings = before.Keepalived, before.FIFOOwners, before.fifoWarnings
	}
}

// Settings returns what package desired needs to know, restricted to the named instances; nil: all.
func (s Inputs) Settings(names []string) desired.Settings {
	counts := func(name string) bool { return names == nil || slices.Contains(names, name) }
	instances := map[string][]netip.Addr{}
	for name, inst := range s.Config.Instances {
		if counts(name) {
			instances[name] = inst.Addresses
		}
	}
	read := s.Keepalived
	if read != nil {
		read = &conf.Config{Groups: read.Groups}
		for _, inst := range s.Keepalived.Instances {
			if counts(inst.Name) {
				read.Instances = append(read.Instances, inst)
			}
		}
	}
	return desired.Settings{Instances: instances, Managed: s.Config.ManagedAddresses, Keepalived: read}
}

// Files returns the paths whose change may change the inputs.
func (s Inputs) Files() []string {
	if s.Config == nil {
		return nil
	}
	files := slices.Concat(s.Config.Files(), []string{s.Config.KeepalivedConfig}, s.watchFiles)
	slices.Sort(files)
	return slices.Compact(files)
}

// Server returns the configured ID of this server; empty: it comes from the metadata service. If the configuration
// maps host names to servers but lacks this host, missing is this host's name.
func (s Inputs) Server() (id, missing string) {
	id, byName := ServerByHostName(s.Config, s.hostName)
	switch {
	case !byName:
		return s.Config.Server(), ""
	case id != "":
		return id, ""
	case s.hostName == "":
		return "", "(unknown host name)"
	}
	return "", s.hostName
}

// PIDFile returns the path of the PID file of Keepalived's VRRP process: the configured one, or the one that follows
// from keepalived.conf.
func (s Inputs) PIDFile() string {
	switch {
	case s.Config != nil && s.Config.KeepalivedPIDFile != "":
		return s.Config.KeepalivedPIDFile
	case s.Keepalived != nil:
		return s.Keepalived.PIDFile()
	}
	return conf.Globals{}.PIDFile()
}

// maxName bounds the name of a file in state-dir, in bytes. The path of a socket is limited to 107.
const maxName = 60

// StateFile returns the path of a file of the daemon in state-dir. It is named after the path of the configuration,
// so that daemons with different configurations do not share it.
func StateFile(c *config.Config, suffix string) string {
	name := url.PathEscape(c.Path)
	if len(name) > maxName {
		name = fmt.Sprintf("%.20s-%x", url.PathEscape(filepath.Base(c.Path)), sha256.Sum256([]byte(c.Path)))[:maxName]
	}
	return filepath.Join(c.StateDir, name+suffix)
}

// Problems returns the single problems of an error of [Load].
func Problems(err error) []error {
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
