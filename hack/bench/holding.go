package main

import (
	"context"
	"fmt"
	"time"
)

const holdingGroup = "Holding"

// A holding is an account whose addresses are held for a while.
type holding struct {
	settings
	name  string
	reads int // calls that one look may take

	world *world
	value map[string]*figure
}

// measureHolding measures what it costs to hold addresses that are in place: floaty is MASTER, and nothing happens. All
// accounts are held side by side, each by a floaty of its own, in the same windows of time.
func (b *bench) measureHolding(ctx context.Context) error {
	interval, window := 10*time.Second, time.Minute
	if b.short {
		interval, window = 2*time.Second, 9*time.Second
	}
	for _, n := range b.sizes([]int{100}, 10, 100, 1000) {
		if err := b.confirm(ctx, n); err != nil {
			return err
		}
	}
	all := b.holdings(interval)
	if err := b.holdAll(ctx, all, nil, window); err != nil {
		return err
	}
	for _, h := range all {
		for _, unit := range holdingUnits {
			if f := h.value[unit]; f != nil {
				b.add(*f)
			}
		}
	}
	if b.short {
		return nil
	}
	return b.looks(ctx)
}

// holdAll raises the worlds of those that wait, one within the other, and measures when all are held.
func (b *bench) holdAll(ctx context.Context, wait, held []*holding, window time.Duration) error {
	if len(wait) > 0 {
		h := wait[0]
		return b.in(ctx, h.settings, func(w *world) error {
			h.world, h.value = w, map[string]*figure{}
			writes := h.addresses
			if h.exoscale {
				writes *= 2
			}
			if _, err := w.takeOver(ctx, writes); err != nil {
				return err
			}
			return b.holdAll(ctx, wait[1:], append(held, h), window)
		})
	}
	time.Sleep(afterLooks)
	for range b.runs(3) {
		if err := b.window(ctx, held, window); err != nil {
			return err
		}
	}
	return nil
}

// afterLooks is when the last look at a write, which comes 30 s after it, is over.
const afterLooks = 32 * time.Second

// holdings are the accounts to hold.
func (b *bench) holdings(interval time.Duration) []*holding {
	var all []*holding
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
	all = append(all, &holding{
		settings: settings{addresses: 1, protocol: http2}, name: fmt.Sprintf("%v, interval 1m, idle", http2), reads: 1,
	})
	return all
}

// window lets time pass and takes down what it cost.
func (b *bench) window(ctx context.Context, all []*holding, length time.Duration) error {
	before := make([]usage, len(all))
	sent := make([]int64, len(all))
	var err error
	for i, h := range all {
		h.world.forget()
		sent[i] = h.world.bytes()
		if before[i], err = lookAt(h.world.host.FloatyPID()); err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(length):
	}
	for i, h := range all {
		after, err := lookAt(h.world.host.FloatyPID())
		if err != nil {
			return err
		}
		b.assess(h, before[i], after, h.world.bytes()-sent[i])
	}
	return nil
}

func (w *world) bytes() int64 { return w.server.wire.in.Load() + w.server.wire.out.Load() }

// What is measured of a holding, in the order of the table.
var holdingUnits = []string{"calls an interval", "kB an interval", "ms CPU in 10 s", "CPU s an hour", "MiB RSS", "MiB RSS at most", "wake-ups a second"}

