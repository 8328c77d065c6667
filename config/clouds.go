package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A cloud is one that provider can name.
type cloud struct {
	name     string // also of its section
	endpoint string // of its API; empty: the one of the zone
	secrets  []secretKey
	keys     []key
}

// A secretKey is a key whose value may be in a file instead, which the key with -file behind its name gives.
type secretKey struct {
	name   string
	secret *Secret
	file   *string
	public bool // nothing is won by reading it alone
}

// clouds returns all that there are, with what c says of each.
func (c *Config) clouds() []cloud {
	cs, exo := &c.Cloudscale, &c.Exoscale
	return []cloud{
		{
			name:     "cloudscale",
			endpoint: cs.Endpoint,
			secrets:  []secretKey{{"token", &cs.Token, &cs.TokenFile, false}},
			keys: []key{
				one("endpoint", "https://api.cloudscale.ch", NewEngine, &cs.Endpoint, cloudscaleEndpoint),
				one("token", nil, InPlace, &cs.Token, credential),
				one("token-file", nil, InPlace, &cs.TokenFile, c.file),
				one("server-uuid", nil, NewEngine, &cs.ServerUUID, uuid),
				many("hostname-to-server-uuid", NewEngine, &cs.HostnameToServerUUID, (*section).uuids),
			},
		},
		{
			name:     "exoscale",
			endpoint: exo.Endpoint,
			secrets:  []secretKey{{"key", &exo.Key, &exo.KeyFile, true}, {"secret", &exo.Secret, &exo.SecretFile, false}},
			keys: []key{
				one("endpoint", nil, NewEngine, &exo.Endpoint, exoscaleEndpoint),
				one("zone", nil, NewEngine, &exo.Zone, zone),
				one("key", nil, InPlace, &exo.Key, credential),
				one("secret", nil, InPlace, &exo.Secret, credential),
				one("key-file", nil, InPlace, &exo.KeyFile, c.file),
				one("secret-file", nil, InPlace, &exo.SecretFile, c.file),
				one("instance-id", nil, NewEngine, &exo.InstanceID, uuid),
				one("detach-managed", false, NewEngine, &exo.DetachManaged, truth),
			},
		},
	}
}

// cloud returns the chosen one.
func (c *Config) cloud() cloud {
	for _, cloud := range c.clouds() {
		if cloud.name == c.Provider {
			return cloud
		}
	}
	return cloud{}
}

// Credential returns the secrets of the chosen cloud, so that two configurations can be compared.
func (c *Config) Credential() [2]Secret {
	var all [2]Secret
	for i, key := range c.cloud().secrets {
		all[i] = *key.secret
	}
	return all
}

// Endpoint returns the URL of the chosen cloud's API; empty: that of its zone.
func (c *Config) Endpoint() string { return c.cloud().endpoint }

// Files returns the configuration file and the secret files that were read with it: what to watch.
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
	if names := c.names(); err == nil && !slices.Contains(names, name) {
		err = fmt.Errorf("%s is unknown: known are %s", show(name), strings.Join(names, " and "))
	}
	return name, err
}

// names returns those of all clouds.
func (c *Config) names() []string {
	var names []string
	for _, cloud := range c.clouds() {
		names = append(names, cloud.name)
	}
	return names
}

// credential reports what is wrong between the keys of a cloud's secrets. Only if it is chosen must they be given, and their files are read.
func (s *section) credential(keys []secretKey, chosen bool) {
	for _, key := range keys {
		if s.has(key.name) && s.has(key.name+"-file") { // nobody would know which one counts
			s.problem(s.key(key.name), "given beside %s: keep one of them", key.name+"-file")
		}
	}
	if !chosen {
		return
	}
	for _, key := range keys {
		switch fileKey := key.name + "-file"; {
		case s.has(key.name):
		case !s.has(fileKey):
			s.problem(s.key(key.name), "missing: give it, or %s", fileKey)
		case *key.file != "":
			*key.secret = s.secretFile(fileKey, *key.file)
		}
	}
}

// secretFile reads the credential in the file that a key names.
func (s *section) secretFile(key, path string) Secret {
	secret, err := readSecret(path)
	if err != nil {
		s.problem(s.key(key), "%s: %v", path, err)
		s.problems[len(s.problems)-1].SecretFile = path
	}
	return secret
}

// readSecret returns what a file holds.
func readSecret(path string) (Secret, error) {
	data, err := readFile(path, maxSecretBytes)
	switch {
	case err != nil:
		return Secret{}, err
	case len(data) == 0:
		return Secret{}, errors.New("empty: it should hold the credential")
	}
	return credential(string(data))
}
