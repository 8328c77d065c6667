package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"floaty/providers/grammar"
)

// Clouds are the sections of the clouds.
type Clouds struct {
	Cloudscale Cloudscale // cloudscale
	Exoscale   Exoscale   // exoscale
}

// Cloudscale is the section of the cloud cloudscale.ch.
type Cloudscale struct {
	Endpoint  string // http or https, with a host, without a trailing slash
	Token     Secret // from token or token-file; set if the provider is cloudscale
	TokenFile string // empty: the token, if any, is in the configuration file

	ServerUUID           string            // of this server, in lower case; empty: not configured
	HostnameToServerUUID map[string]string // host names as the kernel reports them; UUIDs in lower case
}

// Exoscale is the section of the cloud Exoscale.
type Exoscale struct {
	Endpoint      string // as in Cloudscale, with the API version in its path; empty: that of the zone
	Zone          string // such as ch-gva-2; empty: from the metadata service
	Key           Secret // from key or key-file; set if the provider is exoscale
	Secret        Secret // from secret or secret-file; set if the provider is exoscale
	KeyFile       string // empty: the key, if any, is in the configuration file
	SecretFile    string // empty: the secret, if any, is in the configuration file
	InstanceID    string // of this server, in lower case; empty: not configured
	DetachManaged bool   // also detach other instances from addresses with a health check
}

// A cloud describes one of the clouds that the key provider can name.
type cloud struct {
	name     string            // of the provider, and of its section
	endpoint string            // of its API; empty: that of its zone
	zone     string            // decides the endpoint if that is empty; empty: from the metadata service, or the cloud has only one endpoint
	server   string            // the ID of this server; empty: not configured
	servers  map[string]string // IDs of servers, by host name; nil: the section has no such key
	secrets  []secretKey
	keys     func() []key // a function, so that the keys are not built whenever the rest is needed, which is for each event of Keepalived
}

// A secretKey is a key whose value may be in a file instead. The path of that file is then the value of the key
// name-file.
type secretKey struct {
	name   string
	secret *Secret
	file   *string
	public bool // not a secret by itself
}

// clouds returns all clouds, with their values in c.
func (c *Config) clouds() []cloud {
	cs, exo := &c.Cloudscale, &c.Exoscale
	return []cloud{
		{
			name:     "cloudscale",
			endpoint: cs.Endpoint,
			server:   cs.ServerUUID,
			servers:  cs.HostnameToServerUUID,
			secrets:  []secretKey{{"token", &cs.Token, &cs.TokenFile, false}},
			keys:     c.cloudscaleKeys,
		},
		{
			name:     "exoscale",
			endpoint: exo.Endpoint,
			zone:     exo.Zone,
			server:   exo.InstanceID,
			secrets:  []secretKey{{"key", &exo.Key, &exo.KeyFile, true}, {"secret", &exo.Secret, &exo.SecretFile, false}},
			keys:     c.exoscaleKeys,
		},
	}
}

func (c *Config) cloudscaleKeys() []key {
	cs := &c.Cloudscale
	return []key{
		scalar("endpoint", "https://api.cloudscale.ch", NewEngine, &cs.Endpoint, cloudscaleEndpoint),
		scalar("token", nil, InPlace, &cs.Token, credential),
		scalar("token-file", nil, InPlace, &cs.TokenFile, c.file),
		scalar("server-uuid", nil, NewEngine, &cs.ServerUUID, uuid),
		compound("hostname-to-server-uuid", NewEngine, &cs.HostnameToServerUUID, (*section).uuids),
	}
}

func (c *Config) exoscaleKeys() []key {
	exo := &c.Exoscale
	return []key{
		scalar("endpoint", nil, NewEngine, &exo.Endpoint, exoscaleEndpoint),
		scalar("zone", nil, NewEngine, &exo.Zone, zone),
		scalar("key", nil, InPlace, &exo.Key, credential),
		scalar("secret", nil, InPlace, &exo.Secret, credential),
		scalar("key-file", nil, InPlace, &exo.KeyFile, c.file),
		scalar("secret-file", nil, InPlace, &exo.SecretFile, c.file),
		scalar("instance-id", nil, NewEngine, &exo.InstanceID, uuid),
		scalar("detach-managed", false, NewEngine, &exo.DetachManaged, boolean),
	}
}

// cloud returns the configured cloud.
func (c *Config) cloud() cloud {
	for _, cloud := range c.clouds() {
		if cloud.name == c.Provider {
			return cloud
		}
	}
	return cloud{}
}

