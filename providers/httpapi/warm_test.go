package httpapi

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// impatient starts a server that closes connections after they have been idle for 100 ms. Most servers do so after some time.
func impatient(t *testing.T, http2 bool) (a *api, w *warmer, heads func() []string) {
	t.Helper()
	return serveFor(t, http2, 100*time.Millisecond)
}

// serveFor starts a server that closes connections after they have been idle for this time. heads returns the requests for the root path.
func serveFor(t *testing.T, http2 bool, idle time.Duration) (a *api, w *warmer, heads func() []string) {
	t.Helper()
	a = &api{}
	var mu sync.Mutex // guards roots
	var roots []string
	a.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.requests.Add(1)
		if r.URL.Path == "/" {
			mu.Lock()
			defer mu.Unlock()
			roots = append(roots, r.URL.Path+r.Header.Get("Authorization"))
			w.WriteHeader(http.StatusNotFound)
		}
		if r.URL.Path == "/wait" {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	a.Config.IdleTimeout = idle
	a.start(t, http2)
	k := a.client.Transport.(*transport)
	k.warm.delay = 20 * time.Millisecond
	return a, k.warm, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return roots
	}
}

// opened waits until the client has n connections.
func (w *warmer) opened(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		open := w.open
		w.mu.Unlock()
		if open == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %d connections, want %d", open, n)
		}
	}
}

func TestClosedConnectionIsReopened(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		a, warm, heads := serveFor(t, http2, time.Second) // long enough for the call below, even on a busy machine
		if _, err := call(t, a.client, http.MethodGet, a.URL+"/v1/x"); err != nil {
			t.Fatal(err)
		}
		warm.opened(t, 0)
		warm.opened(t, 1)
		reused := false
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+"/v1/x", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		warm.idle(t) // the request for the root has ended
		resp, err := a.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if !reused {
			t.Error("the call opened its own connection, want it on the reopened one")
		}
		if got := heads(); len(got) != 1 || got[0] != "/" {
			t.Errorf("got %q, want one request for the root without the credential", got)
		}
	})
}

func TestReopeningIsRateLimited(t *testing.T) {
	a, warm, heads := impatient(t, false)
	if _, err := call(t, a.client, http.MethodGet, a.URL+"/v1/x"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); len(heads()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("got no request for the root, want one")
		}
	}
	warm.opened(t, 0)
	time.Sleep(300 * time.Millisecond) // the next attempt would come after 20 to 40 ms
	if len(heads()) != 1 {
		t.Errorf("got %d requests for the root, want one in %v", len(heads()), warmEvery)
	}
}

func TestClosedClientDoesNotReopenConnections(t *testing.T) {
	a, warm, heads := impatient(t, false)
	if _, err := call(t, a.client, http.MethodGet, a.URL+"/v1/x"); err != nil {
		t.Fatal(err)
	}
	a.client.CloseIdleConnections()
	warm.opened(t, 0)
	time.Sleep(200 * time.Millisecond)
	if len(heads()) != 0 {
		t.Errorf("got %d requests for the root, want none", len(heads()))
	}
}

func TestNoConnectionIsReopenedDuringRetryAfter(t *testing.T) {
	a, warm, heads := impatient(t, false)
	if _, err := call(t, a.client, http.MethodGet, a.URL+"/wait"); err == nil {
		t.Fatal("got no error, want one")
	}
	warm.opened(t, 0)
	time.Sleep(200 * time.Millisecond)
	if len(heads()) != 0 {
		t.Errorf("got %d requests for the root, want none", len(heads()))
	}
}

// keepOpen sets how many addresses a takeover would move, which is the number of connections to keep open.
func (w *warmer) keepOpen(n int) {
	w.addresses = func() int { return n }
}

func TestHTTP1ServerGetsOneConnectionPerAddress(t *testing.T) {
	t.Parallel()
	for addresses, want := range map[int]int{0: 1, 3: 3, 10: 10, 1000: 10} {
		a, warm, heads := serveFor(t, false, time.Minute)
		warm.keepOpen(addresses)
		if _, err := call(t, a.client, http.MethodGet, a.URL+"/v1/x"); err != nil {
			t.Fatal(err)
		}
		warm.opened(t, want)
		warm.idle(t)
		var calls sync.WaitGroup // as in a takeover
		for range want {
			calls.Go(func() {
				if _, err := call(t, a.client, http.MethodPatch, a.URL+"/v1/x"); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
		if got := a.connections.Load(); got != int64(want) {
			t.Errorf("%d addresses: got %d connections, want %d", addresses, got, want)
		}
		if got := len(heads()); want > 1 && got != want || want == 1 && got != 0 {
			t.Errorf("%d addresses: got %d requests for the root, want one for each connection, or none for a single connection", addresses, got)
		}
	}
}

// idle waits until no attempt is in progress.
func (w *warmer) idle(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	cancel := w.cancel
	w.mu.Unlock()
	if cancel != nil {
		w.attempt.Wait()
	}
}

func TestAllClosedConnectionsAreReopenedInOneBatch(t *testing.T) {
	t.Parallel()
	a, warm, heads := impatient(t, false)
	warm.keepOpen(4)
	warm.last = time.Now().Add(-warmEvery / 2) // no connection is opened in advance at first
	if _, err := call(t, a.client, http.MethodGet, a.URL+"/v1/x"); err != nil {
		t.Fatal(err)
	}
	warm.opened(t, 0)
	warm.mu.Lock()
	warm.last = time.Time{}
	warm.mu.Unlock()
	if _, err := call(t, a.client, http.MethodGet, a.URL+"/v1/x"); err != nil {
		t.Fatal(err)
	}
	warm.opened(t, 4)
	warm.opened(t, 0)
	time.Sleep(300 * time.Millisecond) // the next batch would come after 20 to 40 ms
	if got := len(heads()); got != 4 {
		t.Errorf("got %d requests for the root, want 4 in %v", got, warmEvery)
	}
}

func TestHTTP2ServerGetsOneConnection(t *testing.T) {
	t.Parallel()
	a, warm, heads := serveFor(t, true, time.Minute)
	warm.keepOpen(10)
	for range 3 {
		if _, err := call(t, a.client, http.MethodGet, a.URL+"/v1/x"); err != nil {
			t.Fatal(err)
		}
	}
	warm.idle(t)
	if got, asked := a.connections.Load(), len(heads()); got != 1 || asked != 0 {
		t.Errorf("got %d connections and %d requests for the root, want 1 and none", got, asked)
	}
}

// If some connections cannot be opened, the batch still ends at its deadline.
func TestBatchEndsWithItsDeadline(t *testing.T) {
	t.Parallel()
	a, warm, _ := serveFor(t, false, time.Minute)
	transport := a.client.Transport.(*transport).base
	var dials atomic.Int64
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials.Add(1) > 2 {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return dial(ctx, network, addr)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	ended := make(chan struct{})
	go func() { warm.fill(ctx, parse(t, a.URL), 4); close(ended) }()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the batch has not ended 5 s after its context")
	}
}
