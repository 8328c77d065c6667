// Package config reads, defaults, checks and watches floaty's configuration file and the secrets that it names.
//
// [Load] reads a file whole and answers with a [Config] in which every value has been checked, or with [Problems]: all
// that is wrong, one line each. A [Config] is never changed afterwards; [Changes] tells two of them apart, and a
// [Watcher] says when it is time to load again.
//
// It does not act on what it reads: it opens no FIFO, makes no directory, asks no cloud, looks up no host name and reads
// no keepalived.conf. It logs nothing but what the [Watcher] cannot watch, and it decides nothing about how a running
// daemon takes over a change.
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

	LockFileTemplate string        // lock-file-template; exactly one %s, which takes the path-escaped instance name
	LockTimeout      time.Duration // lock-timeout; > 0
	KeepalivedConfig string        // keepalived-config

	// ManagedAddresses (managed-addresses) are those of every instance that Instances does not name, in the order of
	// the file, each once. Empty, or not given: the addresses of keepalived.conf.
	ManagedAddresses []netip.Addr

	// Instances (instances), by the name of the VRRP instance.
	Instances map[string]Instance

	RefreshInterval time.Duration // refresh-interval; > 0
	RefreshTimeout  time.Duration // refresh-timeout; > 0
	BackOff         BackOff       // back-off

	Provider   string     // provider; "cloudscale"
	Cloudscale Cloudscale // cloudscale
	Exoscale   Exoscale   // exoscale

	StateDir              string // state-dir
	KeepalivedPIDFile     string // keepalived-pid-file, of the VRRP process
	ListenAddress         string // listen-address, HOST:PORT; empty: off
	MaxConcurrentRequests int    // max-concurrent-requests; 1 to 10000
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

// CleartextEndpoint reports whether the credential leaves this host unencrypted.
func (c Cloudscale) CleartextEndpoint() bool { return cleartext(c.Endpoint) }

// Exoscale is the section of the cloud Exoscale. Its files are not read.
type Exoscale struct {
	Endpoint      string // as in Cloudscale; empty: the one of the zone
	Zone          string // such as ch-gva-2
	Key           Secret
	Secret        Secret
	KeyFile       string
	SecretFile    string
	InstanceID    string // of this server, lower case; empty: not given
	DetachManaged bool
}

// Files returns the configuration file and the secret files that were read with it: what to watch.
func (c *Config) Files() []string {
	files := []string{c.Path}
	if c.Cloudscale.TokenFile != "" {
		files = append(files, c.Cloudscale.TokenFile)
	}
	return files
}

// defaults returns what an empty file would mean.
func defaults() *Config {
	return &Config{
		LockFileTemplate: "/var/lock/floaty-%s.lock",
		LockTimeout:      10 * time.Second,
		KeepalivedConfig: "/etc/keepalived/keepalived.conf",
		RefreshInterval:  time.Minute,
		RefreshTimeout:   10 * time.Second,
		BackOff: BackOff{
			InitialInterval: time.Second,
			Multiplier:      1.1,
			MaxInterval:     10 * time.Second,
		},
		Cloudscale:            Cloudscale{Endpoint: "https://api.cloudscale.ch"},
		StateDir:              "/run/floaty",
		KeepalivedPIDFile:     "/run/vrrp.pid", // where Keepalived 2.2.7 puts that of its VRRP process
		MaxConcurrentRequests: 100,
	}
}

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
