package config

// A Reload is what a change of a key takes.
type Reload string

// From the least to the most.
const (
	InPlace   Reload = "in place"
	NewEngine Reload = "a new engine" // all that talks to the cloud is built anew
	Restart   Reload = "a restart"    // until then, the value that the daemon began with counts
)

// A key is one key that the file may have.
type key struct {
	name   string
	reload Reload
	keys   []key            // those below it, if it is a section
	read   func(s *section) // puts its value, or its default, into its field
	value  func() any       // of its field
}

// keys is the table of all keys, in the order in which they are read and in which changes of them are told.
func (c *Config) keys() []key {
	all := []key{
		one("lock-file-template", "/var/lock/floaty-%s.lock", InPlace, &c.Lock.FileTemplate, c.lockFile),
		one("lock-timeout", "10s", InPlace, &c.Lock.Timeout, interval),
		one("keepalived-config", "/etc/keepalived/keepalived.conf", InPlace, &c.KeepalivedConfig, c.file),
		many("managed-addresses", InPlace, &c.ManagedAddresses, (*section).addresses),
		many("instances", InPlace, &c.Instances, (*section).instances),
		one("refresh-interval", "1m", NewEngine, &c.RefreshInterval, interval),
		one("refresh-timeout", "10s", NewEngine, &c.RefreshTimeout, interval),
		below("back-off", c.BackOff.keys(), c.BackOff.check),
		one("provider", nil, NewEngine, &c.Provider, c.provider),
	}
	for _, cloud := range c.clouds() {
		all = append(all, below(cloud.name, cloud.keys, func(s *section) { s.credential(cloud.secrets, cloud.name == c.Provider) }))
	}
	return append(all,
		one("state-dir", "/run/floaty", Restart, &c.StateDir, c.file),
		one("keepalived-pid-file", nil, InPlace, &c.KeepalivedPIDFile, c.file),
		one("keepalived-config-id", nil, InPlace, &c.KeepalivedConfigID, configID),
		one("listen-address", nil, Restart, &c.ListenAddress, listen),
		one("max-concurrent-requests", 100, NewEngine, &c.MaxConcurrentRequests, requests),
	)
}

func (b *BackOff) keys() []key {
	return []key{
		one("initial-interval", "1s", NewEngine, &b.InitialInterval, interval),
		one("multiplier", 1.1, NewEngine, &b.Multiplier, multiplier),
		one("max-interval", "10s", NewEngine, &b.MaxInterval, interval),
		one("max-elapsed-time", 0, NewEngine, &b.MaxElapsedTime, limit),
	}
}

// check reports what is wrong between the keys.
func (b *BackOff) check(s *section) {
	if b.MaxInterval < b.InitialInterval {
		s.problem(s.key("max-interval"), "%v is below initial-interval %v: must be at least as long",
			b.MaxInterval, b.InitialInterval)
	}
}

// one is a key of a single value, which convert makes of what the file has. The standard is what it would have for the
// default; nil: there is none.
func one[T any](name string, standard any, reload Reload, field *T, convert func(any) (T, error)) key {
	return many(name, reload, field, func(s *section, name string) T { return take(s, name, standard, convert) })
}

// many is a key of a list, or of keys that the operator chooses, which read takes.
func many[T any](name string, reload Reload, field *T, read func(s *section, name string) T) key {
	return key{
		name: name, reload: reload,
		read:  func(s *section) { *field = read(s, name) },
		value: func() any { return *field },
	}
}

// below is a section with keys of its own. What must hold between them check reports.
func below(name string, keys []key, check func(*section)) key {
	return key{name: name, keys: keys, read: func(s *section) {
		inner := s.section(name)
		inner.takeAll(keys)
		check(inner)
	}}
}

// flat returns the keys that are no sections, under their full names.
func flat(keys []key) []key {
	var all []key
	for _, k := range keys {
		if k.keys == nil {
			all = append(all, k)
		}
		for _, inner := range flat(k.keys) {
			inner.name = k.name + "." + inner.name
			all = append(all, inner)
		}
	}
	return all
}
