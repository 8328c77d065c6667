package config

import (
	"fmt"
	"io"
	"unique"
)

// A Secret is a credential that does not show itself: every verb of fmt, JSON, YAML and text have a placeholder for it.
// Two of the same value are equal by ==; the zero Secret is the empty one.
type Secret struct {
	// A handle compares by value and holds a pointer. With a plain string here, fmt would print it where a Secret sits
	// in an unexported field of another struct, for there it cannot call methods.
	handle unique.Handle[string]
}

// NewSecret returns the Secret of value.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{unique.Make(value)}
}

// Reveal returns the value itself: for the wire only.
func (s Secret) Reveal() string {
	if s == (Secret{}) {
		return ""
	}
	return s.handle.Value()
}

// String returns a placeholder, or nothing for the empty Secret.
func (s Secret) String() string {
	if s == (Secret{}) {
		return ""
	}
	return "(secret)"
}

// GoString returns what String does.
func (s Secret) GoString() string { return s.String() }

// Format writes what String returns, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText returns what String does; encoding/json uses it, too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML returns what String does.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }
