package report

import (
	"fmt"
	"slices"
	"strings"

	"floaty/cmd/floaty/internal/printable"
)

// A Warning is what the daemon would log at its start with the same files.
type Warning struct {
	Error    bool   `json:"error"` // somebody should fix it; false: it is worth knowing
	Text     string `json:"text"`
	Instance string `json:"instance,omitempty"` // several are joined with commas
	Address  string `json:"address,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Key      string `json:"key,omitempty"` // of the configuration
}

// mark returns the word at the start of a warning.
func (w Warning) mark() string {
	if w.Error {
		return "error"
	}
	return "note"
}

// Place returns FILE:LINE, or FILE, or the empty string.
func (w Warning) Place() string {
	if w.File == "" || w.Line == 0 {
		return w.File
	}
	return fmt.Sprintf("%s:%d", w.File, w.Line)
}

// words returns the warning in one line.
func (w Warning) words() string {
	var parts []string
	for _, part := range []string{w.Place(), w.Key, w.Text} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	text := strings.Join(parts, ": ")
	for _, part := range []string{w.Instance, w.Address} {
		if part != "" {
			text += " (" + part + ")"
		}
	}
	return printable.Text(text)
}

// serious reports whether any of the warnings must be fixed.
func serious(warnings []Warning) bool {
	return slices.ContainsFunc(warnings, func(w Warning) bool { return w.Error })
}
