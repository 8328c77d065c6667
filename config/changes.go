package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// A Change is one key whose values in two configurations differ.
type Change struct {
	Key    string // the full name, such as back-off.multiplier; for any instance "instances"
	Text   string // the change in words, starting with the key; never contains a secret
	Reload Reload // what it takes to apply the change
}

// Changes returns the differences between two configurations, in the order of the table of keys. Neither the path of
// the file nor the order of addresses is a difference.
func Changes(old, next *Config) []Change {
	var changes []Change
	after := leaves(next.keys())
	for i, k := range leaves(old.keys()) {
		for _, text := range differences(k.name, k.value(), after[i].value()) {
			changes = append(changes, Change{k.name, text, k.reload})
		}
	}
	return changes
}

// differences describes how two values of a key differ: in one line, or one per instance. It returns nothing if they
// are equal.
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

// instances compares the addresses of each instance in either configuration.
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
		path := key + "." + quoteName(name)
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
	if added := notIn(next, old); len(added) > 0 {
		words = append(words, list("+", added))
	}
	if removed := notIn(old, next); len(removed) > 0 {
		words = append(words, list("-", removed))
	}
	if len(words) == 1 {
		return nil
	}
	return []string{strings.Join(words, " ")}
}

// notIn returns the items of list that others lacks, in their order.
func notIn[T comparable](list, others []T) []T {
	known := map[T]bool{}
	for _, item := range others {
		known[item] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(item T) bool { return known[item] })
}

// maxListed bounds the addresses in one line.
const maxListed = 10

// list returns addrs in words, with a sign before each. Of more than maxListed, it returns the first ones and how
// many more there are.
func list(sign string, addrs []netip.Addr) string {
	var words []string
	for i, addr := range addrs {
		if i == maxListed {
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

// orNone returns a value in words, or a placeholder for an empty text.
func orNone(value any) string {
	if s := fmt.Sprint(value); s != "" {
		return s
	}
	return "(none)"
}
