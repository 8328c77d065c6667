package httpapi

import (
	"context"
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
// call that matters then finds it open, and costs one trip in place of four (DNS, TCP and TLS before it). It asks for
// nothing but the headers of the root, without the credential, and whatever is answered will do.
type warmer struct {
	base  http.RoundTripper
	pause time.Duration

	mu     sync.Mutex // guards all below
	origin *url.URL   // of the last call; nil: there was none, or the client was closed since
	open   int        // connections
	last   time.Time  // attempt
}

// called notes that a call is made to u.
func (w *warmer) called(u *url.URL) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.origin = &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}
}

// rest lets connections go until the next call.
func (w *warmer) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.origin = nil
}

// watch wraps a dialer so that the end of its connections is noticed.
func (w *warmer) watch(dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
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
	if w.open == 0 && w.origin != nil && time.Since(w.last) >= warmEvery {
		w.last = time.Now()
		time.AfterFunc(w.pause+rand.N(w.pause), w.warm) //nolint:gosec // spreads load, guards nothing
	}
}

func (w *warmer) warm() {
	w.mu.Lock()
	origin := w.origin
	if w.open > 0 {
		origin = nil
	}
	w.mu.Unlock()
	if origin == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), warmLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, origin.String(), http.NoBody)
	if err != nil {
		return
	}
	if resp, err := w.base.RoundTrip(req); err == nil { // else the next call says what is wrong
		_ = resp.Body.Close()
	}
}
