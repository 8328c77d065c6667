package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestCredentialIsReadForEachRequest(t *testing.T) {
	var got []string
	a := serve(t, false, func(_ http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
	})
	now := "first"
	client := New(Options{Endpoint: parse(t, a.URL), Token: func() string { return now }})
	defer client.CloseIdleConnections()
	for _, token := range []string{"first", "second", ""} {
		now = token
		if _, err := call(t, client, http.MethodGet, a.URL); err != nil {
			t.Fatal(err)
		}
	}
	if want := "Bearer first,Bearer second,"; strings.Join(got, ",") != want {
		t.Errorf("got credentials %q, want %q", got, want)
	}
}

func TestCredentialIsSentOnlyToTheEndpoint(t *testing.T) {
	stranger := serve(t, false, func(_ http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "" {
			t.Errorf("got credential %q, want none", got)
		}
	})
	a := serve(t, false, func(http.ResponseWriter, *http.Request) {})
	if _, err := call(t, a.client, http.MethodGet, stranger.URL); err != nil {
		t.Fatal(err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		stranger := serve(t, false, func(http.ResponseWriter, *http.Request) {})
		a := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, stranger.URL+"/login?token="+token, status)
		})
		for _, method := range []string{http.MethodGet, http.MethodPatch} {
			_, err := call(t, a.client, method, a.URL+"/v1")
			if err == nil || !strings.Contains(err.Error(), "a redirect to "+stranger.URL+"/login, which is not followed") {
				t.Errorf("%s, %d: got %v, want an error that names %s/login", method, status, err, stranger.URL)
			}
		}
		if got := stranger.requests.Load(); got != 0 {
			t.Errorf("got %d requests at the redirect's target, want none", got)
		}
	}
}

func TestOneConnectionServesManyCalls(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		a := serve(t, http2, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("[]\n"))
			_ = http.NewResponseController(w).Flush() // no Content-Length, as for a long list
		})
		for range 20 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := a.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close() // without reading to the end, like a JSON decoder that has a complete value
		}
		if got := a.connections.Load(); got != 1 {
			t.Errorf("got %d connections, want 1", got)
		}
	})
}

func TestConnectionsOfConcurrentCallsStayOpen(t *testing.T) {
	const parallel = 10
	var round sync.WaitGroup
	a := serve(t, false, func(http.ResponseWriter, *http.Request) {
		round.Done()
		round.Wait() // until all requests of this round have arrived
	})
	for range 3 {
		round.Add(parallel)
		var calls sync.WaitGroup
		for range parallel {
			calls.Go(func() {
				if _, err := call(t, a.client, http.MethodPatch, a.URL); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
	}
	if got := a.connections.Load(); got != parallel {
		t.Errorf("got %d connections for rounds of %d calls, want %d", got, parallel, parallel)
	}
}

func TestPatchSurvivesADroppedConnection(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		a := serve(t, http2, func(w http.ResponseWriter, r *http.Request) {
			for key := range r.Header {
				if strings.Contains(key, "Idempotency") {
					t.Errorf("got header %s, want no such header", key)
				}
			}
			w.WriteHeader(http.StatusNoContent)
		})
		calls, failures := 300, 0
		if http2 {
			calls = 40 // each needs a TLS handshake
		}
		for range calls {
			if _, err := call(t, a.client, http.MethodPatch, a.URL); err != nil {
				failures++
				t.Log(err)
			}
			a.CloseClientConnections()
		}
		if failures != 0 {
			t.Errorf("got %d failures of %d calls, want none", failures, calls)
		}
		if got := int(a.requests.Load()); got != calls {
			t.Errorf("got %d requests, want %d", got, calls)
		}
	})
}

func TestCallEndsWithItsContext(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		a := serve(t, http2, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, answer := Capture(t.Context())
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := a.client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		err = answer.Err(err)
		if want := "GET " + a.URL + ": context deadline exceeded"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want it to wrap %v", err, context.DeadlineExceeded)
		}
	})
}

func TestParseEndpoint(t *testing.T) {
	for endpoint, want := range map[string]string{
		"https://api.example.com":         "https://api.example.com/",
		"https://api.example.com/":        "https://api.example.com/",
		"http://[::1]:8080/base":          "http://[::1]:8080/base/",
		"https://user:" + token + "@host": "",
		"https://host/?token=" + token:    "",
		"https://host/#" + token:          "",
		"https://" + token + "\x00":       "",
		"ftp://host/":                     "",
		"https:///v1":                     "",
		"https://:443/":                   "",
		"":                                "",
	} {
		u, err := ParseEndpoint(endpoint)
		if got := ""; err == nil {
			if got = u.String(); got != want {
				t.Errorf("%q: got %q, want %q", endpoint, got, want)
			}
		} else if want != "" || strings.Contains(err.Error(), token) {
			t.Errorf("%q: got error %q, want %q", endpoint, err, want)
		}
	}
}

func TestCallWithoutCaptureWorks(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	client := clientOf(t, server, server.URL)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}
