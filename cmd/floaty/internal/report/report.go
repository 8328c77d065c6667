// Package report writes what floaty has found, as text and as JSON: a diff, a check, a self-test and a status.
//
// It finds nothing itself, and decides no exit status other than that of a diff.
package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"floaty/cmd/floaty/internal/printable"
)

// A Format is the format of a report.
type Format string

// The formats.
const (
	Text Format = "text"
	JSON Format = "json"
)

// ParseFormat returns the format with that name.
func ParseFormat(name string) (Format, error) {
	switch f := Format(name); f {
	case Text, JSON:
		return f, nil
	}
	return "", fmt.Errorf("--output %q: want text or json", name)
}

// writeJSON writes a report in one line. Unprintable characters are escaped, because JSON allows some that control a
// terminal.
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
