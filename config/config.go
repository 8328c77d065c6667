// Package config reads, defaults, checks and watches floaty's configuration file and the secret files that it names.
//
// [Load] reads a file and returns a [Config] in which every value has been checked, or [Problems], which lists
// everything that is wrong. A [Config] is never changed afterwards. [Changes] compares two of them, and a [Watcher]
// reports when it is time to load again.
//
// The package does not act on what it reads: it opens no FIFO, creates no directory, calls no cloud, and reads neither the host name nor
// keepalived.conf. It logs only what the [Watcher] cannot watch. It describes what it takes to apply a change of each key (see [Reload]),
// but applies nothing.
//
// All keys are in one table, in keys.go; everything about single clouds is in clouds.go.
package config

import (
	"net/netip"
	"net/url"
	"time"

	"floaty/providers/grammar"
)

// A Config is a complete, usable configuration: defaults are filled in and every value is in its range. Its paths are
// absolute. A relative path in the file is resolved against the directory of the configuration file, whatever the
// working directory.
type Config struct {
	Path string // of the configuration file

	Lock             Lock   // lock-file-template and lock-timeout
	KeepalivedConfig string // keepalived-config

	// ManagedAddresses (managed-addresses) apply to every instance that Instances does not name. They are in the order of
	// the file, without duplicates. If empty, the addresses come from keepalived.conf.
	ManagedAddresses []netip.Addr

	// Instances (instances) holds the addresses of single VRRP instances, by instance name. It is empty if the key is missing.
	Instances       map[string]Instance
	RefreshInterval time.Duration // refresh-interval; > 0
	RefreshTimeout  time.Duration // refresh-timeout; > 0
	BackOff         BackOff       // back-off

	Provider string // provider, the name of one of the clouds
	Clouds          // the sections of the clouds

	StateDir              string // state-dir
	KeepalivedPIDFile     string // keepalived-pid-file, of the VRRP process; empty: derived from keepalived.conf
	KeepalivedConfigID    string // keepalived-config-id, Keepalived's option -i; empty: determined at run time
	ListenAddress         string // listen-address, HOST:PORT; empty: off
	MaxConcurrentRequests int    // max-concurrent-requests; 1 to 10000
}

// A Lock configures the lock by which the processes of notify-script mode take turns.
type Lock struct {
	FileTemplate string        // contains exactly one %s, for the path-escaped instance name
	Timeout      time.Duration // > 0; how long to wait for the previous holder to exit
}

// An Instance is the configuration of one VRRP instance.
type Instance struct {
	// Addresses are in the order of the file, without duplicates. An empty list means that the instance has no addresses;
	// neither managed-addresses nor keepalived.conf is used then.
	Addresses []netip.Addr
}

// A BackOff configures the delays between attempts for one address.
type BackOff struct {
	InitialInterval time.Duration // > 0
	Multiplier      float64       // >= 1, finite
	MaxInterval     time.Duration // >= InitialInterval
	MaxElapsedTime  time.Duration // >= 0; after it, attempts are made every refresh-interval; 0: never
}

// Cleartext reports whether the credential is sent unencrypted to another host.
func (c *Config) Cleartext() bool {
	u, err := url.Parse(c.Endpoint())
	return err == nil && u.Scheme == "http" && !grammar.IsLoopback(u.Hostname())
}
