package config

import (
	"fmt"
	"io"
	"unique"
)

// A Secret is a credential that cannot be printed by accident: every verb of fmt, JSON, YAML and text show a
// placeholder. Secrets with the same value are equal by ==; the zero Secret is the empty one.
type Secret struct {
	// A handle compares by value and contains a pointer. A string would be printed by fmt wherever a Secret is in an
	// unexported field of another struct, because fmt cannot call methods there.
	handle unique.Handle[string]
}

// NewSecret returns the Secret of value.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{unique.Make(value)}
}

// Reveal returns the value itself. It is meant for requests only.
func (s Secret) Reveal() string {
	if s == (Secret{}) {
		return ""
	}
	return s.handle.Value()
}

// String returns a placeholder, or the empty string for the empty Secret.
func (s Secret) String() string {
	if s == (Secret{}) {
		return ""
	}
	return "(secret)"
}

// GoString returns the same as String.
func (s Secret) GoString() string { return s.String() }

// Format writes the same as String, for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText returns the same as String; encoding/json uses it as well.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML returns the same as String.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }
