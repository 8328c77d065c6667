// Command bench measures floaty: how long a takeover takes, what holding addresses costs, and how both grow.
//
// It builds floaty and drives the program as a black box against the simulated clouds: it writes Keepalived's lines into the
// FIFO, relays floaty's connections with a delay, and reads the rest from /proc. It fails if a count of calls or writes is
// wrong, never because of a time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"floaty/hack/testenv"
)

// A bench is one run of all measurements.
type bench struct {
	short   bool
	rtt     time.Duration // of the simulated distance
	dir     string        // contains the worlds
	program string        // floaty
	minimal string        // the minimal program: this one, built as floaty is
	cert    certificate
	worlds  int    // made so far
	load    string // averages before

	figures []figure
	wrong   []string // wrong counts
}

func main() {
	if isMinimal(os.Args[1:]) {
		fmt.Fprintln(os.Stderr, "bench:", minimal(os.Args[1:]))
		os.Exit(1)
	}
	short := flag.Bool("short", false, "fewer sizes, one run each, below a minute: for the counts rather than the times")
	rtt := flag.Duration("rtt", 100*time.Millisecond, "round-trip time of the simulated distance")
	only := flag.String("only", "", "measure only this: takeover, holding, events or start")
	jsonFile := flag.String("json", "", "write the figures to this file as JSON")
	docFile := flag.String("doc", "", "write the table to this file as Markdown")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := &bench{short: *short, rtt: *rtt, load: loadAverage()}
	begun := time.Now()
	err := b.run(ctx, *only)
	slices.SortStableFunc(b.figures, func(x, y figure) int { return slices.Index(groups, x.Group) - slices.Index(groups, y.Group) })
	printTable(os.Stdout, b.figures)
	r := report{machine: thisMachine(begun, b), figures: b.figures, wrong: b.wrong}
	err = errors.Join(err, writeTo(*jsonFile, r.json), writeTo(*docFile, r.markdown))
	for _, wrong := range b.wrong {
		fmt.Fprintln(os.Stderr, "bench: wrong count:", wrong)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	if err != nil || len(b.wrong) > 0 {
		stop()
		os.Exit(1) //nolint:gocritic // nothing is left to be done later
	}
}

// run makes all measurements, or only those of one kind.
func (b *bench) run(ctx context.Context, only string) (err error) {
	if b.dir, err = os.MkdirTemp("", "floaty-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.program, err = testenv.Build(ctx, b.dir); err != nil {
		return err
	}
	b.minimal = filepath.Join(b.dir, "minimal")
	if err := testenv.BuildAs(ctx, b.minimal, "floaty/hack/bench"); err != nil {
		return err
	}
	if b.cert, err = newCertificate(filepath.Join(b.dir, "cert.pem")); err != nil {
		return err
	}
	// floaty inherits it; this process makes no calls.
	if err := os.Setenv("SSL_CERT_FILE", b.cert.path); err != nil {
		return err
	}
	parts := []struct {
		name    string
		measure func(context.Context) error
	}{
		{"takeover", b.measureLine},
		{"takeover", b.measureTakeover},
		{"events", b.measureEvents},
		{"start", b.measureStart},
		{"holding", b.measureHolding},
	}
	known := false
	for _, part := range parts {
		if only != "" && only != part.name {
			continue
		}
		known = true
		if err := part.measure(ctx); err != nil {
			return fmt.Errorf("measuring %s: %w", part.name, err)
		}
	}
	if !known {
		return fmt.Errorf("cannot measure %q: want takeover, holding, events or start", only)
	}
	return nil
}

// add records a figure and prints it.
func (b *bench) add(f figure) {
	b.figures = append(b.figures, f)
	fmt.Fprintf(os.Stderr, "bench: %s: %s: %s: %s\n", f.Group, f.Name, f.subject(), f.amount(f.median()))
}

// count records a count that is out of range.
func (b *bench) count(what string, got, least, most int) {
	if got < least || got > most {
		want := fmt.Sprint(least)
		if most != least {
			want = fmt.Sprintf("%d to %d", least, most)
		}
		b.wrong = append(b.wrong, fmt.Sprintf("%s: %d, want %s", what, got, want))
	}
}

// runs returns how often to repeat a measurement.
func (b *bench) runs(full int) int {
	if b.short {
		return 1
	}
	return full
}

// sizes returns the numbers of addresses to measure at.
func (b *bench) sizes(short []int, full ...int) []int {
	if b.short {
		return short
	}
	return full
}
