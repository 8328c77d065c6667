package main

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// The groups of figures, in the order of the table.
const (
	takeoverGroup = "Takeover"
	holdingGroup  = "Holding"
	eventsGroup   = "Event path"
	servingGroup  = "Serving"
	startGroup    = "Start"
)

// A figure is one measured quantity, with a value from each run.
type figure struct {
	Group     string
	Name      string
	Addresses int // 0: it does not depend on them
	Unit      string
	Values    []float64
	Least     float64 // the lowest possible value; 0: not known
	Goal      float64 // the highest acceptable median; 0: no goal
}

func (f figure) median() float64 { return percentile(f.Values, 50) }

func (f figure) spread() string {
	return fmt.Sprintf("%s – %s", number(slices.Min(f.Values)), number(slices.Max(f.Values)))
}

func (f figure) subject() string {
	if f.Addresses == 0 {
		return "–"
	}
	return fmt.Sprint(f.Addresses)
}

// verdict returns the goal and whether it was met.
func (f figure) verdict() string {
	switch {
	case f.Goal == 0:
		return ""
	case f.median() <= f.Goal:
		return "≤ " + number(f.Goal) + ": met"
	}
	return "≤ " + number(f.Goal) + ": missed"
}

// row returns the figure as a line of the table.
func (f figure) row() []string {
	least, ratio := "", ""
	if f.Least > 0 {
		least, ratio = number(f.Least), fmt.Sprintf("%.2f", f.median()/f.Least)
	}
	return []string{f.Name, f.subject(), f.Unit, number(f.median()), f.spread(), fmt.Sprint(len(f.Values)), least, ratio, f.verdict()}
}

// percentile returns the p-th percentile of values, interpolated between the two nearest ones. There must be at least one value.
func percentile(values []float64, p float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	at := p / 100 * float64(len(sorted)-1)
	low := int(math.Floor(at))
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// number formats v with three significant digits.
func number(v float64) string {
	switch size := math.Abs(v); {
	case v == math.Trunc(v) && size < 1e6, size >= 100:
		return fmt.Sprintf("%.0f", v)
	case size >= 10:
		return fmt.Sprintf("%.1f", v)
	case size >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// describeMachine returns the processor, kernel, Go version and load averages.
func describeMachine() (string, error) {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return "", err
	}
	processors, err := proc.CPUInfo()
	if err != nil {
		return "", err
	}
	load, err := proc.LoadAvg()
	if err != nil {
		return "", err
	}
	var kernel unix.Utsname
	if err := unix.Uname(&kernel); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, %d cores, %s %s, %s; load averages before: %.2f %.2f %.2f", processors[0].ModelName, len(processors),
		unix.ByteSliceToString(kernel.Sysname[:]), unix.ByteSliceToString(kernel.Release[:]), runtime.Version(),
		load.Load1, load.Load5, load.Load15), nil
}

// page returns the figures as Markdown.
func (b *bench) page(machine string, took time.Duration) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# How fast floaty is, and what it costs\n\nMeasured on %s: %s; it took %v. [How, and how to repeat it](README.md).\n",
		time.Now().Format(time.DateOnly), machine, took.Round(time.Second))
	headings := []string{"figure", "addresses", "unit", "median", "min – max", "runs", "least", "ratio", "goal"}
	for _, group := range []string{takeoverGroup, holdingGroup, eventsGroup, servingGroup, startGroup} {
		fmt.Fprintf(&out, "\n## %s\n\n| %s |\n|%s\n", group, strings.Join(headings, " | "), strings.Repeat("---|", len(headings)))
		for _, f := range b.figures {
			if f.Group == group {
				fmt.Fprintf(&out, "| %s |\n", strings.Join(f.row(), " | "))
			}
		}
	}
	if len(b.wrong) > 0 {
		fmt.Fprintf(&out, "\n## Wrong counts\n\n- %s\n", strings.Join(b.wrong, "\n- "))
	}
	return out.Bytes()
}
