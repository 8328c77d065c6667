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
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"floaty/providers/simulator"
)

const eventsGroup = "Event path"

// measureEvents measures the way from Keepalived's line to the request.
func (b *bench) measureEvents(ctx context.Context) error {
	for _, n := range b.sizes([]int{200}, 200, 1000, 10000) {
		if err := b.firstByte(ctx, n); err != nil {
			return err
		}
	}
	if err := b.burst(ctx); err != nil {
		return err
	}
	return b.fullPipe(ctx)
}

// firstByte measures from the MASTER line of an instance until the first byte of its address's write is read from the
// connection at the other end, over plain HTTP. The writes are refused, so that no looks follow and each line finds
// floaty at rest.
func (b *bench) firstByte(ctx context.Context, n int) error {
	const samples = 200
	name := fmt.Sprintf("MASTER line to first byte, %d instances", samples)
	median := figure{
		Group: eventsGroup, Name: name + ", p50", Addresses: n, Unit: "ms", Panel: "Event path: ms to the first byte", Line: "p50",
	}
	slow := median
	slow.Name, slow.Line = name+", p99", "p99"
	if n == samples {
		median.Goal, slow.Goal = 0.3, 2
	}
	for range b.runs(3) {
		times, err := b.firstBytes(ctx, settings{addresses: n, singles: samples})
		if err != nil {
			return err
		}
		median.Values = append(median.Values, percentile(times, 50))
		slow.Values = append(slow.Values, percentile(times, 99))
	}
	b.add(median)
	b.add(slow)
	return nil
}

func (b *bench) firstBytes(ctx context.Context, s settings) (times []float64, err error) {
	w, err := b.newWorld(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.standBy(ctx); err != nil {
		return nil, err
	}
	w.Cloud.Fail(simulator.Fault{Method: http.MethodPatch, Kind: simulator.Status, Status: http.StatusNotFound})
	var mu sync.Mutex // guards came
	came := map[string]time.Time{}
	w.server.wire.watch(func(data []byte, at time.Time) {
		if rest, ok := bytes.CutPrefix(data, []byte("PATCH /v1/floating-ips/")); ok {
			addr, _, _ := bytes.Cut(rest, []byte(" "))
			mu.Lock()
			defer mu.Unlock()
			came[string(addr)] = at
		}
	})
	w.forget()
	said := make([]time.Time, s.singles)
	for i := range said {
		text := event(i+1, "MASTER")
		time.Sleep(25*time.Millisecond + rand.N(10*time.Millisecond)) //nolint:gosec // no secret
		said[i] = time.Now()
		if err := w.say(text); err != nil {
			return nil, err
		}
	}
	if err := w.wrote(ctx, s.singles); err != nil {
		return nil, err
	}
	_, writes := w.calls()
	b.count(fmt.Sprintf("writes after %d MASTER lines that the cloud refuses", s.singles), len(writes), s.singles, s.singles)
	mu.Lock()
	defer mu.Unlock()
	for i, at := range said {
		if seen, ok := came[w.addrs[i].String()]; ok {
			times = append(times, seen.Sub(at).Seconds()*1000)
		}
	}
	if len(times) < s.singles*9/10 {
		return nil, fmt.Errorf("only %d of %d requests began with a read of their own", len(times), s.singles)
	}
	return times, nil
}

// burst measures 10,000 transitions of one instance, each a write of its own, as fast as they go.
func (b *bench) burst(ctx context.Context) error {
	const transitions = 10000
	name := fmt.Sprintf("%d transitions in a burst", transitions)
	read := figure{Group: eventsGroup, Name: name + ", read", Addresses: 1, Unit: "ms"}
	writes := figure{Group: eventsGroup, Name: name, Addresses: 1, Unit: "writes", Least: 1}
	settled := figure{Group: eventsGroup, Name: name + ", in place", Addresses: 1, Unit: "ms"}
	for range b.runs(5) {
		run, err := b.burstOnce(ctx, transitions)
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

func (b *bench) burstOnce(ctx context.Context, transitions int) (run burstRun, err error) {
	w, err := b.newWorld(ctx, settings{addresses: 1, latency: 20 * time.Millisecond})
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
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
		empty, wrote, err := b.drain(ctx)
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

func (b *bench) drain(ctx context.Context) (empty, wrote time.Duration, err error) {
	w, err := b.newWorld(ctx, settings{addresses: 1})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.standBy(ctx); err != nil {
		return 0, 0, err
	}
	w.forget()
	pid := w.host.FloatyPID()
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		return 0, 0, err
	}
	err = await(ctx, "floaty to stop", func() (bool, error) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) //nolint:gosec // below /proc
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
	_, writes := w.calls()
	b.count("writes after a full pipe", len(writes), 1, 1)
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
