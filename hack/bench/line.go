package main

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// A line is a long way to a server: all that is sent arrives half a round-trip time later, in both directions, in order,
// however much it is.
//
// The kernel completes TCP's handshake by itself. So that it costs a round trip, what a client sends in the first one after
// it has connected goes on only at its end. What the line lacks of a real one is TCP's slow start, loss and limits of
// bandwidth.
type line struct {
	listener net.Listener
	target   string
	rtt      time.Duration
	work     sync.WaitGroup

	mu     sync.Mutex // guards conns
	conns  map[net.Conn]bool
	closed bool
}

// newLine opens a line to target, HOST:PORT.
func newLine(ctx context.Context, target string, rtt time.Duration) (*line, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &line{listener: listener, target: target, rtt: rtt, conns: map[net.Conn]bool{}}
	l.work.Go(func() { l.accept(ctx) })
	return l, nil
}

// close cuts the line and waits until all has ended.
func (l *line) close() error {
	err := l.listener.Close()
	l.mu.Lock()
	l.closed = true
	for conn := range l.conns {
		_ = conn.Close()
	}
	l.mu.Unlock()
	l.work.Wait()
	return err
}

func (l *line) accept(ctx context.Context) {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		connected := time.Now().Add(l.rtt)
		var dialer net.Dialer
		far, err := dialer.DialContext(ctx, "tcp", l.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		if l.keep(near, far) {
			l.work.Go(func() { l.carry(near, far, connected) })
		}
	}
}

// keep registers both ends of a connection, so that close finds them.
func (l *line) keep(ends ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range ends {
		l.conns[conn] = true
		if l.closed {
			_ = conn.Close()
		}
	}
	return !l.closed
}

// carry moves bytes both ways until both ends have closed.
func (l *line) carry(near, far net.Conn, connected time.Time) {
	var ways sync.WaitGroup
	ways.Go(func() { l.move(far, near, connected) })
	ways.Go(func() { l.move(near, far, time.Time{}) })
	ways.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range []net.Conn{near, far} {
		_ = conn.Close()
		delete(l.conns, conn)
	}
}

// A chunk is what was read at once; without bytes it is the end.
type chunk struct {
	data []byte
	due  time.Time
}

// move carries what comes from one end to the other, where it is as if it had been sent no earlier than at begin.
func (l *line) move(to, from net.Conn, begin time.Time) {
	var mu sync.Mutex // guards queue
	var queue []chunk
	more := make(chan struct{}, 1)
	var reader sync.WaitGroup
	defer reader.Wait()
	reader.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := from.Read(buf)
			sent := time.Now()
			if sent.Before(begin) {
				sent = begin
			}
			mu.Lock()
			if n > 0 {
				queue = append(queue, chunk{append([]byte(nil), buf[:n]...), sent.Add(l.rtt / 2)})
			}
			if err != nil {
				queue = append(queue, chunk{nil, sent.Add(l.rtt / 2)})
			}
			mu.Unlock()
			select {
			case more <- struct{}{}:
			default: // it is about to look
			}
			if err != nil {
				return
			}
		}
	})
	for range more {
		mu.Lock()
		ready := queue
		queue = nil
		mu.Unlock()
		for _, c := range ready {
			time.Sleep(time.Until(c.due))
			if c.data == nil {
				if half, ok := to.(*net.TCPConn); ok {
					_ = half.CloseWrite()
				}
				return
			}
			if _, err := to.Write(c.data); err != nil {
				_ = from.Close()
				return
			}
		}
	}
}

// measureLine measures the line itself, so that its own part in the other figures is known.
func (b *bench) measureLine(ctx context.Context) error {
	var config net.ListenConfig
	far, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	arrived := make(chan time.Time)
	var reader sync.WaitGroup
	reader.Go(func() {
		conn, err := far.Accept()
		if err != nil {
			return
		}
		defer conn.Close() //nolint:errcheck // nothing was written
		for one := make([]byte, 1); ; {
			if _, err := io.ReadFull(conn, one); err != nil {
				return
			}
			arrived <- time.Now()
		}
	})
	l, err := newLine(ctx, far.Addr().String(), b.rtt)
	if err != nil {
		return err
	}
	var dialer net.Dialer
	near, err := dialer.DialContext(ctx, "tcp", l.listener.Addr().String())
	if err != nil {
		return err
	}
	f := figure{Group: takeoverGroup, Name: "the line alone, one byte", Unit: "trips", Least: 1}
	for i := range b.runs(20) + 1 {
		sent := time.Now()
		if _, err := near.Write([]byte{0}); err != nil {
			return err
		}
		if took := (<-arrived).Sub(sent); i > 0 { // the first one waits for the handshake
			f.Values = append(f.Values, b.trips(took))
		}
	}
	b.add(f)
	err = errors.Join(near.Close(), l.close(), far.Close())
	reader.Wait()
	return err
}

// trips returns a time as a multiple of the way in one direction.
func (b *bench) trips(took time.Duration) float64 { return float64(took) / float64(b.rtt/2) }
