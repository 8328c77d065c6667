package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const startGroup = "Start"

// measureStart measures from the start of a process.
func (b *bench) measureStart(ctx context.Context) error {
	for _, n := range b.sizes([]int{1}, 1, 10, 100, 1000, 10000) {
		least, err := b.notify(ctx, settings{addresses: n, minimal: true}, 0)
		if err != nil {
			return err
		}
		for _, speaks := range []protocol{plain, http2} {
			if _, err := b.notify(ctx, settings{addresses: n, protocol: speaks}, least); err != nil {
				return err
			}
			least = 0 // it speaks no TLS
		}
	}
	for _, n := range b.sizes([]int{1}, 1, 10, 100, 1000, 10000) {
		if err := b.daemon(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// notify measures a notify script's process, from before it is started until its first write is read, or with TLS the first
// byte of its connection. It returns the median.
func (b *bench) notify(ctx context.Context, s settings, least float64) (float64, error) {
	f := figure{
		Group: startGroup, Name: "notify process to its write, plain HTTP", Addresses: s.addresses, Unit: "ms", Least: least,
	}
	switch {
	case s.minimal:
		f.Name += ", a minimal program"
	case s.protocol != plain:
		f.Name = "notify process to the first byte of its connection, TLS"
	}
	for range b.runs(20) {
		var took time.Duration
		err := b.in(ctx, s, func(w *world) (err error) {
			took, err = w.notify(ctx)
			return err
		})
		if err != nil {
			return 0, err
		}
		f.Values = append(f.Values, took.Seconds()*1000)
	}
	b.add(f)
	return f.median(), nil
}

func (w *world) notify(ctx context.Context) (time.Duration, error) {
	came := make(chan time.Time, 1)
	w.server.wire.watch(func(data []byte, at time.Time) {
		if w.protocol == plain && !bytes.HasPrefix(data, []byte("PATCH ")) {
			return
		}
		select {
		case came <- at:
		default: // only the first counts
		}
	})
	begun := time.Now()
	if err := w.host.StartFloaty(w.path(floatyYML), "INSTANCE", "VI_0", "MASTER", "100"); err != nil {
		return 0, err
	}
	select {
	case at := <-came:
		return at.Sub(begun), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(patience):
		return 0, fmt.Errorf("no write within %v; floaty said:\n%s", patience, w.host.Log())
	}
}

// daemon measures from before the daemon is started until it has the FIFO open.
func (b *bench) daemon(ctx context.Context, n int) error {
	f := figure{
		Group: startGroup, Name: "daemon to the FIFO open", Addresses: n, Unit: "ms",
	}
	for range b.runs(20) {
		var took time.Duration
		err := b.in(ctx, settings{addresses: n}, func(w *world) (err error) {
			took, err = w.daemon()
			return err
		})
		if err != nil {
			return err
		}
		f.Values = append(f.Values, took.Seconds()*1000)
	}
	b.add(f)
	return nil
}

func (w *world) daemon() (time.Duration, error) {
	if err := unix.Mkfifo(w.host.FIFO, 0o600); err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := w.startDaemon(); err != nil {
		return 0, err
	}
	for {
		fd, err := unix.Open(w.host.FIFO, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		took := time.Since(begun)
		switch {
		case err == nil:
			w.fifo = fd
			return took, nil
		case !errors.Is(err, unix.ENXIO): // there is no reader yet
			return 0, err
		case took > patience:
			return 0, fmt.Errorf("no reader within %v; floaty said:\n%s", patience, w.host.Log())
		}
		time.Sleep(50 * time.Microsecond)
	}
}
