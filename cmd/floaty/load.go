package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-logr/logr"

	"floaty/config"
	"floaty/desired"
	"floaty/desired/keepalived/conf"
)

// A setup is the configuration and keepalived.conf, read at one moment.
type setup struct {
	config     *config.Config
	keepalived *conf.Config // nil: unusable, and no address must come from it
	doubt      error        // why keepalived is nil
	watch      []string     // files and directories from which keepalived was read, or failed to be
}

// load reads path and the keepalived.conf that it names; id is for the latter (see readKeepalived). The error has a line for each problem (see problems).
func load(path string, id configID) (setup, error) {
	cfg, err := config.Load(path)
	if err != nil {
		return setup{}, err
	}
	read, err := readKeepalived(cfg, id)
	s := setup{config: cfg, keepalived: read, watch: read.Watch}
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
	cloud := s.config.Cloudscale
	if cloud.ServerUUID != "" || len(cloud.HostnameToServerUUID) == 0 {
		return cloud.ServerUUID, ""
	}
	host, err := os.Hostname()
	if err != nil {
		host = "(unknown host name)"
	}
	if id, ok := cloud.HostnameToServerUUID[host]; ok {
		return id, ""
	}
	return "", host
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

// remark says what is odd, but no reason to stop, about now and was not so in before.
func remark(log logr.Logger, before, now setup) {
	if now.doubt != nil && (before.doubt == nil || before.doubt.Error() != now.doubt.Error()) {
		message := "keepalived.conf is unusable: the addresses of the configuration are managed without it"
		if now.keepalived != nil {
			message = "keepalived.conf is unusable: what it said before stays in force"
		}
		log.Error(now.doubt, message)
	}
	if now.config.Cleartext() && (before.config == nil || before.config.Endpoint() != now.config.Endpoint()) {
		log.Error(nil, "the endpoint is plain http: the credential travels in clear", "path", now.config.Endpoint())
	}
	if _, missing := now.server(); missing != "" {
		was := ""
		if before.config != nil {
			_, was = before.server()
		}
		if was != missing {
			log.Info("hostname-to-server-uuid does not name this host: the metadata service is asked", "host", missing)
		}
	}
	for _, w := range now.warnings() {
		if !slices.Contains(before.warnings(), w) {
			log.Error(nil, "keepalived.conf has something that Keepalived drops", "path", w)
		}
	}
}

func (s setup) warnings() []string {
	if s.keepalived == nil {
		return nil
	}
	var list []string
	for _, w := range s.keepalived.Warnings {
		list = append(list, w.Error())
	}
	return list
}
