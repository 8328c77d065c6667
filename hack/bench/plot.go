package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"slices"
)

// The sizes of a plot, in pixels.
const (
	panelWidth  = 380
	panelHeight = 310
	columns     = 3
	left        = 58 // of the frame, from the panel's edge
	right       = 14
	top         = 30 // above the legend
	bottom      = 40
	legendLine  = 14
)

// colors of the lines, told apart also by those who see colours differently (Okabe and Ito).
var colors = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"}

// A panel is one picture of figures over the number of addresses. Both axes are logarithmic.
type panel struct {
	title string
	lines []series
}

type series struct {
	name    string
	figures []figure // by number of addresses
}

// panels sorts the figures that are plotted into pictures.
func panels(figures []figure) []panel {
	var all []panel
	for _, f := range figures {
		if f.Panel == "" || f.Addresses == 0 {
			continue
		}
		at := slices.IndexFunc(all, func(p panel) bool { return p.title == f.Panel })
		if at < 0 {
			at = len(all)
			all = append(all, panel{title: f.Panel})
		}
		p := &all[at]
		i := slices.IndexFunc(p.lines, func(s series) bool { return s.name == f.Line })
		if i < 0 {
			i = len(p.lines)
			p.lines = append(p.lines, series{name: f.Line})
		}
		p.lines[i].figures = append(p.lines[i].figures, f)
	}
	return all
}

// An axis maps the logarithm of values to pixels.
type axis struct {
	low, high float64 // powers of ten
	from, to  float64 // pixels
}

// newAxis covers values, all above 0, to whole powers of ten.
func newAxis(values []float64, from, to float64) axis {
	a := axis{low: math.Floor(math.Log10(slices.Min(values))), high: math.Ceil(math.Log10(slices.Max(values))), from: from, to: to}
	if a.high <= a.low {
		a.high = a.low + 1
	}
	return a
}

func (a axis) at(v float64) float64 {
	return a.from + (math.Log10(v)-a.low)/(a.high-a.low)*(a.to-a.from)
}

// ticks returns the powers of ten, and what lies between them if they are few.
func (a axis) ticks() []float64 {
	var all []float64
	for power := a.low; power <= a.high; power++ {
		all = append(all, math.Pow(10, power))
		if a.high-a.low <= 2 && power < a.high {
			all = append(all, 2*math.Pow(10, power), 5*math.Pow(10, power))
		}
	}
	return all
}

// svg writes the plot: each kind of figure over the number of addresses.
func (r report) svg(out *bytes.Buffer) error {
	all := panels(r.figures)
	rows := (len(all) + columns - 1) / columns
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n",
		columns*panelWidth, max(rows, 1)*panelHeight)
	fmt.Fprintln(out, `<rect width="100%" height="100%" fill="#fff"/>`)
	for i, p := range all {
		fmt.Fprintf(out, `<g transform="translate(%d %d)">`+"\n", i%columns*panelWidth, i/columns*panelHeight)
		p.draw(out)
		fmt.Fprintln(out, "</g>")
	}
	fmt.Fprintln(out, "</svg>")
	return nil
}

func (p panel) draw(out *bytes.Buffer) {
	var xs, ys []float64
	for _, s := range p.lines {
		for _, f := range s.figures {
			xs = append(xs, float64(f.Addresses))
			ys = append(ys, above0(slices.Min(f.Values)), above0(slices.Max(f.Values)))
		}
	}
	x := newAxis(xs, left, panelWidth-right)
	frame := float64(top + legendLine*len(p.lines))
	y := newAxis(ys, panelHeight-bottom, frame)
	fmt.Fprintf(out, `<text x="%d" y="18" font-size="13" font-weight="bold">%s</text>`+"\n", left, html.EscapeString(p.title))
	for _, v := range y.ticks() {
		fmt.Fprintf(out, `<path d="M%.1f %.1fH%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			x.from, y.at(v), x.to, left-6, y.at(v)+4, tick(v))
	}
	for _, v := range x.ticks() {
		fmt.Fprintf(out, `<path d="M%.1f %.1fV%.1f" stroke="#eee"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			x.at(v), y.from, y.to, x.at(v), panelHeight-bottom+15, tick(v))
	}
	fmt.Fprintf(out, `<text x="%.1f" y="%d" text-anchor="middle" fill="#555">addresses</text>`+"\n", (x.from+x.to)/2, panelHeight-bottom+30)
	for i, s := range p.lines {
		s.draw(out, x, y, colors[i%len(colors)])
		fmt.Fprintf(out, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", left, top+legendLine*i+4, colors[i%len(colors)], html.EscapeString(s.name))
	}
}

// draw draws the medians as a line, and from the least to the greatest value at each point.
func (s series) draw(out *bytes.Buffer, x, y axis, color string) {
	path, from := "", "M"
	for _, f := range s.figures {
		at := x.at(float64(f.Addresses))
		low, mid, high := y.at(above0(slices.Min(f.Values))), y.at(above0(f.median())), y.at(above0(slices.Max(f.Values)))
		path += fmt.Sprintf("%s%.1f %.1f", from, at, mid)
		from = "L"
		fmt.Fprintf(out, `<path d="M%.1f %.1fV%.1f" stroke="%s" stroke-width="1.5" opacity="0.5"/><circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n",
			at, low, high, color, at, mid, color)
	}
	fmt.Fprintf(out, `<path d="%s" fill="none" stroke="%s" stroke-width="1.5"/>`+"\n", path, color)
}

// above0 returns what can be shown on a logarithmic axis.
func above0(v float64) float64 { return max(v, 1e-3) }

func tick(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.0fM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%.0fk", v/1e3)
	}
	return fmt.Sprintf("%g", v)
}
