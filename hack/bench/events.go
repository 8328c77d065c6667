package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"floaty/providers/simulator"
)

// few is the number of instances that change their states in turn.
const few = 20

// measureEvents measures the time from Keepalived's line to the request.
func (b *bench) measureEvents(ctx context.Context) error {
	least, err := b.eventPath(ctx, settings{addresses: few, singles: few, minimal: true}, 0)
	if err != nil {
		return err
	}
	var all []settings
	for _, n := range b.sizes([]int{few}, few, 100, 10000) {
		all = append(all, settings{addresses: n, singles: few})
	}
	for _, n := range b.sizes(nil, 100, 1000) {
		all = append(all, settings{addresses: n, singles: n})
	}
	for _, n := range b.sizes(nil, 100) {
		all = append(all, settings{addresses: n, singles: few, scraped: true})
	}
	for _, s := range all {
		if _, err := b.eventPath(ctx, s, least); err != nil {
			return err
		}
	}
	return nil
}

// eventPath measures from the MASTER line of an instance until the first byte of its address's write is on the wire. It returns the
// median.
func (b *bench) eventPath(ctx context.Context, s settings, least float64) (float64, error) {
	f := figure{
		Group: eventsGroup, Name: fmt.Sprintf("MASTER line to first byte, %d instances", s.singles), Addresses: s.addresses, Unit: "ms",
	}
	switch {
	case s.minimal:
		f.Name += ", a minimal program"
	case s.scraped:
		f.Group, f.Name = servingGroup, f.Name+", scraped once per second"
	}
	p50, p99 := f, f
	p50.Name, p99.Name, p50.Least = f.Name+", p50", f.Name+", p99", least
	if s.addresses == few && !s.minimal {
		p50.Goal, p99.Goal = 0.3, 2
	}
	return b.each(ctx, 3, s, func(w *world) ([]float64, error) {
		if err := w.standBy(ctx); err != nil {
			return nil, err
		}
		times, err := w.firstBytes(ctx, 200)
		if err != nil {
			return nil, err
		}
		return []float64{percentile(times, 50), percentile(times, 99)}, nil
	}, p50, p99)
}

// firstBytes returns the times, in milliseconds, from each of so many MASTER lines (fewer in a short bench) to the first byte of the
// write, on a standby host and over plain HTTP. The cloud refuses the writes, so that no reads follow and floaty is idle at each line. An
// instance gets at most one line per second, because its address is not written more often.
func (w *world) firstBytes(ctx context.Context, samples int) (times []float64, err error) {
	if w.bench.short {
		samples = 30
	}
	pause := max(time.Second/time.Duration(w.singles), 25*time.Millisecond)
	w.Cloud.Fail(simulator.Fault{Method: http.MethodPatch, Kind: simulator.Status, Status: http.StatusNotFound})
	written := w.patches()
	w.forget()
	defer w.scrapeEachSecond(ctx)()
	for i := range samples {
		line := event(fmt.Sprintf("VI_%d", i%w.singles+1), "MASTER")
		time.Sleep(pause + rand.N(pause/10)) //nolint:gosec // not a secret
		said := time.Now()
		if err := w.host.Say(line); err != nil {
			return nil, err
		}
		at, err := w.next(ctx, written)
		if err != nil {
			return nil, err
		}
		times = append(times, ms(at.Sub(said)))
	}
	if err := w.wrote(ctx, samples); err != nil {
		return nil, err
	}
	_, writes := w.calls()
	w.bench.count(fmt.Sprintf("writes after %d MASTER lines that the cloud refuses", samples), len(writes), samples, samples)
	return times, nil
}

// patches returns a channel of the times at which the first bytes of each write arrive. It holds up to a thousand.
func (w *world) patches() <-chan time.Time {
	came := make(chan time.Time, 1000)
	w.wire.watch(func(data []byte, at time.Time) {
		if bytes.HasPrefix(data, []byte("PATCH ")) {
			select {
			case came <- at:
			default: // no measurement needs so many
			}
		}
	})
	return came
}

// next returns the next time from came, or an error after patience.
func (w *world) next(ctx context.Context, came <-chan time.Time) (time.Time, error) {
	select {
	case at := <-came:
		return at, nil
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	case <-time.After(patience):
		return time.Time{}, fmt.Errorf("no request within %v; log of floaty:\n%s", patience, w.host.Log())
	}
}
