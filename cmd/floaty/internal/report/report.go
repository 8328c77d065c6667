// Package report writes what floaty found for a reader: a diff, a check and a self-test, as text and as JSON.
//
// It finds out nothing itself and decides no exit status but that of a diff.
package report

import (
	"encoding/json"
	"fmt"
	"io"
)

// A Format is how a report is written.
type Format string

// The formats.
const (
	Text Format = "text"
	JSON Format = "json"
)

// ParseFormat returns the format of that name.
func ParseFormat(name string) (Format, error) {
	switch f := Format(name); f {
	case Text, JSON:
		return f, nil
	}
	return "", fmt.Errorf("output %q: want text or json", name)
}

func writeJSON(w io.Writer, report any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(report)
}
