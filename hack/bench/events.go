package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"floaty/providers/simulator"
)

const (
	eventsGroup = "Event path"
	few         = 20 // instances that speak in turn
)

// measureEvents measures the way from Keepalived's line to the request.
func (b *bench) measureEvents(ctx context.Context) error {
	least, err := b.firstByte(ctx, settings{addresses: few, singles: few, stamps: true, minimal: true}, 0)
	if err != nil {
		return err
	}
	for _, n := range b.sizes([]int{few}, few, 100, 1000, 10000) {
		s := settings{addresses: n, singles: few, stamps: true}
		if _, err := b.firstByte(ctx, s, least); err != nil {
			return err
		}
	}
	for _, n := range b.sizes(nil, 100, 1000) {
		s := settings{addresses: n, singles: n, stamps: true}
		if _, err := b.firstByte(ctx, s, least); err != nil {
			return err
		}
	}
	if err := b.burst(ctx); err != nil {
		return err
	}
	return b.fullPipe(ctx)
}

// firstByte measures from the MASTER line of an instance until the first byte of its address's write is on the wire, that is when
// the kernel receives it at the other end of a loopback connection, over plain HTTP. The writes are refused, so that no looks follow and each line finds
// floaty idle. It returns the median.
func (b *bench) firstByte(ctx context.Context, s settings, least float64) (float64, error) {
	name := fmt.Sprintf("MASTER line to first byte, %d instances", s.singles)
	if s.minimal {
		name += ", a minimal program"
	}
	median := figure{Group: eventsGroup, Name: name + ", p50", Addresses: s.addresses, Unit: "ms", Least: least}
	slow := median
	slow.Name, slow.Least = name+", p99", 0
	if s.addresses == few && !s.minimal {
		median.Goal, slow.Goal = 0.3, 2
	}
	for range b.runs(3) {
		times, err := b.firstBytes(ctx, s)
		if err != nil {
			return 0, err
		}
		median.Values = append(median.Values, percentile(times, 50))
		slow.Values = append(slow.Values, percentile(times, 99))
	}
	b.add(median)
	b.add(slow)
	return median.median(), nil
}

// firstBytes returns the times of 200 lines, in milliseconds. An instance speaks once a second at most, for its address is
// not written more often.
func (b *bench) firstBytes(ctx context.Context, s settings) (times []float64, err error) {
	samples, distance := 200, max(time.Second/time.Duration(s.singles), 25*time.Millisecond)
	if b.short {
		samples = 30
	}
	err = b.in(ctx, s, func(w *world) error {
		if times, err = w.firstBytes(ctx, samples, distance); err != nil {
			return err
		}
		_, writes := w.calls()
		b.count(fmt.Sprintf("writes after %d MASTER lines that the cloud refuses", samples), len(writes), samples, samples)
		return nil
	})
	return times, err
}

func (w *world) firstBytes(ctx context.Context, samples int, distance time.Duration) (times []float64, err error) {
	if err := w.standBy(ctx); err != nil {
		return nil, err
	}
	w.Cloud.Fail(simulator.Fault{Method: http.MethodPatch, Kind: simulator.Status, Status: http.StatusNotFound})
	came := make(chan time.Time, samples)
	w.server.wire.watch(func(data []byte, at time.Time) {
		if bytes.HasPrefix(data, []byte("PATCH ")) {
			came <- at
		}
	})
	w.forget()
	for i := range samples {
		text := event(i%w.singles+1, "MASTER")
		time.Sleep(distance + rand.N(distance/10)) //nolint:gosec // no secret
		said := time.Now()
		if err := w.say(text); err != nil {
			return nil, err
		}
		select {
		case at := <-came:
			times = append(times, at.Sub(said).Seconds()*1000)
		case <-time.After(patience):
			return nil, fmt.Errorf("no request after MASTER within %v; floaty said:\n%s", patience, w.host.Log())
		}
	}
	return times, w.wrote(ctx, samples)
}

// burst measures 10,000 transitions of one instance, each a write of its own, as fast as they go.
func (b *bench) burst(ctx context.Context) error {
	const transitions = 10000
	name := fmt.Sprintf("%d transitions in a burst", transitions)
	read := figure{Group: eventsGroup, Name: name + ", read", Addresses: 1, Unit: "ms"}
	writes := figure{Group: eventsGroup, Name: name, Addresses: 1, Unit: "writes", Least: 1}
	settled := figure{Group: eventsGroup, Name: name + ", in place", Addresses: 1, Unit: "ms"}
	for range b.runs(5) {
		var run burstRun
		err := b.in(ctx, settings{addresses: 1, latency: 20 * time.Millisecond}, func(w *world) (err error) {
			run, err = w.burst(ctx, transitions)
			return err
		})
		if err != nil {
			return err
		}
		b.count("writes after "+name, run.writes, 1, 8)
		read.Values = append(read.Values, run.read.Seconds()*1000)
		writes.Values = append(writes.Values, float64(run.writes))
		settled.Values = append(settled.Values, run.settled.Seconds()*1000)
	}
	b.add(read)
	b.add(writes)
	b.add(settled)
	return nil
}

