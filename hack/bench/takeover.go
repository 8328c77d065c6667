package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// defaultBound is floaty's, on concurrent requests.
const defaultBound = 100

// rounds returns how many rounds of concurrent requests n writes take.
func rounds(n, bound int) float64 { return float64((n + bound - 1) / bound) }

// measureTakeover measures the time from Keepalived's MASTER line until the cloud has been told of every address, by a host
// that has been standing by. Each run starts a new floaty, so that no run finds the connections of the one before.
func (b *bench) measureTakeover(ctx context.Context) error {
	if err := b.measureDistance(ctx); err != nil {
		return err
	}
	for _, p := range []protocol{http2, http1} {
		for _, n := range b.sizes([]int{1, 100}, 1, 10, 100, 1000) {
			if err := b.overDistance(ctx, settings{addresses: n, protocol: p}); err != nil {
				return err
			}
		}
	}
	if err := b.overDistance(ctx, settings{addresses: 100, protocol: http2, scraped: true}); err != nil {
		return err
	}
	for _, n := range b.sizes([]int{1, 100}, 1, 10, 100, 1000) {
		if err := b.overCalls(ctx, settings{addresses: n}); err != nil {
			return err
		}
	}
	for _, n := range b.sizes(nil, 1000) {
		for _, minimal := range []bool{true, false} {
			if err := b.overCalls(ctx, settings{addresses: n, bound: n, minimal: minimal}); err != nil {
				return err
			}
		}
	}
	for _, n := range b.sizes([]int{1, 20}, 1, 10, 20, 100, 1000) {
		if err := b.atExoscale(ctx, settings{addresses: n, latency: 100 * time.Millisecond}); err != nil {
			return err
		}
	}
	for _, n := range b.sizes(nil, 1, 20, 100) {
		if err := b.atExoscale(ctx, settings{addresses: n, protocol: http2, distant: true}); err != nil {
			return err
		}
	}
	return nil
}

// overDistance measures one-way trips until the last address arrives at the API. One trip is the least; beyond the bound,
// each further round of calls costs a round trip.
func (b *bench) overDistance(ctx context.Context, s settings) error {
	s.distant = true
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
	_, err := b.each(ctx, 5, s, func(w *world) ([]float64, error) {
		arrived, _, err := w.takeover(ctx, f.Name)
		return []float64{trips(arrived)}, err
	}, f)
	return err
}

// overCalls measures how many times the time of a call passes until the last address is ours, without distance.
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
	_, err := b.each(ctx, 5, s, func(w *world) ([]float64, error) {
		_, settled, err := w.takeover(ctx, f.Name)
		return []float64{float64(settled) / float64(s.latency)}, err
	}, f)
	return err
}

// atExoscale measures until the last address is ours alone, as a multiple of two calls and two operations.
func (b *bench) atExoscale(ctx context.Context, s settings) error {
	s.exoscale, s.servers, s.operation = true, 4, 300*time.Millisecond
	f := figure{
		Group: takeoverGroup, Addresses: s.addresses, Unit: "× two calls and operations", Least: rounds(s.addresses, defaultBound),
	}
	call, way := s.latency, "a call takes "+s.latency.String()
	if s.distant {
		call, way = roundTrip, "round trip of "+roundTrip.String()
	} else {
		f.Goal = map[int]float64{1: 1.15, 20: 1.3}[s.addresses]
	}
	f.Name = fmt.Sprintf("Exoscale, %d instances, an operation takes %v, %v, %s", s.servers, s.operation, s.protocol, way)
	_, err := b.each(ctx, 3, s, func(w *world) ([]float64, error) {
		_, settled, err := w.takeover(ctx, f.Name)
		return []float64{float64(settled) / float64(2*(call+s.operation))}, err
	}, f)
	return err
}

// takeover lets the host stand by and then be MASTER. It returns how long it took until the last changing request was at the API,
// and until the last address was held by our server alone.
func (w *world) takeover(ctx context.Context, name string) (arrived, settled time.Duration, err error) {
	said, err := w.takeOver(ctx, w.expectedWrites())
	if err != nil {
		return 0, 0, err
	}
	var last time.Time
	var notYet error
	err = await(ctx, "every address", func() bool {
		last, notYet = w.settled()
		return notYet == nil
	})
	if err != nil {
		return 0, 0, errors.Join(err, notYet)
	}
	_, writes := w.calls()
	w.bench.count(fmt.Sprintf("writes at a takeover of %d addresses, %s", w.addresses, name), len(writes), w.expectedWrites(), w.expectedWrites())
	for _, at := range writes {
		arrived = max(arrived, at.Sub(said))
	}
	return arrived, last.Sub(said), nil
}

// expectedWrites returns how many changing requests a takeover takes. Exoscale's are an attach and a detach.
func (w *world) expectedWrites() int {
	if w.exoscale {
		return 2 * w.addresses
	}
	return w.addresses
}

// takeOver lets the host stand by, says MASTER, and waits for the writes. It returns when it was said.
func (w *world) takeOver(ctx context.Context, writes int) (said time.Time, err error) {
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
	return said, w.wrote(ctx, writes)
}
