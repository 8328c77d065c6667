package config

// A Reload tells what it takes to apply a changed key.
type Reload string

// The reloads, from the cheapest to the most disruptive.
const (
	InPlace   Reload = "in place"
	NewEngine Reload = "a new engine" // everything that talks to the cloud is rebuilt
	Restart   Reload = "a restart"    // until then, the value from the daemon's start stays in force
)

// A key is one key that the file may contain.
type key struct {
	name   string
	reload Reload
	keys   []key            // of the section, if it is one
	read   func(s *section) // sets its field to its value or default
	value  func() any       // returns its field
}

// keys returns the table of all keys, in the order in which they are read and in which changes of them are listed.
func (c *Config) keys() []key {
	all := []key{
		scalar("lock-file-template", "/var/lock/floaty-%s.lock", InPlace, &c.Lock.FileTemplate, c.lockFile),
		scalar("lock-timeout", "10s", InPlace, &c.Lock.Timeout, interval),
		scalar("keepalived-config", "/etc/keepalived/keepalived.conf", InPlace, &c.KeepalivedConfig, c.file),
		compound("managed-addresses", InPlace, &c.ManagedAddresses, (*section).addresses),
		compound("instances", InPlace, &c.Instances, (*section).instances),
		scalar("refresh-interval", "1m", NewEngine, &c.RefreshInterval, interval),
		scalar("refresh-timeout", "10s", NewEngine, &c.RefreshTimeout, interval),
		subsection("back-off", c.BackOff.keys(), c.BackOff.check),
		scalar("provider", nil, NewEngine, &c.Provider, c.provider),
	}
	for _, cloud := range c.clouds() {
		all = append(all, subsection(cloud.name, cloud.keys(), func(s *section) { s.checkCredential(cloud.secrets, cloud.name == c.Provider) }))
	}
	return append(all,
		scalar("state-dir", "/run/floaty", Restart, &c.StateDir, c.file),
		scalar("keepalived-pid-file", nil, InPlace, &c.KeepalivedPIDFile, c.file),
		scalar("keepalived-config-id", nil, InPlace, &c.KeepalivedConfigID, configID),
		scalar("listen-address", nil, Restart, &c.ListenAddress, listenAddress),
		scalar("max-concurrent-requests", 100, NewEngine, &c.MaxConcurrentRequests, requests),
	)
}

func (b *BackOff) keys() []key {
	return []key{
		scalar("initial-interval", "1s", NewEngine, &b.InitialInterval, interval),
		scalar("multiplier", 1.1, NewEngine, &b.Multiplier, multiplier),
		scalar("max-interval", "10s", NewEngine, &b.MaxInterval, interval),
		scalar("max-elapsed-time", 0, NewEngine, &b.MaxElapsedTime, optionalDuration),
	}
}

// check reports inconsistencies between the keys.
func (b *BackOff) check(s *section) {
	if b.MaxInterval < b.InitialInterval {
		s.problem(s.key("max-interval"), "%v must be at least initial-interval %v",
			b.MaxInterval, b.InitialInterval)
	}
}

// scalar is a key with a single value, which convert turns into that of the field. The defaultValue is the default, in
// the form in which it would be in the file; nil: the zero value.
func scalar[T any](name string, defaultValue any, reload Reload, field *T, convert func(any) (T, error)) key {
	return compound(name, reload, field, func(s *section, name string) T { return convertOr(s, name, defaultValue, convert) })
}

// compound is a key with a list, or with keys that the operator chooses.
func compound[T any](name string, reload Reload, field *T, read func(s *section, name string) T) key {
	return key{
		name: name, reload: reload,
		read:  func(s *section) { *field = read(s, name) },
		value: func() any { return *field },
	}
}

// subsection is a key with keys of its own. Once they are read, check reports inconsistencies between them.
func subsection(name string, keys []key, check func(*section)) key {
	return key{name: name, keys: keys, read: func(s *section) {
		inner := s.section(name)
		inner.decode(keys)
		check(inner)
	}}
}

// leaves returns the keys that are not sections, with their full names.
func leaves(keys []key) []key {
	var all []key
	for _, k := range keys {
		if k.keys == nil {
			all = append(all, k)
		}
		for _, inner := range leaves(k.keys) {
			inner.name = k.name + "." + inner.name
			all = append(all, inner)
		}
	}
	return all
}
