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
	warmPause = time.Second      // after a connection has gone, up to twice as long: the hosts of a fleet lose theirs together
	warmEvery = 30 * time.Second // at the most: some servers keep a connection for 5 s only
	warmLimit = 10 * time.Second // of one attempt
	warmMost  = 10               // connections; cloudscale.ch gives a server 15 floating IPs, and most have fewer
)

// A warmer opens connections anew when a server has closed them, as many do with one that was idle for a minute: the call that
// matters then finds one open, and costs one trip in place of four (DNS, TCP and TLS before it). HTTP/2 takes one connection for
// all calls. HTTP/1.1 takes one for each call side by side: with a single one, a takeover of 10 addresses took 5.1 trips.
//
// It asks for the head of the root, which may be a long page, without the credential, and whatever is answered will do. While the
// server asks to wait it asks for nothing.
type warmer struct {
	base      http.RoundTripper
	pause     time.Duration
	addresses func() int // of a takeover, whose writes are made side by side
	most      int        // connections to a server that takes one call at a time on each

	mu     sync.Mutex // guards all below
	origin *url.URL   // of the last call; nil: there was none, or the client was closed since
	single bool       // a connection takes one call at a time, as the last answer showed
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
	w.open--
	w.mu.Unlock()
	w.consider(w.pause + rand.N(w.pause)) //nolint:gosec // spreads load, guards nothing
}

// answered notes over which version of HTTP a call was answered, and for how long the server asks to wait, if it does: twice as
// long is longer than any caller waits.
func (w *warmer) answered(major int, wait time.Duration) {
	w.mu.Lock()
	w.single = major == 1
	if wait > 0 {
		w.until = time.Now().Add(2 * wait)
	}
	w.mu.Unlock()
	w.consider(0)
}

// consider starts an attempt, after a pause, if connections are missing and nothing speaks against it.
func (w *warmer) consider(pause time.Duration) {
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
	w.attempt.Go(func() { w.warm(ctx, pause, wanted) })
}

// due reports whether an attempt may start if so many connections are wanted. w.mu is held.
func (w *warmer) due(wanted int) bool {
	now := time.Now()
	return w.open < wanted && w.origin != nil && w.cancel == nil && now.Sub(w.last) >= warmEvery && !now.Before(w.until)
}

// warm waits and opens what is missing, if there still is a reason to.
func (w *warmer) warm(ctx context.Context, pause time.Duration, wanted int) {
	select {
	case <-ctx.Done():
	case <-time.After(pause):
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

// fill makes so many requests that each has a connection of its own at the same time.
func (w *warmer) fill(ctx context.Context, origin *url.URL, wanted int) {
	var connected, asked sync.WaitGroup
	connected.Add(wanted)
	for range wanted {
		done := sync.OnceFunc(connected.Done)
		asked.Go(func() {
			defer done()
			w.ask(ctx, origin, func(httptrace.GotConnInfo) {
				done()
				connected.Wait() // not longer than ctx, which ends the dials of the others
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
	if err != nil { // the next call says what is wrong
		return
	}
	_ = resp.Body.Close()
}
