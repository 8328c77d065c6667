package httpapi

import (
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync"
	"testing"
	"time"
)

// A server that closes connections which have been idle for a while, as most do.
func impatient(t *testing.T, http2 bool) (a *api, w *warmer, heads func() []string) {
	t.Helper()
	a = &api{}
	var mu sync.Mutex // guards asked
	var asked []string
	a.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.requests.Add(1)
		if r.URL.Path == "/" {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, r.URL.Path+r.Header.Get("Authorization"))
			w.WriteHeader(http.StatusNotFound)
		}
		if r.URL.Path == "/wait" {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	a.Config.IdleTimeout = 100 * time.Millisecond
	a.EnableHTTP2 = http2
	if http2 {
		a.StartTLS()
	} else {
		a.Start()
	}
	t.Cleanup(a.Close)
	a.client = clientOf(t, a.Server, a.URL)
	k := a.client.Transport.(*keeper)
	k.warm.pause = 20 * time.Millisecond
	return a, k.warm, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return asked
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

func TestAConnectionThatTheServerClosedIsOpenedAnew(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		a, warm, heads := impatient(t, http2)
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
		for deadline := time.Now().Add(10 * time.Second); a.requests.Load() < 2; time.Sleep(time.Millisecond) { // the root has been asked for
			if time.Now().After(deadline) {
				t.Fatal("nothing was asked for on the new connection")
			}
		}
		resp, err := a.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if !reused {
			t.Error("got a call on a connection of its own, want it on the one that was opened anew")
		}
		if got := heads(); len(got) != 1 || got[0] != "/" {
			t.Errorf("got %q, want one request for the root without the credential", got)
		}
	})
}

func TestAServerThatClosesAgainAndAgainIsNotPestered(t *testing.T) {
	a, warm, heads := impatient(t, false)
	if _, err := call(t, a.client, http.MethodGet, a.URL+"/v1/x"); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 0} {
		warm.opened(t, n)
	}
	time.Sleep(300 * time.Millisecond) // the next attempt would come after 20 to 40 ms
	if len(heads()) != 1 {
		t.Errorf("got %d requests for the root, want one in %v", len(heads()), warmEvery)
	}
}

func TestAClosedClientLetsConnectionsGo(t *testing.T) {
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

func TestWhileTheServerAsksToWaitNothingIsOpened(t *testing.T) {
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
