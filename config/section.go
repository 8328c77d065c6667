package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
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

// take puts the value of a key to where it belongs if the file has it and convert finds it right.
func take[T any](s *section, key string, to *T, convert func(any) (T, error)) {
	value, given := s.value(key)
	if !given {
		return
	}
	converted, err := convert(value)
	if err != nil {
		s.problem(s.key(key), "%v", err)
		return
	}
	*to = converted
}

// file is the converter of a path: a relative one starts at the directory of the configuration file.
func (l *loader) file(value any) (string, error) {
	path, err := text(value)
	if err != nil {
		return "", err
	}
	if strings.ContainsFunc(path, unicode.IsControl) {
		return "", fmt.Errorf("%s is not a path: it has a line break or another control character in it", show(path))
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(l.path), path)
	}
	return filepath.Clean(path), nil
}
