// Package report writes what floaty found for a reader: a diff, a check and a self-test, as text and as JSON.
//
// It finds out nothing itself and decides no exit status but that of a diff.
package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"floaty/cmd/floaty/internal/printable"
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

// writeJSON writes a report in one line. What does not print is escaped: some of it would drive a terminal, and JSON allows it.
func writeJSON(w io.Writer, report any) error {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	if err := e.Encode(report); err != nil {
		return err
	}
	_, err := w.Write(printable.Encoded(line.Bytes()))
	return err
}
