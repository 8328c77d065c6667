package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var errStopped = errors.New("no longer wanted")

// fenced returns a client of a whose fence refuses from the given check on (1 is the first check; 0 means never), and a counter of the
// checks.
func (a *api) fenced(t *testing.T, refuse int64) (*http.Client, *atomic.Int64) {
	t.Helper()
	checks := new(atomic.Int64)
	client := clientOf(t, a.Server, a.URL)
	client.Transport.(*transport).opts.Before = func(context.Context) error {
		if n := checks.Add(1); refuse != 0 && n >= refuse {
			return errStopped
		}
		return nil
	}
	return client, checks
}

// whole starts a server that counts the requests that arrive with their whole body. Of any other request, no part of the body may arrive.
func whole(t *testing.T, http2 bool, then http.HandlerFunc) (*api, *atomic.Int64) {
	t.Helper()
	complete := new(atomic.Int64)
	return serve(t, http2, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			if len(body) > 0 {
				t.Errorf("got %q of a body that must not be sent, want nothing", body)
			}
			return
		}
		complete.Add(1)
		if then != nil {
			then(w, r)
		}
	}), complete
}

func wantStopped(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, errStopped) {
		t.Errorf("got %v, want %v", err, errStopped)
	}
}

func wantCount(t *testing.T, what string, got *atomic.Int64, want int64) {
	t.Helper()
	if n := got.Load(); n != want {
		t.Errorf("%s: got %d, want %d", what, n, want)
	}
}

func TestRefusedChangeOpensNoConnection(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, http2 bool) {
		a, _ := whole(t, http2, nil)
		for _, method := range []string{http.MethodPatch, http.MethodPut, http.MethodPost, http.MethodDelete} {
			client, checks := a.fenced(t, 1)
			_, err := call(t, client, method, a.URL)
			wantStopped(t, err)
			if !strings.HasPrefix(err.Error(), method+" "+a.URL) {
				t.Errorf("got %q, want it to name the call", err)
			}
			wantCount(t, method+": checks of the fence", checks, 1)
		}
		wantCount(t, "connections", &a.connections, 0)
	})
}

// The dial and the handshake, which may take seconds, lie between the two checks.
func TestChangeRefusedAfterTheDialIsNeverSentWhole(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, http2 bool) {
		a, complete := whole(t, http2, nil)
		client, checks := a.fenced(t, 2)
		for _, header := range []string{"", strings.Repeat("x", 8*buffer)} { // the second does not fit into the write buffer
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, a.URL, strings.NewReader(`{"server":"x"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Long", header)
			checks.Store(0)
			resp, err := client.Do(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			wantStopped(t, err)
		}
		a.Close() // waits for the handlers
		wantCount(t, "whole requests", complete, 0)
	})
}

func TestReplayPassesTheFenceAgain(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, http2 bool) {
		var a *api
		a, complete := whole(t, http2, func(_ http.ResponseWriter, r *http.Request) {
			if a.requests.Load() > 1 {
				drop(r)
				panic(http.ErrAbortHandler)
			}
		})
		client, checks := a.fenced(t, 5)
		if _, err := call(t, client, http.MethodPatch, a.URL); err != nil { // checks twice, and leaves an open connection
			t.Fatal(err)
		}
		_, err := call(t, client, http.MethodPatch, a.URL) // checks twice, and loses the connection
		wantStopped(t, err)
		wantCount(t, "checks of the fence", checks, 5)
		a.Close()
		wantCount(t, "whole requests", complete, 2)
	})
}

func TestAllowedChangeIsSentWhole(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, http2 bool) {
		a := serve(t, http2, func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength != 14 {
				t.Errorf("got a length of %d, want 14", r.ContentLength)
			}
			_, _ = io.Copy(w, r.Body)
		})
		client, checks := a.fenced(t, 0)
		got, err := call(t, client, http.MethodPut, a.URL)
		if want := `{"server":"x"}`; err != nil || got != want {
			t.Errorf("got the body %q, %v, want %q", got, err, want)
		}
		wantCount(t, "checks of the fence", checks, 2)
	})
}

func TestReadsDoNotPassTheFence(t *testing.T) {
	t.Parallel()
	a, _ := whole(t, false, nil)
	client, checks := a.fenced(t, 1)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		if _, err := call(t, client, method, a.URL); err != nil {
			t.Errorf("%s: got %v, want no error", method, err)
		}
	}
	wantCount(t, "checks of the fence", checks, 0)
}

func TestChangeWithoutABodyPassesTheFenceToo(t *testing.T) {
	t.Parallel()
	a, _ := whole(t, false, nil)
	client, checks := a.fenced(t, 1)
	for _, body := range []io.Reader{nil, http.NoBody} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, a.URL, body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		wantStopped(t, err)
	}
	wantCount(t, "checks of the fence", checks, 2)
	wantCount(t, "requests", &a.requests, 0)
}

// The fence may have to wait until it can decide, but only until the call's deadline.
func TestWaitingAtTheFenceEndsWithTheCall(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, http2 bool) {
		a, complete := whole(t, http2, nil)
		for refuse := range int64(2) {
			client, checks := a.fenced(t, 0)
			client.Transport.(*transport).opts.Before = func(ctx context.Context) error {
				if checks.Add(1) <= refuse {
					return nil
				}
				<-ctx.Done()
				return context.Cause(ctx)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			req, err := http.NewRequestWithContext(ctx, http.MethodPatch, a.URL, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
			}
		}
		a.Close()
		wantCount(t, "whole requests", complete, 0)
	})
}

func TestFenceAllocatesLittle(t *testing.T) {
	before := func(context.Context) error { return nil }
	for method, want := range map[string]float64{http.MethodGet: 0, http.MethodPatch: 3} { // the body, its GetBody, and one of the test itself
		body := io.NopCloser(strings.NewReader("{}"))
		open := func() (io.ReadCloser, error) { return body, nil }
		req := &http.Request{Method: method}
		if got := testing.AllocsPerRun(100, func() {
			req.Body, req.GetBody = body, open
			_ = fence(req, before)
		}); got > want {
			t.Errorf("%s: got %v allocations, want at most %v", method, got, want)
		}
	}
}