// A burstRun is what one burst was like.
type burstRun struct {
	read    time.Duration // from the first line until the last was read
	settled time.Duration // from then until the address was in place
	writes  int
}

func (w *world) burst(ctx context.Context, transitions int) (run burstRun, err error) {
	if err := w.standBy(ctx); err != nil {
		return run, err
	}
	w.forget()
	lines := [2]string{event(0, "BACKUP"), event(0, "MASTER")}
	begun := time.Now()
	for i := range transitions {
		if err := w.say(lines[i%2]); err != nil {
			return run, err
		}
	}
	for w.unread() > 0 {
		time.Sleep(20 * time.Microsecond)
	}
	read := time.Now()
	// The last of the writes in a row may have been cut off; the next one then comes a second later.
	time.Sleep(2500 * time.Millisecond)
	last, err := w.settled()
	if err != nil {
		return run, err
	}
	_, writes := w.calls()
	return burstRun{read: read.Sub(begun), settled: last.Sub(read), writes: len(writes)}, nil
}

// unread returns how many bytes wait in the FIFO.
func (w *world) unread() int {
	n, err := unix.IoctlGetInt(w.fifo, unix.TIOCINQ)
	if err != nil {
		panic(err) // it is open
	}
	return n
}

// fullPipe measures how long it takes to drain a pipe that is full, after floaty was stopped for a while.
func (b *bench) fullPipe(ctx context.Context) error {
	drained := figure{Group: eventsGroup, Name: "a full pipe (64 KiB) drained", Addresses: 1, Unit: "ms"}
	first := figure{Group: eventsGroup, Name: "a full pipe (64 KiB), to the write's first byte", Addresses: 1, Unit: "ms"}
	for range b.runs(10) {
		var empty, wrote time.Duration
		err := b.in(ctx, settings{addresses: 1, stamps: true}, func(w *world) (err error) {
			if empty, wrote, err = w.drain(ctx); err != nil {
				return err
			}
			_, writes := w.calls()
			b.count("writes after a full pipe", len(writes), 1, 1)
			return nil
		})
		if err != nil {
			return err
		}
		drained.Values = append(drained.Values, empty.Seconds()*1000)
		first.Values = append(first.Values, wrote.Seconds()*1000)
	}
	b.add(drained)
	b.add(first)
	return nil
}

func (w *world) drain(ctx context.Context) (empty, wrote time.Duration, err error) {
	if err := w.standBy(ctx); err != nil {
		return 0, 0, err
	}
	w.forget()
	pid := w.host.FloatyPID()
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		return 0, 0, err
	}
	err = await(ctx, "floaty to stop", func() (bool, error) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return strings.Contains(string(stat), ") T "), err
	})
	if err != nil {
		return 0, 0, err
	}
	if err := w.fill(event(0, "BACKUP") + event(0, "MASTER")); err != nil {
		return 0, 0, err
	}
	patched := make(chan time.Time, 1)
	w.server.wire.watch(func(data []byte, at time.Time) {
		if bytes.HasPrefix(data, []byte("PATCH ")) {
			select {
			case patched <- at:
			default: // only the first counts
			}
		}
	})
	begun := time.Now()
	if err := unix.Kill(pid, unix.SIGCONT); err != nil {
		return 0, 0, err
	}
	for w.unread() > 0 {
		time.Sleep(20 * time.Microsecond)
	}
	empty = time.Since(begun)
	if err := w.wrote(ctx, 1); err != nil {
		return 0, 0, err
	}
	return empty, (<-patched).Sub(begun), nil
}

// fill writes text, which the kernel takes whole or not at all, until the pipe is full.
func (w *world) fill(text string) error {
	if err := unix.SetNonblock(w.fifo, true); err != nil {
		return err
	}
	for {
		_, err := unix.Write(w.fifo, []byte(text))
		if errors.Is(err, unix.EAGAIN) {
			return unix.SetNonblock(w.fifo, false)
		}
		if err != nil {
			return err
		}
	}
}
