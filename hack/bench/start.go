package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// measureStart measures from the start of a process.
func (b *bench) measureStart(ctx context.Context) error {
	for _, n := range b.sizes([]int{1}, 1, 10, 100, 1000, 10000) {
		least, err := b.notify(ctx, settings{addresses: n, minimal: true}, 0)
		if err != nil {
			return err
		}
		if _, err := b.notify(ctx, settings{addresses: n}, least); err != nil {
			return err
		}
		if _, err := b.notify(ctx, settings{addresses: n, protocol: http2}, 0); err != nil { // the minimal program speaks no TLS
			return err
		}
	}
	for _, n := range b.sizes([]int{1}, 1, 10, 100, 1000, 10000) {
		f := figure{Group: startGroup, Name: "daemon to the FIFO open", Addresses: n, Unit: "ms"}
		if _, err := b.each(ctx, 20, settings{addresses: n}, (*world).untilOpen, f); err != nil {
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
	return b.each(ctx, 20, s, func(w *world) ([]float64, error) {
		came := make(chan time.Time, 1)
		w.wire.watch(func(data []byte, _ time.Time) {
			if w.protocol == plain && !bytes.HasPrefix(data, []byte("PATCH ")) {
				return
			}
			select {
			case came <- time.Now():
			default: // only the first counts
			}
		})
		begun := time.Now()
		if err := w.host.StartFloaty(w.path(floatyYML), "INSTANCE", "VI_0", "MASTER", "100"); err != nil {
			return nil, err
		}
		at, err := w.next(ctx, came)
		return []float64{ms(at.Sub(begun))}, err
	}, f)
}

// untilOpen measures from before the daemon is started until it has the FIFO open.
func (w *world) untilOpen() ([]float64, error) {
	if err := unix.Mkfifo(w.host.FIFO, 0o600); err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := w.startDaemon(); err != nil {
		return nil, err
	}
	for {
		fd, err := unix.Open(w.host.FIFO, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		took := time.Since(begun)
		switch {
		case err == nil:
			return []float64{ms(took)}, unix.Close(fd)
		case !errors.Is(err, unix.ENXIO): // there is no reader yet
			return nil, err
		case took > patience:
			return nil, fmt.Errorf("no reader within %v; log of floaty:\n%s", patience, w.host.Log())
		}
		time.Sleep(50 * time.Microsecond)
	}
}
