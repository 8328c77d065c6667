package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A loader turns a file into a configuration and collects its problems.
type loader struct {
	path     string // of the configuration file, absolute
	problems Problems
}

func (l *loader) problem(key, format string, args ...any) {
	l.problems = append(l.problems, Problem{File: l.path, Key: key, Text: fmt.Sprintf(format, args...)})
}

// A section is one mapping of the file. Its keys are read one by one; those that are never read are unknown keys.
type section struct {
	*loader
	path  string         // such as "cloudscale"; empty: the top level of the file
	items map[string]any // nil: the key has no value
	order []string       // the keys of items, as in the file
	known []string       // the keys that were read
}

// newSection returns the mapping at path. Duplicate keys and keys that are not text are problems.
func (l *loader) newSection(path string, from mapping) *section {
	s := &section{loader: l, path: path, items: map[string]any{}}
	for _, item := range from {
		key, isText := item.Key.(string)
		if !isText {
			l.problem(path, "a key is read by YAML as %s: put it in quotes", typeName(item.Key))
			continue
		}
		if len(key) > maxTextBytes {
			l.problem(path, "a key is longer than %d bytes", maxTextBytes)
			continue
		}
		if _, twice := s.items[key]; twice {
			l.problem(s.key(key), "given twice: keep only one")
			continue
		}
		s.items[key] = item.Value
		s.order = append(s.order, key)
	}
	return s
}

// key returns the full path of a key, which may be unknown.
func (s *section) key(key string) string { return strings.TrimPrefix(s.path+"."+quoteKey(key), ".") }

// value reads the value of a key. A key without a value is a problem rather than a request for the default, because a
// truncated file ends like that.
func (s *section) value(key string) (any, bool) {
	s.known = append(s.known, key)
	value, given := s.items[key]
	if given && value == nil {
		s.problem(s.key(key), "no value: give one or remove the key")
		return nil, false
	}
	return value, given
}

// has reports whether the key is in the file, with or without a value.
func (s *section) has(key string) bool {
	_, given := s.items[key]
	return given
}

// section reads the mapping below a key; it is empty if there is none.
func (s *section) section(key string) *section {
	from, _ := s.mapping(key)
	return s.newSection(s.key(key), from)
}

// mapping reads the mapping below a key.
func (s *section) mapping(key string) (mapping, bool) {
	value, given := s.value(key)
	if !given {
		return nil, false
	}
	from, ok := value.(mapping)
	if !ok {
		s.problem(s.key(key), "%s: want keys and values, indented below it", typeName(value))
	}
	return from, ok
}

// list reads the list below a key.
func (s *section) list(key string) ([]any, bool) {
	value, given := s.value(key)
	if !given {
		return nil, false
	}
	items, ok := value.([]any)
	if !ok {
		s.problem(s.key(key), "%s: want a list, with each item on its own line after a -", typeName(value))
	}
	return items, ok
}

// end reports the unknown keys.
func (s *section) end() {
	for _, key := range s.order {
		if !slices.Contains(s.known, key) {
			s.problem(s.key(key), "unknown key: the keys here are %s", strings.Join(s.known, ", "))
		}
	}
}

// decode reads the keys; any other key in the file is a problem.
func (s *section) decode(keys []key) {
	for _, k := range keys {
		k.read(s)
	}
	s.end()
}

// convertOr returns the converted value of a key. If the file lacks it, or convert reports a problem, it returns the
// converted defaultValue.
func convertOr[T any](s *section, key string, defaultValue any, convert func(any) (T, error)) T {
	if value, given := s.value(key); given {
		converted, err := convert(value)
		if err == nil {
			return converted
		}
		s.problem(s.key(key), "%v", err)
	}
	var converted T
	if defaultValue != nil {
		converted, _ = convert(defaultValue)
	}
	return converted
}

// addresses reads the list of addresses below a key. Duplicates are dropped without a problem, because lists grow by
// pasting.
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

// instances reads the section below a key, whose keys are names of VRRP instances.
func (s *section) instances(key string) map[string]Instance {
	s = s.section(key)
	instances := map[string]Instance{}
	for _, name := range s.order {
		path := s.path + "." + quoteName(name)
		from, ok := s.items[name].(mapping)
		if !ok {
			s.problem(path, "%s: want addresses: with a list, indented below it", typeName(s.items[name]))
			continue
		}
		instance := s.newSection(path, from)
		instances[name] = Instance{Addresses: instance.addresses("addresses")}
		instance.end()
		if !instance.has("addresses") {
			s.problem(path, "no addresses: list them, or give [] for none")
		}
	}
	return instances
}

// uuids reads the section below a key, whose keys are host names and whose values are UUIDs.
func (s *section) uuids(key string) map[string]string {
	s = s.section(key)
	ids := map[string]string{}
	for _, host := range s.order {
		id, err := uuid(s.items[host])
		if err != nil {
			s.problem(s.path+"."+quoteName(host), "%v", err)
			continue
		}
		ids[host] = id
	}
	return ids
}
