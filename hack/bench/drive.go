package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"floaty/providers/simulator"
)

// calm is how long the cloud must receive no request to count as quiet.
const calm = 500 * time.Millisecond

// standBy starts floaty as BACKUP and waits until it has read the cloud and all is quiet, so its connection is warm.
func (w *world) standBy(ctx context.Context) error {
	if err := w.startDaemon(); err != nil {
		return err
	}
	if err := w.open(ctx); err != nil {
		return err
	}
	if err := w.say(w.lines("BACKUP")); err != nil {
		return err
	}
	return w.quiet(ctx)
}

func (w *world) startDaemon() error {
	return w.host.StartFloaty("--fifo", w.path(floatyYML), w.host.FIFO)
}

// open opens the FIFO as Keepalived does: for reading as well, so that lines stay in it until they are read.
func (w *world) open(ctx context.Context) error {
	return await(ctx, "the FIFO", func() (bool, error) {
		fd, err := unix.Open(w.host.FIFO, unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err == nil {
			w.fifo = fd
		}
		return err == nil, nil
	})
}

// lines returns the lines that Keepalived writes when all instances change to a state.
func (w *world) lines(state string) string {
	var text strings.Builder
	if w.addresses > w.singles {
		text.WriteString(event(0, state))
	}
	for i := range w.singles {
		text.WriteString(event(i+1, state))
	}
	return text.String()
}

// event returns the line for one instance.
func event(instance int, state string) string {
	return fmt.Sprintf("INSTANCE \"VI_%d\" %s 100\n", instance, state)
}

// say writes into the FIFO. It blocks while the pipe is full.
func (w *world) say(text string) error {
	for rest := []byte(text); len(rest) > 0; {
		n, err := unix.Write(w.fifo, rest[:min(len(rest), 4096)])
		if err != nil {
			return fmt.Errorf("writing into the FIFO: %w", err)
		}
		rest = rest[n:]
	}
	return nil
}

// quiet waits until the cloud has answered a request and then received none for a while.
func (w *world) quiet(ctx context.Context) error {
	return await(ctx, "the cloud to become quiet", func() (bool, error) {
		if w.requests.Load() == 0 || time.Since(time.Unix(0, w.last.Load())) < calm+w.latency+w.rtt {
			return false, nil
		}
		return !slices.ContainsFunc(w.Cloud.Calls(), func(c simulator.Call) bool { return c.Status == 0 }), nil
	})
}

// wrote waits until floaty has made n changing requests, and then a moment longer, so that surplus ones are counted.
func (w *world) wrote(ctx context.Context, n int) error {
	err := await(ctx, fmt.Sprintf("%d writes", n), func() (bool, error) { return w.writes.Load() >= int64(n), nil })
	if err != nil {
		return err
	}
	time.Sleep(2*w.latency + w.rtt + 200*time.Millisecond)
	return nil
}

// calls returns the reads and the writes since the cloud's calls were forgotten.
func (w *world) calls() (reads, writes []simulator.Call) {
	for _, call := range w.Cloud.Calls() {
		if call.Method == http.MethodGet {
			reads = append(reads, call)
		} else {
			writes = append(writes, call)
		}
	}
	return reads, writes
}

// forget resets the counts.
func (w *world) forget() {
	w.Cloud.ForgetCalls()
	w.writes.Store(0)
}

// settled returns when the last address came to point at our server alone, or an error that names an address that does not.
func (w *world) settled() (time.Time, error) {
	var last time.Time
	for _, addr := range w.addrs {
		history := w.Cloud.History(addr)
		now := history[len(history)-1]
		if len(now.Holders) != 1 || now.Holders[0] != w.host.UUID {
			return last, fmt.Errorf("%s points at %q; log of floaty:\n%s", addr, now.Holders, w.host.Log())
		}
		if now.At.After(last) {
			last = now.At
		}
	}
	return last, nil
}

// await polls until a condition holds. No measured time includes its polling interval.
func await(ctx context.Context, what string, so func() (bool, error)) error {
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		ok, err := so()
		if ok || err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(end) {
			return fmt.Errorf("waiting for %s: not within %v", what, patience)
		}
	}
}
