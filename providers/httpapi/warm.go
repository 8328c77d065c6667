package httpapi

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	warmPause = time.Second      // after a connection has gone, up to twice as long: the hosts of a fleet lose theirs together
	warmEvery = 30 * time.Second // at the most: some servers keep a connection for 5 s only
	warmLimit = 10 * time.Second // of one attempt
)

// A warmer opens a connection anew when a server has closed the last one, as many do with one that was idle for a minute: the
// call that matters then finds it open, and costs one trip in place of four (DNS, TCP and TLS before it). It asks for the root,
// without the credential, and whatever is answered will do. While the server asks to wait it asks for nothing.
type warmer struct {
	base  http.RoundTripper
	pause time.Duration

	mu     sync.Mutex // guards all below
	origin *url.URL   // of the last call; nil: there was none, or the client was closed since
	open   int        // connections
	last   time.Time  // attempt
	until  time.Time  // the server asked to wait
	cancel func()     // ends the attempt that is to come, or under way; nil: none is

	attempt sync.WaitGroup
}

// called notes that a call is made to u.
func (w *warmer) called(u *url.URL) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.origin == nil || w.origin.Scheme != u.Scheme || w.origin.Host != u.Host {
		w.origin = &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}
	}
}

// wait notes that the server asks to wait. Twice as long is longer than any caller waits.
func (w *warmer) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until = time.Now().Add(2 * d)
}

// rest lets connections go until the next call. When it returns, nothing is being asked for.
func (w *warmer) rest() {
	w.mu.Lock()
	w.origin = nil
	if w.cancel != nil {
		w.cancel()
	}
	w.mu.Unlock()
	w.attempt.Wait()
}

// watch wraps a dialer so that the end of its connections is noticed.
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
	defer w.mu.Unlock()
	w.open--
	now := time.Now()
	if w.open > 0 || w.origin == nil || w.cancel != nil || now.Sub(w.last) < warmEvery || now.Before(w.until) {
		return
	}
	w.last = now
	ctx, cancel := context.WithTimeout(context.Background(), warmLimit)
	w.cancel = cancel
	w.attempt.Go(func() { w.warm(ctx) })
}

// warm waits a little and asks for the root, if there still is a reason to.
func (w *warmer) warm(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(w.pause + rand.N(w.pause)): //nolint:gosec // spreads load, guards nothing
	}
	w.mu.Lock()
	origin := w.origin
	if w.open > 0 || time.Now().Before(w.until) {
		origin = nil
	}
	w.mu.Unlock()
	if origin != nil {
		w.ask(ctx, origin)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancel()
	w.cancel = nil
}

func (w *warmer) ask(ctx context.Context, origin *url.URL) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, origin.String(), http.NoBody)
	if err != nil {
		return
	}
	resp, err := exchange(w.base, req, nil)
	if err != nil { // the next call says what is wrong
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxError)) // so that the connection can be used again
	_ = resp.Body.Close()
}
