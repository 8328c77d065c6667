package report

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"

	"floaty/cmd/floaty/internal/printable"
)

// A Test is the result of a self-test.
type Test struct {
	Provider string    `json:"provider"`
	Checks   []Probe   `json:"checks"`
	Warnings []Warning `json:"warnings,omitempty"`
}

// A Probe is the verdict on one thing.
type Probe struct {
	Name      string     `json:"check"` // api, credential, rights, server, clock, address
	OK        bool       `json:"ok"`
	Address   netip.Addr `json:"address,omitzero"`
	Instances []string   `json:"instances,omitempty"`
	Servers   []string   `json:"servers,omitempty"` // that hold the address
	Text      string     `json:"text,omitempty"`
}

// unproven is the limit of a test that writes nothing.
const unproven = "not tested: whether the credential may also write, because nothing was written"

// OK reports whether there is nothing that must be fixed.
func (t Test) OK() bool {
	for _, p := range t.Checks {
		if !p.OK {
			return false
		}
	}
	return !serious(t.Warnings)
}

// Write writes the test.
func (t Test) Write(w io.Writer, format Format) error {
	if format == JSON {
		return writeJSON(w, struct {
			OK bool `json:"ok"`
			Test
			Note string `json:"note"`
		}{t.OK(), t, unproven})
	}
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, p := range t.Checks {
		mark := "ok"
		if !p.OK {
			mark = "FAILED"
		}
		name, text := p.Name, printable.Text(p.Text)
		if p.Address.IsValid() {
			name, text = p.Address.String(), strings.Join(printable.Texts(p.Instances), ", ")+": "+text
		}
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\n", mark, name, text); err != nil {
			return err
		}
	}
	for _, w := range t.Warnings {
		if _, err := fmt.Fprintf(table, "%s\tconfiguration\t%s\n", w.mark(), w.words()); err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, unproven)
	return err
}