// SameCredential reports whether two configurations have the same credential for their clouds.
func (c *Config) SameCredential(other *Config) bool {
	return slices.EqualFunc(c.cloud().secrets, other.cloud().secrets, func(a, b secretKey) bool { return *a.secret == *b.secret })
}

// Endpoint returns the URL of the configured cloud's API; empty: that of its zone.
func (c *Config) Endpoint() string { return c.cloud().endpoint }

// SameAPI reports whether two configurations call the same API of the same cloud.
func (c *Config) SameAPI(other *Config) bool {
	a, b := c.cloud(), other.cloud()
	return a.name == b.name && a.endpoint == b.endpoint && (a.endpoint != "" || a.zone == b.zone)
}

// Server returns the ID of this server in the section of the configured cloud; empty: not configured.
func (c *Config) Server() string { return c.cloud().server }

// Servers returns the IDs of servers in the section of the configured cloud, by host name. It must not be changed.
func (c *Config) Servers() map[string]string { return c.cloud().servers }

// Files returns the files to watch: the configuration file and the secret files that were read with it.
func (c *Config) Files() []string {
	files := []string{c.Path}
	for _, key := range c.cloud().secrets {
		if *key.file != "" {
			files = append(files, *key.file)
		}
	}
	return files
}

// provider is the converter of the cloud's name.
func (c *Config) provider(value any) (string, error) {
	name, err := text(value)
	if names := c.providerNames(); err == nil && !slices.Contains(names, name) {
		err = fmt.Errorf("%s is unknown: want %s", quote(name), strings.Join(names, " or "))
	}
	return name, err
}

// providerNames returns the names of all clouds.
func (c *Config) providerNames() []string {
	var names []string
	for _, cloud := range c.clouds() {
		names = append(names, cloud.name)
	}
	return names
}

// checkCredential reports problems with the keys of a cloud's secrets. If the cloud is the chosen one, the secrets must also be given, and
// their files are read.
func (s *section) checkCredential(keys []secretKey, chosen bool) {
	for _, key := range keys {
		if s.has(key.name) && s.has(key.name+"-file") { // it would not be clear which of them is used
			s.problem(s.key(key.name), "given together with %s: keep only one", key.name+"-file")
		}
	}
	if !chosen {
		return
	}
	for _, key := range keys {
		switch fileKey := key.name + "-file"; {
		case s.has(key.name):
		case !s.has(fileKey):
			s.problem(s.key(key.name), "missing: give it or %s", fileKey)
		case *key.file != "":
			*key.secret = s.secretFile(fileKey, *key.file)
		}
	}
}

// secretFile reads the credential from the file at path, which the key names.
func (s *section) secretFile(key, path string) Secret {
	secret, err := readSecret(path)
	if err != nil {
		s.problem(s.key(key), "%s: %v", path, err)
		s.problems[len(s.problems)-1].SecretFile = path
	}
	return secret
}

// readSecret returns the content of a secret file.
func readSecret(path string) (Secret, error) {
	data, err := readFile(path, maxSecretBytes)
	switch {
	case err != nil:
		return Secret{}, err
	case len(data) == 0:
		return Secret{}, errors.New("empty: it must contain the credential")
	}
	return credential(string(data))
}

// zone is the converter of an Exoscale zone, which becomes part of a host name.
func zone(value any) (string, error) {
	s, err := text(value)
	if err == nil && !grammar.Zone(s) {
		err = fmt.Errorf("%s is not a zone: want something like ch-gva-2", quote(s))
	}
	return s, err
}

// cloudscaleEndpoint is the converter of the URL of cloudscale.ch's API. Configurations of floaty 1.x have the API
// version in it, which is now in the paths of the requests.
func cloudscaleEndpoint(value any) (string, error) {
	s, err := endpoint(value)
	if err != nil {
		return "", err
	}
	if u, err := url.Parse(s); err == nil && inDomain(u, "cloudscale.ch") && u.Path != "" {
		return "", fmt.Errorf("%s must have no path, not even the version: want https://api.cloudscale.ch", quote(s))
	}
	return s, nil
}

// exoscaleEndpoint is the converter of the URL of Exoscale's API. Configurations of floaty 1.x name that of API
// version 1, which belongs to no zone and lacks the calls that are made now.
func exoscaleEndpoint(value any) (string, error) {
	s, err := endpoint(value)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(s)
	if err == nil && (inDomain(u, "exoscale.ch") || inDomain(u, "exoscale.com") && u.Path != "" && u.Path != "/v2") {
		return "", fmt.Errorf("%s belongs to an older API: want something like https://api-ch-gva-2.exoscale.com/v2, or zone without endpoint",
			quote(s))
	}
	return s, nil
}