// assess makes figures of one window.
func (b *bench) assess(h *holding, before, after usage, sent int64) {
	reads, writes := h.world.calls()
	what := fmt.Sprintf("holding %d addresses, %s", h.addresses, h.name)
	b.count("writes while "+what, len(writes), 0, 0)
	took := after.at.Sub(before.at)
	second := took.Seconds()
	if h.interval > 0 {
		looks := bursts(reads, h.interval/4)
		for _, look := range looks {
			b.count("calls of one look while "+what, len(look), 1, h.reads)
		}
		least := int(took/(h.interval+h.interval/10)) - 1
		most := int(took/(h.interval-h.interval/10)) + 1
		b.count("looks while "+what, len(looks), least, most)
		if n := len(looks); n > 1 { // from the first to the last, for the window cuts intervals in two
			share := h.interval.Seconds() / looks[n-1][0].Sub(looks[0][0]).Seconds()
			h.note("calls an interval", float64(len(reads)-len(looks[n-1]))*share)
			h.note("kB an interval", float64(sent)/1000/float64(n)*float64(n-1)*share)
		}
		h.note("ms CPU in 10 s", (after.cpu-before.cpu).Seconds()*1000/second*10)
	}
	h.note("CPU s an hour", (after.cpu-before.cpu).Seconds()/second*3600)
	h.note("MiB RSS", float64(after.rss)/(1<<20))
	h.note("MiB RSS at most", float64(after.peak)/(1<<20))
	h.note("wake-ups a second", float64(after.switches-before.switches)/second)
}

// note adds a value to one of a holding's figures.
func (h *holding) note(unit string, value float64) {
	f := h.value[unit]
	if f == nil {
		f = &figure{Group: holdingGroup, Name: h.name, Addresses: h.addresses, Unit: unit}
		switch {
		case unit == "calls an interval":
			f.Least = float64(h.reads)
			f.Goal = 1.1 * f.Least
		case unit == "MiB RSS at most" && h.addresses == 10000:
			f.Goal = 60
		case unit == "ms CPU in 10 s" && h.addresses == 100 && h.interval == 10*time.Second && !h.exoscale:
			f.Goal = 20
		case unit == "wake-ups a second" && h.interval == 0:
			f.Goal = 5
		}
		h.value[unit] = f
	}
	f.Values = append(f.Values, value)
}

// confirm measures how many reads it takes when MASTER is said and every address is in place already.
func (b *bench) confirm(ctx context.Context, n int) error {
	f := figure{
		Group: holdingGroup, Name: "MASTER said where all is in place", Addresses: n, Unit: "reads", Least: 1,
	}
	for range b.runs(3) {
		err := b.in(ctx, settings{addresses: n, protocol: http2, ours: true}, func(w *world) error {
			if _, err := w.takeOver(ctx, 0); err != nil {
				return err
			}
			if err := w.quiet(ctx); err != nil {
				return err
			}
			reads, writes := w.calls()
			b.count(fmt.Sprintf("writes after MASTER where all %d addresses are in place", n), len(writes), 0, 0)
			f.Values = append(f.Values, float64(len(reads)))
			return nil
		})
		if err != nil {
			return err
		}
	}
	b.add(f)
	return nil
}

// looks measures a takeover of 10,000 addresses and how many reads follow its writes.
func (b *bench) looks(ctx context.Context) error {
	const n = 10000
	took := figure{Group: takeoverGroup, Name: fmt.Sprintf("%v, no distance", http2), Addresses: n, Unit: "s"}
	after := figure{Group: holdingGroup, Name: "reads after the writes of a takeover", Addresses: n, Unit: "reads", Least: 3}
	hour := figure{
		Group: holdingGroup, Name: "an hour with one takeover, interval 1m", Addresses: n, Unit: "reads an interval", Least: 1, Goal: 1.1,
	}
	for range b.runs(3) {
		err := b.in(ctx, settings{addresses: n, protocol: http2}, func(w *world) error {
			said, err := w.takeOver(ctx, n)
			if err != nil {
				return err
			}
			last, err := w.settled()
			if err != nil {
				return err
			}
			time.Sleep(time.Until(last.Add(afterLooks)))
			reads, writes := w.calls()
			b.count(fmt.Sprintf("writes at a takeover of %d addresses, %v", n, http2), len(writes), n, n)
			took.Values = append(took.Values, last.Sub(said).Seconds())
			after.Values = append(after.Values, float64(len(reads)))
			hour.Values = append(hour.Values, (60+float64(len(reads)))/60)
			return nil
		})
		if err != nil {
			return err
		}
	}
	b.add(took)
	b.add(after)
	b.add(hour)
	return nil
}
