package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A cloud is one that the key provider can name.
type cloud struct {
	name     string // of the provider, and of its section
	endpoint string // of its API; empty: that of its zone
	secrets  []secretKey
	keys     []key
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
			secrets:  []secretKey{{"token", &cs.Token, &cs.TokenFile, false}},
			keys: []key{
				scalar("endpoint", "https://api.cloudscale.ch", NewEngine, &cs.Endpoint, cloudscaleEndpoint),
				scalar("token", nil, InPlace, &cs.Token, credential),
				scalar("token-file", nil, InPlace, &cs.TokenFile, c.file),
				scalar("server-uuid", nil, NewEngine, &cs.ServerUUID, uuid),
				compound("hostname-to-server-uuid", NewEngine, &cs.HostnameToServerUUID, (*section).uuids),
			},
		},
		{
			name:     "exoscale",
			endpoint: exo.Endpoint,
			secrets:  []secretKey{{"key", &exo.Key, &exo.KeyFile, true}, {"secret", &exo.Secret, &exo.SecretFile, false}},
			keys: []key{
				scalar("endpoint", nil, NewEngine, &exo.Endpoint, exoscaleEndpoint),
				scalar("zone", nil, NewEngine, &exo.Zone, zone),
				scalar("key", nil, InPlace, &exo.Key, credential),
				scalar("secret", nil, InPlace, &exo.Secret, credential),
				scalar("key-file", nil, InPlace, &exo.KeyFile, c.file),
				scalar("secret-file", nil, InPlace, &exo.SecretFile, c.file),
				scalar("instance-id", nil, NewEngine, &exo.InstanceID, uuid),
				scalar("detach-managed", false, NewEngine, &exo.DetachManaged, boolean),
			},
		},
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

// Credential returns the secrets of the configured cloud, two at most, for comparing two configurations.
func (c *Config) Credential() [2]Secret {
	var all [2]Secret
	for i, key := range c.cloud().secrets {
		all[i] = *key.secret
	}
	return all
}

// Endpoint returns the URL of the configured cloud's API; empty: that of its zone.
func (c *Config) Endpoint() string { return c.cloud().endpoint }

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

// checkCredential reports problems with the keys of a cloud's secrets. Only if the cloud is the chosen one, the
// secrets must be given, and their files are read.
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
