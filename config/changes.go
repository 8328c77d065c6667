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
	Key    string // in full, such as back-off.multiplier; of the instances always "instances"
	Text   string // the change in words, the key first; never a secret
	Reload Reload // what the change takes
}

// Changes returns what is different in next, in the order of the table of keys; none if the two mean the same. Where the
// file lies is no difference, nor is the order of addresses.
func Changes(old, next *Config) []Change {
	var changes []Change
	after := flat(next.keys())
	for i, k := range flat(old.keys()) {
		for _, text := range differences(k.name, k.value(), after[i].value()) {
			changes = append(changes, Change{k.name, text, k.reload})
		}
	}
	return changes
}

// differences says in words how two values of a key differ: a line for each instance, else one; none if they do not.
func differences(key string, old, next any) []string {
	switch old := old.(type) {
	case map[string]Instance:
		return instances(key, old, next.(map[string]Instance))
	case []netip.Addr:
		return addresses(key, old, next.([]netip.Addr))
	case map[string]string:
		if !maps.Equal(old, next.(map[string]string)) {
			return []string{key + " changed"}
		}
	case Secret:
		if old != next {
			return []string{key + " changed"}
		}
	default:
		if old != next {
			return []string{fmt.Sprintf("%s %s → %s", key, orNone(old), orNone(next))}
		}
	}
	return nil
}

// instances compares the addresses of each instance that either names.
func instances(key string, old, next map[string]Instance) []string {
	names := map[string]bool{}
	for name := range old {
		names[name] = true
	}
	for name := range next {
		names[name] = true
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		path := key + "." + plainName(name)
		before, was := old[name]
		after, is := next[name]
		switch {
		case !is:
			lines = append(lines, path+" removed")
		case !was:
			lines = append(lines, path+" added: "+list("", after.Addresses))
		default:
			lines = append(lines, addresses(path, before.Addresses, after.Addresses)...)
		}
	}
	return lines
}

// addresses compares two lists as sets.
func addresses(path string, old, next []netip.Addr) []string {
	words := []string{path}
	if added := without(next, old); len(added) > 0 {
		words = append(words, list("+", added))
	}
	if removed := without(old, next); len(removed) > 0 {
		words = append(words, list("-", removed))
	}
	if len(words) == 1 {
		return nil
	}
	return []string{strings.Join(words, " ")}
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
