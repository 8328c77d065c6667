package config

import (
	"errors"
	"fmt"
	"net/netip"
)

// The clouds, as provider names them.
const (
	cloudscaleName = "cloudscale"
	exoscaleName   = "exoscale"
)

// top reads the whole file into c, which holds the defaults.
func (l *loader) top(c *Config, root mapping) {
	s := l.newSection("", root)
	take(s, "lock-file-template", &c.Lock.FileTemplate, l.lockFile)
	take(s, "lock-timeout", &c.Lock.Timeout, interval)
	take(s, "keepalived-config", &c.KeepalivedConfig, l.file)
	c.ManagedAddresses = s.addresses("managed-addresses")
	c.Instances = s.section("instances").instances()
	take(s, "refresh-interval", &c.RefreshInterval, interval)
	c.RefreshTimeout = min(c.RefreshTimeout, c.RefreshInterval) // the default: a read has ended before the next one is due
	take(s, "refresh-timeout", &c.RefreshTimeout, interval)
	s.section("back-off").backOff(&c.BackOff)
	take(s, "provider", &c.Provider, provider)
	s.section("cloudscale").cloudscale(&c.Cloudscale, c.Provider == cloudscaleName)
	s.section("exoscale").exoscale(&c.Exoscale, c.Provider == exoscaleName)
	take(s, "state-dir", &c.StateDir, l.file)
	take(s, "keepalived-pid-file", &c.KeepalivedPIDFile, l.file)
	take(s, "keepalived-config-id", &c.KeepalivedConfigID, configID)
	take(s, "listen-address", &c.ListenAddress, listen)
	take(s, "max-concurrent-requests", &c.MaxConcurrentRequests, requests)
	s.end()
	if !s.has("provider") {
		s.problem("provider", "missing: give the cloud, %s or %s", cloudscaleName, exoscaleName)
	}
}

// provider is the converter of the cloud's name.
func provider(value any) (string, error) {
	name, err := text(value)
	if err == nil && name != cloudscaleName && name != exoscaleName {
		err = fmt.Errorf("%s is unknown: known are %s and %s", show(name), cloudscaleName, exoscaleName)
	}
	return name, err
}

// lockFile is the converter of lock-file-template.
func (l *loader) lockFile(value any) (string, error) {
	template, err := lockTemplate(value)
	if err != nil {
		return "", err
	}
	return l.file(template)
}

func (s *section) backOff(b *BackOff) {
	take(s, "initial-interval", &b.InitialInterval, interval)
	take(s, "multiplier", &b.Multiplier, multiplier)
	take(s, "max-interval", &b.MaxInterval, interval)
	take(s, "max-elapsed-time", &b.MaxElapsedTime, limit)
	s.end()
	if b.MaxInterval < b.InitialInterval {
		s.problem(s.key("max-interval"), "%v is below initial-interval %v: must be at least as long",
			b.MaxInterval, b.InitialInterval)
	}
}

// cloudscale reads the section; only if it is chosen, a credential has to be in it, and its file is read.
func (s *section) cloudscale(c *Cloudscale, chosen bool) {
	take(s, "endpoint", &c.Endpoint, cloudscaleEndpoint)
	take(s, "token", &c.Token, credential)
	take(s, "token-file", &c.TokenFile, s.file)
	take(s, "server-uuid", &c.ServerUUID, uuid)
	c.HostnameToServerUUID = s.section("hostname-to-server-uuid").uuids()
	s.end()
	s.onlyOne("token", "token-file")
	if chosen {
		s.needs("token", &c.Token, "token-file", c.TokenFile)
	}
}

// exoscale reads the section, as cloudscale does its own.
func (s *section) exoscale(e *Exoscale, chosen bool) {
	take(s, "endpoint", &e.Endpoint, exoscaleEndpoint)
	take(s, "zone", &e.Zone, zone)
	take(s, "key", &e.Key, credential)
	take(s, "secret", &e.Secret, credential)
	take(s, "key-file", &e.KeyFile, s.file)
	take(s, "secret-file", &e.SecretFile, s.file)
	take(s, "instance-id", &e.InstanceID, uuid)
	take(s, "detach-managed", &e.DetachManaged, truth)
	s.end()
	s.onlyOne("key", "key-file")
	s.onlyOne("secret", "secret-file")
	if chosen {
		s.needs("key", &e.Key, "key-file", e.KeyFile)
		s.needs("secret", &e.Secret, "secret-file", e.SecretFile)
	}
}

// needs reports a credential that is not given, and reads the file that it is in.
func (s *section) needs(key string, secret *Secret, fileKey, file string) {
	switch {
	case s.has(key):
	case s.has(fileKey):
		if file != "" {
			*secret = s.secretFile(fileKey, file)
		}
	default:
		s.problem(s.key(key), "missing: give it, or %s", fileKey)
	}
}

// onlyOne reports a credential that is given twice, for nobody would know which one counts.
func (s *section) onlyOne(key, file string) {
	if s.has(key) && s.has(file) {
		s.problem(s.key(key), "given beside %s: keep one of them", file)
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

// instances reads the section whose keys are names of VRRP instances.
func (s *section) instances() map[string]Instance {
	instances := map[string]Instance{}
	for _, name := range s.order {
		path := s.path + "." + plainName(name)
		from, ok := s.items[name].(mapping)
		if !ok {
			s.problem(path, "%s: want addresses: and a list, indented below it", kind(s.items[name]))
			continue
		}
		one := s.newSection(path, from)
		instances[name] = Instance{Addresses: one.addresses("addresses")}
		one.end()
		if !one.has("addresses") {
			s.problem(path, "no addresses: list them, or [] for none")
		}
	}
	return instances
}

// uuids reads the section whose keys are host names.
func (s *section) uuids() map[string]string {
	ids := map[string]string{}
	for _, host := range s.order {
		id, err := uuid(s.items[host])
		if err != nil {
			s.problem(s.path+"."+plainName(host), "%v", err)
			continue
		}
		ids[host] = id
	}
	return ids
}

// addresses takes the list of addresses below a key. One that is named twice counts once: the wish is the same, and lists
// grow by pasting.
func (s *section) addresses(key string) []netip.Addr {
	items, _ := s.list(key)
	addrs := make([]netip.Addr, 0, len(items))
	seen := map[netip.Addr]bool{}
	for i, item := range items {
		addr, err := address(item)
		if err != nil {
			s.problem(s.key(key), "item %d: %v", i+1, err)
			continue
		}
		if !seen[addr] {
			addrs = append(addrs, addr)
		}
		seen[addr] = true
	}
	return addrs
}
