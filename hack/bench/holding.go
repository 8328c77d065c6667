package main

import (
	"context"
	"fmt"
	"time"
)

// afterVerification is when the last verification of a write, which comes 30 s after it, is over.
const afterVerification = 32 * time.Second

// A holding is an account whose addresses are in place while the costs are measured.
type holding struct {
	settings
	name  string
	reads int // calls that one refresh may take

	world  *world
	values map[string][]float64 // by unit, one for each window
}

// measureHolding measures the cost of holding addresses: floaty is MASTER, all addresses are in place, and nothing happens. All accounts
// are measured at the same time, each with its own floaty.
func (b *bench) measureHolding(ctx context.Context) error {
	interval, window := 10*time.Second, time.Minute
	if b.short {
		interval, window = 2*time.Second, 9*time.Second
	}
	all := b.holdings(interval)
	if err := b.holdAll(ctx, all, nil, window); err != nil {
		return err
	}
	for _, h := range all {
		for _, unit := range holdingUnits {
			if len(h.values[unit]) > 0 {
				b.add(h.figure(unit))
			}
		}
	}
	if b.short {
		return nil
	}
	return b.verifications(ctx)
}

// holdings returns the accounts to measure.
func (b *bench) holdings(interval time.Duration) (all []*holding) {
	for _, n := range b.sizes([]int{1, 100, 10000}, 1, 10, 100, 1000, 10000) {
		all = append(all, &holding{
			settings: settings{addresses: n, interval: interval, protocol: http2},
			name:     fmt.Sprintf("%v, interval %v", http2, interval), reads: 1,
		})
	}
	exoscale := func(n, servers, reads int) {
		all = append(all, &holding{
			settings: settings{exoscale: true, addresses: n, servers: servers, interval: interval, protocol: http2},
			name:     fmt.Sprintf("Exoscale, %d instances, interval %v", servers, interval), reads: reads,
		})
	}
	for _, n := range b.sizes([]int{20}, 1, 20, 100, 1000) {
		exoscale(n, 4, min(2+4, 1+n))
	}
	for _, servers := range b.sizes([]int{100}, 2, 20, 100) {
		exoscale(2, servers, 3)
	}
	return append(all, &holding{
		settings: settings{addresses: 1, protocol: http2}, name: fmt.Sprintf("%v, interval 1m, idle", http2), reads: 1,
	})
}

// holdAll creates the worlds of the pending accounts, each inside the previous one, and measures once all addresses are in place.
func (b *bench) holdAll(ctx context.Context, pending, held []*holding, window time.Duration) error {
	if len(pending) > 0 {
		h := pending[0]
		return b.in(ctx, h.settings, func(w *world) error {
			h.world, h.values = w, map[string][]float64{}
			if _, err := w.takeOver(ctx); err != nil {
				return err
			}
			return b.holdAll(ctx, pending[1:], append(held, h), window)
		})
	}
	time.Sleep(afterVerification)
	windows := 3
	if b.short {
		windows = 1
	}
	for range windows {
		if err := b.window(ctx, held, window); err != nil {
			return err
		}
	}
	return nil
}

// window waits for a length of time and records what floaty used in it.
func (b *bench) window(ctx context.Context, all []*holding, length time.Duration) (err error) {
	before, bytes := make([]usage, len(all)), make([]int64, len(all))
	for i, h := range all {
		h.world.forget()
		bytes[i] = h.world.wire.bytes.Load()
		if before[i], err = usageOf(h.world.host.FloatyPID()); err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(length):
	}
	for i, h := range all {
		after, err := usageOf(h.world.host.FloatyPID())
		if err != nil {
			return err
		}
		b.assess(h, before[i], after, h.world.wire.bytes.Load()-bytes[i])
	}
	return nil
}

// holdingUnits are the units of what is measured for each holding, in the order of the table.
var holdingUnits = []string{"calls per interval", "kB per interval", "ms CPU in 10 s", "CPU s per hour", "MiB RSS", "MiB RSS at most", "wake-ups per second"}

// assess records the values of one window and checks its counts.
func (b *bench) assess(h *holding, before, after usage, bytes int64) {
	reads, writes := h.world.calls()
	what := fmt.Sprintf("holding %d addresses, %s", h.addresses, h.name)
	b.count("writes while "+what, len(writes), 0, 0)
	took, cpu := after.at.Sub(before.at), (after.cpu - before.cpu).Seconds()
	if h.interval > 0 {
		refreshes := bursts(reads, h.interval/4)
		for _, refresh := range refreshes {
			b.count("calls of one refresh while "+what, len(refresh), 1, h.reads)
		}
		jitter := h.interval / 10
		b.count("refreshes while "+what, len(refreshes), int(took/(h.interval+jitter))-1, int(took/(h.interval-jitter))+1)
		if n := len(refreshes); n > 1 { // from the first to the last, because the window cuts intervals in two
			share := h.interval.Seconds() / refreshes[n-1][0].Sub(refreshes[0][0]).Seconds()
			h.record("calls per interval", float64(len(reads)-len(refreshes[n-1]))*share)
			h.record("kB per interval", float64(bytes)/1000/float64(n)*float64(n-1)*share)
		}
		h.record("ms CPU in 10 s", cpu*1000/took.Seconds()*10)
	} else {
		h.record("CPU s per hour", cpu/took.Seconds()*3600)
	}
	h.record("MiB RSS", after.rss)
	h.record("MiB RSS at most", after.peak)
	h.record("wake-ups per second", float64(after.switches-before.switches)/took.Seconds())
}

// record adds a value to the figure with a unit.
func (h *holding) record(unit string, value float64) {
	h.values[unit] = append(h.values[unit], value)
}

// figure returns the figure with a unit.
func (h *holding) figure(unit string) figure {
	f := figure{Group: holdingGroup, Name: h.name, Addresses: h.addresses, Unit: unit, Values: h.values[unit]}
	switch {
	case unit == "calls per interval":
		f.Least = float64(h.reads)
		f.Goal = 1.1 * f.Least
	case unit == "MiB RSS at most" && h.addresses == 10000:
		f.Goal = 60
	case unit == "ms CPU in 10 s" && h.addresses == 100 && !h.exoscale:
		f.Goal = 20
	case unit == "wake-ups per second" && h.interval == 0:
		f.Goal = 5
	}
	return f
}

// verifications measures a takeover of 10,000 addresses and how many reads follow its writes.
func (b *bench) verifications(ctx context.Context) error {
	const n = 10000
	_, err := b.each(ctx, 3, settings{addresses: n, protocol: http2}, func(w *world) ([]float64, error) {
		said, err := w.takeOver(ctx)
		if err != nil {
			return nil, err
		}
		last, err := w.settled()
		if err != nil {
			return nil, err
		}
		time.Sleep(time.Until(last.Add(afterVerification)))
		reads, writes := w.calls()
		b.count(fmt.Sprintf("writes at a takeover of %d addresses, %v", n, http2), len(writes), n, n)
		return []float64{last.Sub(said).Seconds(), float64(len(reads)), (60 + float64(len(reads))) / 60}, nil
	},
		figure{Group: takeoverGroup, Name: fmt.Sprintf("%v, no distance", http2), Addresses: n, Unit: "s"},
		figure{Group: holdingGroup, Name: "reads after the writes of a takeover", Addresses: n, Unit: "reads", Least: 3},
		figure{
			Group: holdingGroup, Name: "an hour with one takeover, interval 1m", Addresses: n, Unit: "reads per interval", Least: 1, Goal: 1.1,
		},
	)
	return err
}
