package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A loader makes a configuration of a file and collects what is wrong with it.
type loader struct {
	path     string // of the configuration file, absolute
	problems Problems
}

func (l *loader) problem(key, format string, args ...any) {
	l.problems = append(l.problems, Problem{File: l.path, Key: key, Text: fmt.Sprintf(format, args...)})
}

// A section is one mapping of the file, whose keys are taken one by one. What nobody took is unknown.
type section struct {
	*loader
	path  string         // "cloudscale"; empty: the top of the file
	items map[string]any // nil for a key without a value
	order []string       // the keys of items, as in the file
	known []string       // the keys asked for
}

// newSection returns the mapping at path; keys that are given twice, or are no text, are problems.
func (l *loader) newSection(path string, from mapping) *section {
	s := &section{loader: l, path: path, items: map[string]any{}}
	for _, item := range from {
		key, isText := item.Key.(string)
		if !isText {
			l.problem(path, "YAML reads one of its keys as %s: put it in quotes", kind(item.Key))
			continue
		}
		if len(key) > maxText {
			l.problem(path, "one of its keys is longer than %d bytes", maxText)
			continue
		}
		if _, twice := s.items[key]; twice {
			l.problem(s.key(key), "given twice: keep one")
			continue
		}
		s.items[key] = item.Value
		s.order = append(s.order, key)
	}
	return s
}

// key returns the full path of a key that the file need not know.
func (s *section) key(key string) string { return strings.TrimPrefix(s.path+"."+plainKey(key), ".") }

// value takes the value of a key. One that is there with nothing after it is a problem, never a default: half a file
// ends like that.
func (s *section) value(key string) (any, bool) {
	s.known = append(s.known, key)
	value, given := s.items[key]
	if given && value == nil {
		s.problem(s.key(key), "no value: give one, or take the key away")
		return nil, false
	}
	return value, given
}

// has reports whether the key is in the file, with whatever value.
func (s *section) has(key string) bool {
	_, given := s.items[key]
	return given
}

// section takes the mapping below a key; an empty one if there is none.
func (s *section) section(key string) *section {
	from, _ := s.mapping(key)
	return s.newSection(s.key(key), from)
}

// mapping takes the mapping below a key.
func (s *section) mapping(key string) (mapping, bool) {
	value, given := s.value(key)
	if !given {
		return nil, false
	}
	from, ok := value.(mapping)
	if !ok {
		s.problem(s.key(key), "%s: want keys and values, indented below it", kind(value))
	}
	return from, ok
}

// list takes the list below a key.
func (s *section) list(key string) ([]any, bool) {
	value, given := s.value(key)
	if !given {
		return nil, false
	}
	items, ok := value.([]any)
	if !ok {
		s.problem(s.key(key), "%s: want a list, each item on a line of its own, after a -", kind(value))
	}
	return items, ok
}

// end reports the keys that nobody asked for.
func (s *section) end() {
	for _, key := range s.order {
		if !slices.Contains(s.known, key) {
			s.problem(s.key(key), "unknown key: the keys here are %s", strings.Join(s.known, ", "))
		}
	}
}

// takeAll takes the keys; each other one in the file is a problem.
func (s *section) takeAll(keys []key) {
	for _, k := range keys {
		k.read(s)
	}
	s.end()
}

// take returns the value of a key if the file has it and convert finds it right, else what convert makes of the standard.
func take[T any](s *section, key string, standard any, convert func(any) (T, error)) T {
	if value, given := s.value(key); given {
		converted, err := convert(value)
		if err == nil {
			return converted
		}
		s.problem(s.key(key), "%v", err)
	}
	var converted T
	if standard != nil {
		converted, _ = convert(standard)
	}
	return converted
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

// instances takes the section below a key, whose keys are names of VRRP instances.
func (s *section) instances(key string) map[string]Instance {
	s = s.section(key)
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

// uuids takes the section below a key, whose keys are host names.
func (s *section) uuids(key string) map[string]string {
	s = s.section(key)
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
