package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// measureStart measures how long a notify process takes to its write, and the daemon until it has the FIFO open.
func (b *bench) measureStart(ctx context.Context) error {
	notify := func(w *world) ([]float64, error) { return w.untilWritten(ctx) }
	for _, n := range b.sizes([]int{1}, 1, 10, 100, 1000, 10000) {
		f := figure{Group: startGroup, Name: "notify process to its write, plain HTTP", Addresses: n, Unit: "ms"}
		minimal, daemon := f, f
		minimal.Name, daemon.Name = f.Name+", a minimal program", "daemon to the FIFO open"
		var err error
		if f.Least, err = b.each(ctx, 20, settings{addresses: n, minimal: true}, notify, minimal); err != nil {
			return err
		}
		if _, err := b.each(ctx, 20, settings{addresses: n}, notify, f); err != nil {
			return err
		}
		if _, err := b.each(ctx, 20, settings{addresses: n}, (*world).untilOpen, daemon); err != nil {
			return err
		}
	}
	return nil
}

// untilWritten measures the time from before a notify process is started to the first byte of its first write.
func (w *world) untilWritten(ctx context.Context) ([]float64, error) {
	written := w.patches()
	begun := time.Now()
	if err := w.host.StartFloaty(w.path(floatyYML), "INSTANCE", "VI_0", "MASTER", "100"); err != nil {
		return nil, err
	}
	at, err := w.next(ctx, written)
	return []float64{ms(at.Sub(begun))}, err
}

// untilOpen measures the time from before the daemon is started until it has the FIFO open.
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
