package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	takeoverGroup = "Takeover"
	defaultBound  = 100 // floaty's, on requests side by side
)

// measureTakeover measures the time from Keepalived's MASTER line until the cloud has been told of every address, by a host
// that has been standing by. Each run is a floaty of its own, so that no run finds the connections of the one before.
func (b *bench) measureTakeover(ctx context.Context) error {
	for _, speaks := range []protocol{http2, http1} {
		for _, n := range b.sizes([]int{1, 100}, 1, 10, 100, 1000) {
			if err := b.overDistance(ctx, speaks, n); err != nil {
				return err
			}
		}
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
		if err := b.atExoscale(ctx, n, settings{latency: 100 * time.Millisecond}); err != nil {
			return err
		}
	}
	for _, n := range b.sizes(nil, 1, 20, 100) {
		if err := b.atExoscale(ctx, n, settings{protocol: http2, rtt: b.rtt}); err != nil {
			return err
		}
	}
	return nil
}

// overDistance measures one-way trips until the last address arrives at the API. One trip is the least; beyond the bound,
// each further round of calls costs a round trip.
func (b *bench) overDistance(ctx context.Context, speaks protocol, n int) error {
	least := 2*((n+defaultBound-1)/defaultBound) - 1
	f := figure{
		Group: takeoverGroup, Name: fmt.Sprintf("%v, round trip of %v", speaks, b.rtt), Addresses: n, Unit: "trips",
		Least: float64(least),
	}
	switch {
	case n == 1, n == 10 && speaks == http1: // ten connections are kept open
		f.Goal = 1.3
	case n <= 100 && speaks == http2:
		f.Goal = 1.6
	}
	for range b.runs(5) {
		run, err := b.takeover(ctx, settings{addresses: n, protocol: speaks, rtt: b.rtt})
		if err != nil {
			return err
		}
		b.count(fmt.Sprintf("writes at a takeover of %d addresses, %v", n, speaks), run.writes, n, n)
		f.Values = append(f.Values, b.trips(run.arrived))
	}
	b.add(f)
	return nil
}

// overCalls measures how many times the time of a call passes until the last address is ours, without distance.
func (b *bench) overCalls(ctx context.Context, s settings) error {
	const call = 200 * time.Millisecond
	s.latency = call
	n, name, side := s.addresses, "plain HTTP, a call takes "+call.String(), defaultBound
	f := figure{Group: takeoverGroup, Addresses: n, Unit: "calls"}
	if s.bound > 0 {
		name, side = fmt.Sprintf("%s, a bound of %d", name, s.bound), s.bound
	}
	if s.minimal {
		name += ", a minimal program"
	}
	f.Name, f.Least = name, float64((n+side-1)/side)
	switch {
	case s.minimal:
	case n == 1:
		f.Goal = 1.05
	case n == 100:
		f.Goal = 1.1
	case n == 1000 && s.bound == 0:
		f.Goal = 11
	case n == 1000:
		f.Goal = 1.5
	}
	for range b.runs(5) {
		run, err := b.takeover(ctx, s)
		if err != nil {
			return err
		}
		b.count(fmt.Sprintf("writes at a takeover of %d addresses, %s", n, name), run.writes, n, n)
		f.Values = append(f.Values, float64(run.settled)/float64(call))
	}
	b.add(f)
	return nil
}

// atExoscale measures until the last address is ours alone, as a multiple of two calls and two operations.
func (b *bench) atExoscale(ctx context.Context, n int, s settings) error {
	const servers = 4
	s.exoscale, s.addresses, s.servers, s.operation = true, n, servers, 300*time.Millisecond
	call, way := s.latency, "plain HTTP, a call takes "+s.latency.String()
	if s.rtt > 0 {
		call, way = s.rtt, fmt.Sprintf("%v, round trip of %v", s.protocol, s.rtt)
	}
	least := 2 * (call + s.operation)
	rounds := (n + defaultBound - 1) / defaultBound
	f := figure{
		Group: takeoverGroup, Name: fmt.Sprintf("Exoscale, %d instances, an operation takes %v, %s", servers, s.operation, way),
		Addresses: n, Unit: "× two calls and operations", Least: float64(rounds),
	}
	switch {
	case s.rtt > 0:
	case n == 1:
		f.Goal = 1.15
	case n == 20:
		f.Goal = 1.3
	}
	for range b.runs(3) {
		run, err := b.takeover(ctx, s)
		if err != nil {
			return err
		}
		b.count(fmt.Sprintf("writes at a takeover of %d addresses at Exoscale, %s", n, way), run.writes, 2*n, 2*n)
		f.Values = append(f.Values, float64(run.settled)/float64(least))
	}
	b.add(f)
	return nil
}

// A takeoverRun is what one takeover was like.
type takeoverRun struct {
	arrived time.Duration // until the last changing request was at the API
	settled time.Duration // until the last address was held by our server alone
	writes  int
}

// takeover lets a host stand by and then be MASTER.
func (b *bench) takeover(ctx context.Context, s settings) (run takeoverRun, err error) {
	expected := s.addresses
	if s.exoscale {
		expected *= 2
	}
	err = b.in(ctx, s, func(w *world) error {
		said, err := w.takeOver(ctx, expected)
		if err != nil {
			return err
		}
		var last time.Time
		var why error // not yet
		err = await(ctx, "every address", func() (bool, error) {
			last, why = w.settled()
			return why == nil, nil
		})
		if err != nil {
			return errors.Join(err, why)
		}
		_, writes := w.calls()
		for _, call := range writes {
			run.arrived = max(run.arrived, call.At.Sub(said))
		}
		run.settled, run.writes = last.Sub(said), len(writes)
		return nil
	})
	return run, err
}

// takeOver lets a host stand by, says MASTER, and waits for the writes. It returns when it was said.
func (w *world) takeOver(ctx context.Context, writes int) (time.Time, error) {
	if err := w.standBy(ctx); err != nil {
		return time.Time{}, err
	}
	w.forget()
	text := w.lines("MASTER")
	said := time.Now()
	if err := w.say(text); err != nil {
		return said, err
	}
	return said, w.wrote(ctx, writes)
}
