package httpapi

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"
)

const (
	warmPause = time.Second      // before reopening, up to twice as long, because all hosts of a fleet lose their connections at once
	warmEvery = 30 * time.Second // between attempts; some servers keep a connection for only 5 s
	warmLimit = 10 * time.Second // deadline of one attempt
	warmMost  = 10               // connections; cloudscale.ch allows a server 15 floating IPs, and most have fewer
)

// A warmer reopens connections that a server has closed, as many servers do after a minute of silence. So a takeover finds an open
// connection and costs one round trip instead of four (DNS, TCP and TLS come first otherwise). With HTTP/2 one connection serves all calls.
// With HTTP/1.1 each concurrent call needs its own: with a single one, a takeover of 10 addresses took 5.1 round trips.
//
// It sends HEAD / without the credential and accepts any answer. While the server asks to wait, it sends nothing.
type warmer struct {
	base      http.RoundTripper
	delay     time.Duration
	addresses func() int // that a takeover moves, each by a write of its own
	most      int        // connections to an HTTP/1.1 server

	mu     sync.Mutex // guards all below
	origin *url.URL   // of the last call; nil: no call was made, or none since the client was closed
	single bool       // the last answer came over HTTP/1.1, so each connection serves one call at a time
	open   int        // connections
	last   time.Time  // when the last attempt began
	until  time.Time  // the server asked not to be called before then
	cancel func()     // ends the attempt in progress; nil: there is none

	attempt sync.WaitGroup
}

// called notes a call to u.
func (w *warmer) called(u *url.URL) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.origin == nil || w.origin.Scheme != u.Scheme || w.origin.Host != u.Host {
		w.origin = &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}
	}
}

// pause stops reopening connections until the next call. When it returns, no attempt is in progress.
func (w *warmer) pause() {
	w.mu.Lock()
	w.origin = nil
	if w.cancel != nil {
		w.cancel()
	}
	w.mu.Unlock()
	w.attempt.Wait()
}

// watch wraps a dialer so that the warmer learns when its connections close.
func (w *warmer) watch(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.open++
		return &watched{Conn: conn, gone: sync.OnceFunc(w.gone)}, nil
	}
}

type watched struct {
	net.Conn
	gone func()
}

func (c *watched) Close() error {
	err := c.Conn.Close()
	c.gone()
	return err
}

func (w *warmer) gone() {
	w.mu.Lock()
	w.open--
	w.mu.Unlock()
	w.consider(w.delay + rand.N(w.delay)) //nolint:gosec // spreads load, guards nothing
}

// answered notes the HTTP version of an answer and its Retry-After. The warmer waits twice as long as that, which is longer than any caller
// waits.
func (w *warmer) answered(major int, wait time.Duration) {
	w.mu.Lock()
	w.single = major == 1
	if wait > 0 {
		w.until = time.Now().Add(2 * wait)
	}
	w.mu.Unlock()
	w.consider(0)
}

// consider starts an attempt, after a delay, if connections are missing and an attempt is due.
func (w *warmer) consider(delay time.Duration) {
	w.mu.Lock()
	single, due := w.single, w.due(w.most)
	w.mu.Unlock()
	if !due {
		return
	}
	wanted := 1
	if single {
		wanted = max(min(w.addresses(), w.most), 1)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.due(wanted) {
		return
	}
	w.last = time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), warmLimit)
	w.cancel = cancel
	w.attempt.Go(func() { w.warm(ctx, delay, wanted) })
}

// due reports whether an attempt may start to have that many connections open. w.mu is held.
func (w *warmer) due(wanted int) bool {
	now := time.Now()
	return w.open < wanted && w.origin != nil && w.cancel == nil && now.Sub(w.last) >= warmEvery && !now.Before(w.until)
}

// warm waits, and then opens the missing connections if they are still missing.
func (w *warmer) warm(ctx context.Context, delay time.Duration, wanted int) {
	select {
	case <-ctx.Done():
	case <-time.After(delay):
	}
	w.mu.Lock()
	origin := w.origin
	if w.open >= wanted || time.Now().Before(w.until) {
		origin = nil
	}
	w.mu.Unlock()
	if origin != nil {
		w.fill(ctx, origin, wanted)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancel()
	w.cancel = nil
}

// fill makes that many requests at once and holds each until all have a connection of their own.
func (w *warmer) fill(ctx context.Context, origin *url.URL, wanted int) {
	var connected, asked sync.WaitGroup
	connected.Add(wanted)
	for range wanted {
		done := sync.OnceFunc(connected.Done)
		asked.Go(func() {
			defer done()
			w.ask(ctx, origin, func(httptrace.GotConnInfo) {
				done()
				connected.Wait() // ends with ctx, which also ends the other dials
			})
		})
	}
	asked.Wait()
}

func (w *warmer) ask(ctx context.Context, origin *url.URL, got func(httptrace.GotConnInfo)) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, origin.String(), http.NoBody)
	if err != nil {
		return
	}
	resp, err := exchange(w.base, req, got)
	if err != nil { // the next call reports what is wrong
		return
	}
	_ = resp.Body.Close()
}
