package report

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"

	"floaty/cmd/floaty/internal/printable"
)

// A Check is the meaning of a configuration.
type Check struct {
	Provider  string     `json:"provider"`
	Server    string     `json:"server"` // empty: from the metadata service
	Instances []Instance `json:"instances"`
	Groups    []Group    `json:"groups"`
	Warnings  []Warning  `json:"warnings,omitempty"`
}

// OK reports whether there is nothing that must be fixed.
func (c Check) OK() bool { return !serious(c.Warnings) }

// An Instance is one VRRP instance in a check.
type Instance struct {
	Name      string       `json:"name"`
	Addresses []netip.Addr `json:"addresses"`
	Source    string       `json:"source"`
}

// A Group is one sync group in a check.
type Group struct {
	Name    string   `json:"name"`
	Members []string `json:"members"`
}

// Write writes the check.
func (c Check) Write(w io.Writer, format Format) error {
	if format == JSON {
		return writeJSON(w, c)
	}
	server := c.Server
	if server == "" {
		server = "(from the metadata service)"
	}
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	lines := []string{"provider\t" + c.Provider, "server\t" + server}
	for _, inst := range c.Instances {
		addrs := make([]string, 0, len(inst.Addresses))
		for _, addr := range inst.Addresses {
			addrs = append(addrs, addr.String())
		}
		if len(addrs) == 0 {
			addrs = []string{"(no addresses)"}
		}
		lines = append(lines, fmt.Sprintf("instance\t%s\t%s\t(%s)", printable.Text(inst.Name), strings.Join(addrs, " "), inst.Source))
	}
	for _, g := range c.Groups {
		lines = append(lines, "group\t"+printable.Text(g.Name)+"\t"+strings.Join(printable.Texts(g.Members), " "))
	}
	for _, w := range c.Warnings {
		lines = append(lines, w.mark()+"\t"+w.words())
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(table, line); err != nil {
			return err
		}
	}
	return table.Flush()
}
