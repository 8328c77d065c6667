package main

import (
	"context"
	"net"
	"time"
)

// roundTrip is the simulated distance.
const roundTrip = 100 * time.Millisecond

// relay forwards connections to target until the listener is closed. Everything arrives half a round trip late, in both
// directions and in order.
//
// The kernel completes the TCP handshake without a delay. So that the handshake costs a round trip, data that a client sends during the first
// round trip is forwarded as if it were sent at the end of it.
func (w *world) relay(ctx context.Context, listener net.Listener, target string) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		connected := time.Now().Add(roundTrip)
		far, err := new(net.Dialer).DialContext(ctx, "tcp", target)
		if err != nil {
			_ = near.Close() // the client sees it
			continue
		}
		w.work.Go(func() { w.delay(far, near, connected) })
		w.work.Go(func() { w.delay(near, far, connected) })
	}
}

// delay copies from one connection to another until one of them ends, and then closes both. Data read before start is treated as sent at
// start.
func (w *world) delay(to, from net.Conn, start time.Time) {
	type chunk struct {
		data []byte // empty: the end of the connection
		due  time.Time
	}
	chunks := make(chan chunk, 1<<12)
	w.work.Go(func() {
		defer close(chunks)
		for buf := make([]byte, 64<<10); ; {
			n, err := from.Read(buf)
			sent := time.Now()
			if sent.Before(start) {
				sent = start
			}
			chunks <- chunk{append([]byte(nil), buf[:n]...), sent.Add(roundTrip / 2)}
			if err != nil {
				return
			}
		}
	})
	for c := range chunks {
		time.Sleep(time.Until(c.due))
		if _, err := to.Write(c.data); err != nil {
			_ = from.Close() // so that nothing more is read
		}
	}
	_, _ = to.Close(), from.Close() // the bytes have been forwarded
}
