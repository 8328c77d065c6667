package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// A Change is one key that two configurations have different values for.
type Change struct {
	Key  string // in full, such as back-off.multiplier; of the instances always "instances"
	Text string // the change in words, the key first; never a secret
}

// Changes returns what is different in next, in the order of [Config]'s fields; none if the two mean the same. Where the
// file lies is no difference, nor is the order of addresses.
func Changes(old, next *Config) []Change {
	var d diff
	d.value("lock-file-template", old.Lock.FileTemplate, next.Lock.FileTemplate)
	d.value("lock-timeout", old.Lock.Timeout, next.Lock.Timeout)
	d.value("keepalived-config", old.KeepalivedConfig, next.KeepalivedConfig)
	d.addresses("managed-addresses", "managed-addresses", old.ManagedAddresses, next.ManagedAddresses)
	d.instances(old.Instances, next.Instances)
	d.value("refresh-interval", old.RefreshInterval, next.RefreshInterval)
	d.value("refresh-timeout", old.RefreshTimeout, next.RefreshTimeout)
	d.backOff(old.BackOff, next.BackOff)
	d.value("provider", old.Provider, next.Provider)
	d.cloudscale(old.Cloudscale, next.Cloudscale)
	d.exoscale(old.Exoscale, next.Exoscale)
	d.value("state-dir", old.StateDir, next.StateDir)
	d.value("keepalived-pid-file", old.KeepalivedPIDFile, next.KeepalivedPIDFile)
	d.value("keepalived-config-id", old.KeepalivedConfigID, next.KeepalivedConfigID)
	d.value("listen-address", old.ListenAddress, next.ListenAddress)
	d.value("max-concurrent-requests", old.MaxConcurrentRequests, next.MaxConcurrentRequests)
	return d.changes
}

// A diff collects changes.
type diff struct{ changes []Change }

func (d *diff) add(key, format string, args ...any) {
	d.changes = append(d.changes, Change{Key: key, Text: fmt.Sprintf(format, args...)})
}

// value compares two values of one comparable type.
func (d *diff) value(key string, old, next any) {
	if old == next {
		return
	}
	if _, isSecret := next.(Secret); isSecret {
		d.add(key, "%s changed", key)
		return
	}
	d.add(key, "%s %s → %s", key, orNone(old), orNone(next))
}

func (d *diff) backOff(old, next BackOff) {
	d.value("back-off.initial-interval", old.InitialInterval, next.InitialInterval)
	d.value("back-off.multiplier", old.Multiplier, next.Multiplier)
	d.value("back-off.max-interval", old.MaxInterval, next.MaxInterval)
	d.value("back-off.max-elapsed-time", old.MaxElapsedTime, next.MaxElapsedTime)
}

func (d *diff) cloudscale(old, next Cloudscale) {
	d.value("cloudscale.endpoint", old.Endpoint, next.Endpoint)
	d.value("cloudscale.token", old.Token, next.Token)
	d.value("cloudscale.token-file", old.TokenFile, next.TokenFile)
	d.value("cloudscale.server-uuid", old.ServerUUID, next.ServerUUID)
	if !maps.Equal(old.HostnameToServerUUID, next.HostnameToServerUUID) {
		key := "cloudscale.hostname-to-server-uuid"
		d.add(key, "%s changed", key)
	}
}

func (d *diff) exoscale(old, next Exoscale) {
	d.value("exoscale.endpoint", old.Endpoint, next.Endpoint)
	d.value("exoscale.zone", old.Zone, next.Zone)
	d.value("exoscale.key", old.Key, next.Key)
	d.value("exoscale.secret", old.Secret, next.Secret)
	d.value("exoscale.key-file", old.KeyFile, next.KeyFile)
	d.value("exoscale.secret-file", old.SecretFile, next.SecretFile)
	d.value("exoscale.instance-id", old.InstanceID, next.InstanceID)
	d.value("exoscale.detach-managed", old.DetachManaged, next.DetachManaged)
}

// instances compares the addresses of each instance that either names.
func (d *diff) instances(old, next map[string]Instance) {
	names := map[string]bool{}
	for name := range old {
		names[name] = true
	}
	for name := range next {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		path := "instances." + plainName(name)
		before, was := old[name]
		after, is := next[name]
		switch {
		case !is:
			d.add("instances", "%s removed", path)
		case !was:
			d.add("instances", "%s added: %s", path, list("", after.Addresses))
		default:
			d.addresses("instances", path, before.Addresses, after.Addresses)
		}
	}
}

// addresses compares two lists as sets.
func (d *diff) addresses(key, path string, old, next []netip.Addr) {
	var words []string
	if added := without(next, old); len(added) > 0 {
		words = append(words, list("+", added))
	}
	if removed := without(old, next); len(removed) > 0 {
		words = append(words, list("-", removed))
	}
	if len(words) > 0 {
		d.add(key, "%s %s", path, strings.Join(words, " "))
	}
}

// without returns what addrs has and others lack.
func without(addrs, others []netip.Addr) []netip.Addr {
	known := map[netip.Addr]bool{}
	for _, addr := range others {
		known[addr] = true
	}
	return slices.DeleteFunc(slices.Clone(addrs), func(addr netip.Addr) bool { return known[addr] })
}

// listed bounds the addresses in one line.
const listed = 10

// list returns addrs with a sign before each; of very many, the first 10 and how many more there are.
func list(sign string, addrs []netip.Addr) string {
	var words []string
	for i, addr := range addrs {
		if i == listed {
			words = append(words, fmt.Sprintf("%s(%d more)", sign, len(addrs)-i))
			break
		}
		words = append(words, sign+addr.String())
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, " ")
}

// orNone returns a value in words.
func orNone(value any) string {
	if s := fmt.Sprint(value); s != "" {
		return s
	}
	return "(none)"
}
