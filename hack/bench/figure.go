package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"floaty/providers/simulator"
)

// groups of figures, in the order of the table.
var groups = []string{takeoverGroup, holdingGroup, eventsGroup, startGroup}

// A figure is one thing that was measured, as often as there are values.
type figure struct {
	Group     string
	Name      string
	Addresses int // 0: it has nothing to do with them
	Unit      string
	Values    []float64
	Least     float64 // that is possible; 0: not known
	Goal      float64 // the median should be no more; 0: there is none
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

func (f figure) amount(v float64) string { return number(v) + " " + f.Unit }

// ratio returns the median as a multiple of the least, if that is known.
func (f figure) ratio() (float64, bool) { return f.median() / f.Least, f.Least > 0 }

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

// percentile returns the value that p percent of values are no greater than, between two of them where it falls there.
// There is at least one value.
func percentile(values []float64, p float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	at := p / 100 * float64(len(sorted)-1)
	low := int(math.Floor(at))
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// number writes v with three digits that count.
func number(v float64) string {
	switch size := math.Abs(v); {
	case v == math.Trunc(v) && size < 1e6:
		return fmt.Sprintf("%.0f", v)
	case size >= 100:
		return fmt.Sprintf("%.0f", v)
	case size >= 10:
		return fmt.Sprintf("%.1f", v)
	case size >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// bursts splits calls, in order of arrival, where nothing arrives for at least gap.
func bursts(calls []simulator.Call, gap time.Duration) [][]time.Time {
	var all [][]time.Time
	var last time.Time
	for _, call := range calls {
		if len(all) == 0 || call.At.Sub(last) >= gap {
			all = append(all, nil)
		}
		last = call.At
		all[len(all)-1] = append(all[len(all)-1], last)
	}
	return all
}
