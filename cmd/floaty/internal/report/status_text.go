package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"floaty/cmd/floaty/internal/printable"
)

// WriteText writes the status as tables, as of now.
func (s Status) WriteText(w io.Writer, now time.Time, colour bool) error {
	var text strings.Builder
	for _, line := range s.head() {
		text.WriteString(printable.Text(line) + "\n")
	}
	if len(s.Instances) > 0 {
		text.WriteString("\n")
		table := newTable(&text, "INSTANCE", "STATE", "SINCE")
		for _, inst := range s.Instances {
			table.row(inst.Name, inst.State, ago(inst.Since, now))
		}
		table.flush()
	}
	text.WriteString("\n")
	if len(s.Addresses) == 0 {
		text.WriteString("no addresses are managed\n")
	} else {
		table := newTable(&text, "ADDRESS", "STATE", "POINTS AT", "IN PLACE FOR", "VERIFIED", "NEXT LOOK", "INSTANCES", "ERROR")
		for _, a := range s.Addresses {
			table.row(a.Address.String(), a.state(), s.target(a), since(a.Since, now), ago(a.Verified, now), in(a.Next, now),
				strings.Join(a.Instances, ", "), s.trouble(a))
		}
		table.flush()
	}
	for line := range strings.Lines(text.String()) {
		line = strings.TrimRight(line, " \n")
		if colour {
			line = paintStatus(line)
		}
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// head returns the lines about the daemon as a whole.
func (s Status) head() []string {
	name := "this server is not known yet"
	if s.Server.ID != "" {
		name = "server " + s.Server.ID
	}
	if s.Server.Name != "" {
		name += " (" + s.Server.Name + ")"
	}
	lines := []string{fmt.Sprintf("floaty %s, process %d, %s, %s", s.Version, s.PID, s.Provider, name)}
	if s.DryRun {
		lines = append(lines, "dry run: nothing is assigned")
	}
	if s.Ready {
		lines = append(lines, "ready")
	}
	for _, why := range s.NotReady {
		lines = append(lines, "not ready: "+why)
	}
	if s.Config.Error != "" {
		lines = append(lines, "configuration: the edited one is unusable: "+s.Config.Error)
	}
	if s.Cloud.Error != "" && s.Ready {
		lines = append(lines, "cloud: "+s.Cloud.Error)
	}
	return lines
}

// state describes an address's state in a word or two.
func (a StatusAddress) state() string {
	switch {
	case a.Contested:
		return "contested"
	case a.Desired && a.InPlace:
		return "in place"
	case a.Desired:
		return "not in place"
	}
	return "standby"
}

// trouble describes what is wrong with an address; empty: nothing.
func (s Status) trouble(a StatusAddress) string {
	if a.Contested && a.Rival != "" {
		return "another server takes it: " + s.name(a.Rival)
	}
	return a.Error
}

// target returns where an address points.
func (s Status) target(a StatusAddress) string {
	switch {
	case len(a.Targets) == 0 && a.Verified.IsZero():
		return "not known"
	case len(a.Targets) == 0:
		return "nothing"
	}
	names := slices.Clone(a.Targets)
	for i, id := range names {
		names[i] = s.name(id)
	}
	return strings.Join(names, ", ")
}

// name returns what to call a server: "this server", its name if known, or else its ID.
func (s Status) name(id string) string {
	if id == s.Server.ID {
		return "this server"
	}
	return cmp.Or(s.Names[id], id)
}

// A table has columns that are as wide as their widest cell. Empty cells show a dash.
type table struct{ w *tabwriter.Writer }

func newTable(w io.Writer, head ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)}
	t.row(head...)
	return t
}

func (t table) row(cells ...string) {
	cells = printable.Texts(cells)
	for i, cell := range cells {
		if cell == "" {
			cells[i] = "-"
		}
	}
	_, _ = fmt.Fprintln(t.w, strings.Join(cells, "\t")) // its writer never fails
}

func (t table) flush() { _ = t.w.Flush() }

// since returns how long ago a time was; empty if it is not known.
func since(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return brief(now.Sub(t))
}

func ago(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return since(t, now) + " ago"
}

func in(t, now time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case !t.After(now):
		return "now"
	}
	return "in " + brief(t.Sub(now))
}

// brief is a duration in its two largest units.
func brief(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}

// paintStatus colours a line by what it reports: red for what is wrong, yellow for what is contested, green for "ready".
func paintStatus(line string) string {
	var colour string
	switch {
	case line == "ready":
		colour = "\x1b[32m"
	case strings.HasPrefix(line, "not ready: "), strings.HasPrefix(line, "configuration: "), strings.HasPrefix(line, "cloud: "),
		strings.Contains(line, "   not in place   "):
		colour = "\x1b[31m"
	case strings.Contains(line, "   contested   "):
		colour = "\x1b[33m"
	default:
		return line
	}
	return colour + line + "\x1b[0m"
}
