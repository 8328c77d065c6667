package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// defaultBound is floaty's default bound on concurrent requests.
const defaultBound = 100

// rounds returns how many rounds of concurrent requests n writes take.
func rounds(n, bound int) float64 { return float64((n + bound - 1) / bound) }

// measureTakeover measures how long a standby host takes from Keepalived's MASTER line until it has moved every address. Each run starts
// a new floaty, so that no run reuses the connections of the previous one.
func (b *bench) measureTakeover(ctx context.Context) error {
	var all []settings
	for _, p := range []protocol{http2, http1} {
		for _, n := range b.sizes([]int{1, 100}, 1, 10, 100, 1000) {
			all = append(all, settings{addresses: n, protocol: p, distant: true})
		}
	}
	all = append(all, settings{addresses: 100, protocol: http2, distant: true, scraped: true})
	for _, n := range b.sizes([]int{1, 100}, 1, 10, 100, 1000) {
		all = append(all, settings{addresses: n})
	}
	for _, n := range b.sizes(nil, 1000) {
		all = append(all, settings{addresses: n, bound: n, minimal: true}, settings{addresses: n, bound: n})
	}
	for _, n := range b.sizes([]int{1, 20}, 1, 10, 20, 100, 1000) {
		all = append(all, settings{addresses: n, exoscale: true, servers: 4})
	}
	for _, s := range all {
		measure := b.overCalls
		switch {
		case s.distant:
			measure = b.overDistance
		case s.exoscale:
			measure = b.atExoscale
		}
		if err := measure(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// overDistance measures the time until the last write arrives at the API, in one-way trips. The minimum is one trip; beyond the bound, each
// further round of calls costs a round trip.
func (b *bench) overDistance(ctx context.Context, s settings) error {
	f := figure{
		Group: takeoverGroup, Name: fmt.Sprintf("%v, round trip of %v", s.protocol, roundTrip), Addresses: s.addresses, Unit: "trips",
		Least: 2*rounds(s.addresses, defaultBound) - 1,
	}
	if s.scraped {
		f.Group, f.Name = servingGroup, "takeover, scraped once per second, "+f.Name
	}
	switch {
	case s.addresses == 1, s.addresses == 10 && s.protocol == http1: // ten connections are kept open
		f.Goal = 1.3
	case s.addresses <= 100 && s.protocol == http2:
		f.Goal = 1.6
	}
	return b.takeovers(ctx, 5, s, f, func(arrived, _ time.Duration) float64 { return float64(arrived) / float64(roundTrip/2) })
}

// overCalls measures the time until the last address is ours, as a multiple of a call's duration, without distance.
func (b *bench) overCalls(ctx context.Context, s settings) error {
	s.latency = 200 * time.Millisecond
	f := figure{Group: takeoverGroup, Name: "plain HTTP, a call takes " + s.latency.String(), Addresses: s.addresses, Unit: "calls"}
	f.Least = rounds(s.addresses, defaultBound)
	if s.bound > 0 {
		f.Name, f.Least = fmt.Sprintf("%s, a bound of %d", f.Name, s.bound), rounds(s.addresses, s.bound)
	}
	switch {
	case s.minimal:
		f.Name += ", a minimal program"
	case s.bound > 0:
		f.Goal = 1.5
	default:
		f.Goal = map[int]float64{1: 1.05, 100: 1.1, 1000: 11}[s.addresses]
	}
	return b.takeovers(ctx, 5, s, f, func(_, settled time.Duration) float64 { return float64(settled) / float64(s.latency) })
}

// atExoscale measures the time until we are the only holder of the last address, as a multiple of two calls plus two operations.
func (b *bench) atExoscale(ctx context.Context, s settings) error {
	s.latency, s.operation = 100*time.Millisecond, 300*time.Millisecond
	f := figure{
		Group: takeoverGroup, Addresses: s.addresses, Unit: "× two calls and operations", Least: rounds(s.addresses, defaultBound),
		Name: fmt.Sprintf("Exoscale, %d instances, an operation takes %v, plain HTTP, a call takes %v", s.servers, s.operation, s.latency),
		Goal: map[int]float64{1: 1.15, 20: 1.3}[s.addresses],
	}
	return b.takeovers(ctx, 3, s, f, func(_, settled time.Duration) float64 { return float64(settled) / float64(2*(s.latency+s.operation)) })
}

// takeovers measures takeovers. value computes the figure's value from two times: until the last changing request arrived at the API, and
// until our server was the only holder of the last address.
func (b *bench) takeovers(ctx context.Context, runs int, s settings, f figure, value func(arrived, settled time.Duration) float64) error {
	_, err := b.each(ctx, runs, s, func(w *world) ([]float64, error) {
		said, err := w.takeOver(ctx)
		if err != nil {
			return nil, err
		}
		var last time.Time
		var notYet error
		err = await(ctx, "every address", func() bool {
			last, notYet = w.settled()
			return notYet == nil
		})
		if err != nil {
			return nil, errors.Join(err, notYet)
		}
		_, writes := w.calls()
		b.count(fmt.Sprintf("writes at a takeover of %d addresses, %s", w.addresses, f.Name), len(writes), w.expectedWrites(), w.expectedWrites())
		return []float64{value(slices.MaxFunc(writes, time.Time.Compare).Sub(said), last.Sub(said))}, nil
	}, f)
	return err
}

// expectedWrites returns how many changing requests a takeover takes: one per address, or at Exoscale an attach and a detach.
func (w *world) expectedWrites() int {
	if w.exoscale {
		return 2 * w.addresses
	}
	return w.addresses
}

// takeOver starts the host as a standby, writes MASTER lines, and waits for the writes. It returns when the lines were written.
func (w *world) takeOver(ctx context.Context) (said time.Time, err error) {
	if err := w.standBy(ctx); err != nil {
		return said, err
	}
	w.forget()
	defer w.scrapeEachSecond(ctx)()
	lines := w.lines("MASTER")
	said = time.Now()
	if err := w.host.Say(lines...); err != nil {
		return said, err
	}
	return said, w.wrote(ctx, w.expectedWrites())
}
