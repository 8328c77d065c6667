// Command bench measures floaty: how long a takeover takes, what holding addresses and serving metrics costs, and how it grows.
//
// It builds floaty and tests the program as a black box against the simulated clouds: it writes Keepalived's lines into the
// FIFO, relays floaty's connections with a delay, and reads the rest from /proc. It fails if a count of calls or writes is
// wrong, never because of a time.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"floaty/hack/testenv"
)

// patience is how long the bench waits for something before it gives up.
const patience = time.Minute

// parts of the bench, in the order in which they are measured.
var parts = []string{"takeover", "events", "start", "serving", "holding"}

// A bench is one run of all measurements.
type bench struct {
	short   bool
	dir     string          // contains the worlds
	program string          // floaty
	minimal string          // the minimal program: this command, built like floaty
	cert    tls.Certificate // of the clouds
	worlds  int             // created so far

	figures []figure
	wrong   []string // wrong counts
}

func main() {
	if isMinimal(os.Args[1:]) {
		fmt.Fprintln(os.Stderr, "bench:", minimal(os.Args[1:]))
		os.Exit(1)
	}
	short := flag.Bool("short", false, "fewer sizes, one run each, less than two minutes: for the counts rather than the times")
	only := flag.String("only", "", "measure only this: "+strings.Join(parts, ", "))
	doc := flag.String("doc", "", "write the table to this file as Markdown")
	flag.Parse()
	if flag.NArg() > 0 || *only != "" && !slices.Contains(parts, *only) {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := &bench{short: *short}
	begun := time.Now()
	machine, err := describeMachine()
	err = errors.Join(err, b.run(ctx, *only))
	if *doc != "" {
		page := b.page(machine, time.Since(begun))
		err = errors.Join(err, os.WriteFile(*doc, page, 0o644)) //nolint:gosec // not a secret
	}
	for _, wrong := range b.wrong {
		fmt.Fprintln(os.Stderr, "bench: wrong count:", wrong)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	if err != nil || len(b.wrong) > 0 {
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
}

// run makes all measurements, or only those of one part.
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
	trusted := filepath.Join(b.dir, "cert.pem")
	if b.cert, err = newCertificate(trusted); err != nil {
		return err
	}
	// floaty inherits this variable; this process itself makes no calls over TLS.
	if err := os.Setenv("SSL_CERT_FILE", trusted); err != nil {
		return err
	}
	measure := map[string]func(context.Context) error{
		"takeover": b.measureTakeover, "events": b.measureEvents, "start": b.measureStart, "serving": b.measureServing, "holding": b.measureHolding,
	}
	for _, part := range parts {
		if only == "" || only == part {
			if err := measure[part](ctx); err != nil {
				return fmt.Errorf("measuring %s: %w", part, err)
			}
		}
	}
	return nil
}

// each makes a measurement several times (once in a short bench), each time in a new world, and adds its figures; measure returns one value
// for each figure. each returns the median of the first figure.
func (b *bench) each(ctx context.Context, runs int, s settings, measure func(*world) ([]float64, error), figures ...figure) (float64, error) {
	if b.short {
		runs = 1
	}
	for range runs {
		var values []float64
		err := b.in(ctx, s, func(w *world) (err error) {
			values, err = measure(w)
			return err
		})
		if err != nil {
			return 0, err
		}
		for i := range figures {
			figures[i].Values = append(figures[i].Values, values[i])
		}
	}
	for _, f := range figures {
		b.add(f)
	}
	return figures[0].median(), nil
}

// add records a figure and prints it.
func (b *bench) add(f figure) {
	b.figures = append(b.figures, f)
	fmt.Printf("%s: %s, %s addresses: %s %s (%s) %s\n", f.Group, f.Name, f.subject(), number(f.median()), f.Unit, f.spread(), f.verdict())
}

// count records a wrong count if got is not between least and most.
func (b *bench) count(what string, got, least, most int) {
	if got < least || got > most {
		b.wrong = append(b.wrong, fmt.Sprintf("%s: got %d, want %d to %d", what, got, least, most))
	}
}

// sizes returns the numbers of addresses to measure at.
func (b *bench) sizes(short []int, full ...int) []int {
	if b.short {
		return short
	}
	return full
}

// ms returns a time in milliseconds.
func ms(d time.Duration) float64 { return d.Seconds() * 1000 }

// bursts splits sorted times wherever two are at least gap apart.
func bursts(times []time.Time, gap time.Duration) (all [][]time.Time) {
	for len(times) > 0 {
		n := 1
		for n < len(times) && times[n].Sub(times[n-1]) < gap {
			n++
		}
		all, times = append(all, times[:n]), times[n:]
	}
	return all
}
