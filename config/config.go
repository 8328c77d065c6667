// Package config reads, defaults, checks and watches floaty's configuration file and the secrets that it names.
//
// [Load] reads a file whole and answers with a [Config] in which every value has been checked, or with [Problems]: all
// that is wrong, one line each. A [Config] is never changed afterwards; [Changes] tells two of them apart, and a
// [Watcher] says when it is time to load again.
//
// It does not act on what it reads: it opens no FIFO, makes no directory, asks no cloud, looks up no host name and reads
// no keepalived.conf. It logs nothing but what the [Watcher] cannot watch. It names what a change of each key takes, but
// takes nothing over.
//
// All keys stand in one table, that of the method keys; its clouds are in that of the method clouds.
package config

import (
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// A Config is a whole, usable configuration: defaults filled in, every value in its range. Its paths are absolute: a
// relative one in the file starts at the directory of the configuration file, whatever the working directory is.
type Config struct {
	Path string // of the configuration file

	Lock             Lock   // lock-file-template and lock-timeout
	KeepalivedConfig string // keepalived-config

	// ManagedAddresses (managed-addresses) are those of every instance that Instances does not name, in the order of
	// the file, each once. Empty, or not given: the addresses of keepalived.conf.
	ManagedAddresses []netip.Addr

	// Instances (instances), by the name of the VRRP instance.
	Instances map[string]Instance

	RefreshInterval time.Duration // refresh-interval; > 0
	RefreshTimeout  time.Duration // refresh-timeout; > 0
	BackOff         BackOff       // back-off

	Provider   string     // provider; "cloudscale" or "exoscale"
	Cloudscale Cloudscale // cloudscale
	Exoscale   Exoscale   // exoscale

	StateDir              string // state-dir
	KeepalivedPIDFile     string // keepalived-pid-file, of the VRRP process; empty: where keepalived.conf has it
	KeepalivedConfigID    string // keepalived-config-id, Keepalived's option -i; empty: to be found out
	ListenAddress         string // listen-address, HOST:PORT; empty: off
	MaxConcurrentRequests int    // max-concurrent-requests; 1 to 10000
}

// A Lock says how the processes of notify-script mode take turns.
type Lock struct {
	FileTemplate string        // exactly one %s, which takes the path-escaped instance name
	Timeout      time.Duration // > 0; how long the holder may take to end
}

// An Instance is what the configuration says of one VRRP instance.
type Instance struct {
	// Addresses are in the order of the file, each once. An empty list is a wish, too: none for this instance, neither
	// managed-addresses nor those of keepalived.conf.
	Addresses []netip.Addr
}

// A BackOff says how the tries of one address move apart.
type BackOff struct {
	InitialInterval time.Duration // > 0
	Multiplier      float64       // >= 1, finite
	MaxInterval     time.Duration // >= InitialInterval
	MaxElapsedTime  time.Duration // >= 0; 0: never give up
}

// Cloudscale is the section of the cloud cloudscale.ch.
type Cloudscale struct {
	Endpoint  string // http or https, with a host, without a slash at the end
	Token     Secret // from token or token-file; given if the provider is cloudscale
	TokenFile string // empty: the token is in the configuration file

	ServerUUID           string            // of this server, lower case; empty: not given
	HostnameToServerUUID map[string]string // host names as the kernel has them; UUIDs in lower case
}

// Exoscale is the section of the cloud Exoscale.
type Exoscale struct {
	Endpoint      string // as in Cloudscale, with the version in its path; empty: the one of the zone
	Zone          string // such as ch-gva-2; empty: the metadata service tells
	Key           Secret // from key or key-file; given if the provider is exoscale
	Secret        Secret // from secret or secret-file; given if the provider is exoscale
	KeyFile       string // empty: the key is in the configuration file
	SecretFile    string // empty: the secret is in the configuration file
	InstanceID    string // of this server, lower case; empty: not given
	DetachManaged bool   // also take others off addresses with a health check
}

// Cleartext reports whether the credential leaves this host unencrypted.
func (c *Config) Cleartext() bool { return cleartext(c.Endpoint()) }

// cleartext reports whether endpoint is plain HTTP to anything but this host.
func cleartext(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" {
		return false
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return err != nil || !addr.Unmap().IsLoopback()
}
