package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// A report is the result of a run.
type report struct {
	machine machine
	figures []figure
	wrong   []string
}

// A machine describes where and how the bench was run.
type machine struct {
	CPU     string
	Cores   int
	Kernel  string
	Go      string
	Date    string
	Took    string
	Load    string // averages before
	Command string
}

func thisMachine(begun time.Time, b *bench) machine {
	m := machine{
		Cores: runtime.NumCPU(), Go: runtime.Version(), Date: begun.Format("2006-01-02"),
		Took: time.Since(begun).Round(time.Second).String(), Load: b.load, Command: "go run ./hack/bench",
	}
	if b.short {
		m.Command += " --short"
	}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err == nil {
		m.Kernel = unix.ByteSliceToString(uts.Sysname[:]) + " " + unix.ByteSliceToString(uts.Release[:])
	}
	return m
}

// loadAverage returns the kernel's load averages of 1, 5 and 15 minutes.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "not known"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// headings of the table.
var headings = []string{"figure", "addresses", "unit", "median", "min – max", "runs", "least", "ratio", "goal"}

// row returns a figure as a line of the table.
func (f figure) row() []string {
	row := []string{f.Name, f.subject(), f.Unit, number(f.median()), f.spread(), fmt.Sprint(len(f.Values)), "", "", f.verdict()}
	if ratio, ok := f.ratio(); ok {
		row[6], row[7] = number(f.Least), fmt.Sprintf("%.2f", ratio)
	}
	return row
}

// printTable writes the figures as an aligned table.
func printTable(out io.Writer, figures []figure) {
	var text strings.Builder
	group := ""
	for _, f := range figures {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(&text, "\n%s\n%s\n", strings.ToUpper(group), strings.Join(headings, "\t"))
		}
		fmt.Fprintf(&text, "%s\n", strings.Join(f.row(), "\t"))
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = io.WriteString(w, text.String())
	_ = w.Flush() // a closed pipe is not worth an error
}

// writeTo writes a file, unless path is empty.
func writeTo(path string, write func(*bytes.Buffer) error) error {
	if path == "" {
		return nil
	}
	var text bytes.Buffer
	if err := write(&text); err != nil {
		return err
	}
	return os.WriteFile(path, text.Bytes(), 0o644) //nolint:gosec // not a secret
}

// json writes the report as JSON.
func (r report) json(out *bytes.Buffer) error {
	type row struct {
		figure
		Median float64
		Ratio  float64 `json:",omitempty"`
	}
	rows := make([]row, len(r.figures))
	for i, f := range r.figures {
		rows[i] = row{figure: f, Median: f.median()}
		if ratio, ok := f.ratio(); ok {
			rows[i].Ratio = ratio
		}
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", " ")
	return encoder.Encode(map[string]any{"machine": r.machine, "figures": rows, "wrong": append([]string{}, r.wrong...)})
}

// markdown writes the report as a page.
func (r report) markdown(out *bytes.Buffer) error {
	m := r.machine
	fmt.Fprintf(out, "# How fast floaty is, and what it costs\n\n")
	fmt.Fprintf(out, "Measured on %s: %s, %d cores, %s, %s; load averages before: %s; it took %s.\n\n", m.Date, m.CPU, m.Cores, m.Kernel, m.Go, m.Load, m.Took)
	fmt.Fprintf(out, "To repeat it, on a machine with nothing else to do:\n\n```\n%s --doc hack/bench/RESULTS.md\n```\n\n%s\n", m.Command, how)
	group := ""
	for _, f := range r.figures {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(out, "\n## %s\n\n| %s |\n|%s\n", group, strings.Join(headings, " | "), strings.Repeat("---|", len(headings)))
		}
		fmt.Fprintf(out, "| %s |\n", strings.Join(f.row(), " | "))
	}
	if len(r.wrong) > 0 {
		fmt.Fprintf(out, "\n## Wrong counts\n\n- %s\n", strings.Join(r.wrong, "\n- "))
	}
	return nil
}

// how explains the figures.
const how = `The program is driven as a black box: the bench writes Keepalived's lines into the FIFO and is the simulated cloud.

- **Distance** is a relay that delays each byte by half a round trip in both directions, so TCP's handshake costs a round trip, too. It
  simulates no slow start, loss or limited bandwidth. A *trip* is one way, half a round trip. The first row is the relay's own delay.
- **Takeover**: from right before MASTER is written until the last write has arrived at the API (trips), or until the last address
  points at this server alone (calls). Each run starts a new floaty as a standby, with a warm connection and a reading. Above
  100 addresses, the default bound on concurrent requests, the least is one round after the other.
- **Holding**: floaty is MASTER and all addresses are in place; all accounts are held at the same time. Bytes are counted on the wire, with TLS.
- **Event path**: from right before the line is written until the first byte of the request is on the wire: the kernel's timestamp
  of its arrival at the other end of a loopback connection.
- **Start**: from right before the process is started.

The least is a lower bound for any program, and the ratio is the median divided by it. "Goal" is what the median should not exceed.
*A minimal program* (minimal.go) replaces floaty where a goal is close to what the machine can do: when a MASTER line arrives, it only
writes, over net/http and a warm connection. For the event path its figure is the least.
`
