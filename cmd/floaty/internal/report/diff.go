package report

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"floaty/cmd/floaty/internal/printable"
)

// An Action is the verdict on one address.
type Action string

// The actions.
const (
	Move    Action = "move"
	InPlace Action = "in_place"
	Error   Action = "error"
)

// A Change is one address in a diff.
type Change struct {
	Address   netip.Addr `json:"address"`
	Instances []string   `json:"instances"`
	Action    Action     `json:"action"`
	From      []string   `json:"from,omitzero"` // the servers that hold it; empty: none; nil: unknown
	To        string     `json:"to,omitempty"`
	Shared    bool       `json:"shared,omitempty"` // the other holders stay
	Error     string     `json:"error,omitempty"`
}

// A Diff is a list of what would change.
type Diff struct {
	Changes  []Change  `json:"changes"`
	Warnings []Warning `json:"warnings,omitempty"`
}

// A Summary counts the changes of a diff.
type Summary struct {
	Move    int `json:"move"`
	InPlace int `json:"in_place"`
	Error   int `json:"error"`
}

// Summary returns the summary of the changes.
func (d Diff) Summary() Summary {
	var s Summary
	for _, c := range d.Changes {
		switch c.Action {
		case Move:
			s.Move++
		case InPlace:
			s.InPlace++
		case Error:
			s.Error++
		}
	}
	return s
}

// ExitStatus returns 0 if nothing would change, 1 if something would, and 2 if there is an error: for an address, or
// as a warning.
func (d Diff) ExitStatus() int {
	switch s := d.Summary(); {
	case s.Error > 0 || serious(d.Warnings):
		return 2
	case s.Move > 0:
		return 1
	}
	return 0
}

// Write writes the diff. colour applies only to text.
func (d Diff) Write(w io.Writer, format Format, colour bool) error {
	if format == JSON {
		changes := d.Changes
		if changes == nil {
			changes = []Change{}
		}
		return writeJSON(w, struct {
			Changes  []Change  `json:"changes"`
			Summary  Summary   `json:"summary"`
			Warnings []Warning `json:"warnings,omitempty"`
		}{changes, d.Summary(), d.Warnings})
	}
	return d.text(w, colour)
}

func (d Diff) text(w io.Writer, colour bool) error {
	var table strings.Builder
	columns := tabwriter.NewWriter(&table, 0, 0, 3, ' ', 0)
	for _, c := range d.Changes {
		what, mark := c.what()
		if _, err := fmt.Fprintf(columns, "%s %s\t%s\t%s\n", mark, c.Address, what, strings.Join(printable.Texts(c.Instances), ", ")); err != nil {
			return err
		}
	}
	if err := columns.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(table.String()) {
		if colour {
			line = paint(line)
		}
		if _, err := io.WriteString(w, line); err != nil {
			return err
		}
	}
	for _, warning := range d.Warnings {
		if _, err := fmt.Fprintf(w, "%s: %s\n", warning.mark(), warning.words()); err != nil {
			return err
		}
	}
	s := d.Summary()
	errors := "errors"
	if s.Error == 1 {
		errors = "error"
	}
	_, err := fmt.Fprintf(w, "%d to move, %d in place, %d %s\n", s.Move, s.InPlace, s.Error, errors)
	return err
}

// what describes a change, and returns the mark at the start of its line.
func (c Change) what() (words, mark string) {
	switch c.Action {
	case InPlace:
		return printable.Text(c.To) + c.shared(), "="
	case Error:
		return printable.Text(c.Error), "!"
	case Move:
	}
	from := strings.Join(printable.Texts(c.From), ", ")
	if from == "" {
		from = "nothing"
	}
	return from + " → " + printable.Text(c.To) + c.shared(), "~"
}

// shared returns a note for addresses that several servers may hold.
func (c Change) shared() string {
	if c.Shared {
		return " (shared)"
	}
	return ""
}

// paint colours a line by its mark: yellow for a move, red for an error.
func paint(line string) string {
	var colour string
	switch mark, _ := utf8.DecodeRuneInString(line); mark {
	case '~':
		colour = "\x1b[33m"
	case '!':
		colour = "\x1b[31m"
	default:
		return line
	}
	return colour + strings.TrimSuffix(line, "\n") + "\x1b[0m\n"
}
