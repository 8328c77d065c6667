package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// warm starts a server and makes one call, so that the next request, which then handles, reuses the connection.
func warm(t *testing.T, http2 bool, then http.HandlerFunc) *api {
	t.Helper()
	var a *api
	a = serve(t, http2, func(w http.ResponseWriter, r *http.Request) {
		if a.requests.Load() > 1 {
			then(w, r)
		}
	})
	if _, err := call(t, a.client, http.MethodPatch, a.URL); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *api) wantRequests(t *testing.T, want int64) {
	t.Helper()
	if got := a.requests.Load(); got != want {
		t.Errorf("got %d requests, want %d", got, want)
	}
}

func TestRequestIsRepeatedIfItsConnectionIsGone(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, http2 bool) {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPatch} {
			var a *api
			a = warm(t, http2, func(w http.ResponseWriter, r *http.Request) {
				if a.requests.Load() == 2 {
					drop(r)
					panic(http.ErrAbortHandler)
				}
				_, _ = io.Copy(w, r.Body)
			})
			got, err := call(t, a.client, method, a.URL)
			if want := `{"server":"x"}`; err != nil || got != want {
				t.Errorf("%s: got the body %q back, %v, want %q", method, got, err, want)
			}
			a.wantRequests(t, 3) // the one that opened the connection, the lost one, and its repetition
		}
	})
}

func TestRequestIsRepeatedOnlyOnce(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, http2 bool) {
		a := warm(t, http2, func(_ http.ResponseWriter, r *http.Request) {
			drop(r)
			panic(http.ErrAbortHandler)
		})
		if _, err := call(t, a.client, http.MethodPatch, a.URL); err == nil {
			t.Error("got no error from a server that drops every connection, want one")
		}
		a.wantRequests(t, 3)
	})
}

func TestRequestOnANewConnectionIsNotRepeated(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, http2 bool) {
		a := serve(t, http2, func(_ http.ResponseWriter, r *http.Request) {
			drop(r)
			panic(http.ErrAbortHandler)
		})
		if _, err := call(t, a.client, http.MethodPatch, a.URL); err == nil {
			t.Error("got no error from a server that drops every connection, want one")
		}
		a.wantRequests(t, 1)
	})
}

func TestAnsweredRequestIsNotRepeated(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, http2 bool) {
		for _, test := range []struct {
			status int
			want   string // in the error
		}{
			{200, "200 OK: reading the answer: "}, // because the body is cut off
			{409, "409 Conflict"},
			{500, "500 Internal Server Error"},
			{503, "503 Service Unavailable"},
		} {
			a := warm(t, http2, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "100")
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, "Sor") // with HTTP/2, data that was not yet read is lost
				_ = http.NewResponseController(w).Flush()
				drop(r)
				panic(http.ErrAbortHandler)
			})
			_, err := call(t, a.client, http.MethodPatch, a.URL)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%d: got %v, want an error with %q", test.status, err, test.want)
			}
			a.wantRequests(t, 2)
		}
	})
}

func TestCancelledRequestIsNotRepeated(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, http2 bool) {
		ctx, cancel := context.WithCancel(t.Context())
		a := warm(t, http2, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			drop(r)
			panic(http.ErrAbortHandler)
		})
		req, err := http.NewRequestWithContext(ctx, http.MethodPatch, a.URL, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := a.client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		a.wantRequests(t, 2)
	})
}

// A repeated POST could create something twice.
func TestPostIsNotRepeated(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, http2 bool) {
		a := warm(t, http2, func(_ http.ResponseWriter, r *http.Request) {
			drop(r)
			panic(http.ErrAbortHandler)
		})
		if _, err := call(t, a.client, http.MethodPost, a.URL); err == nil {
			t.Error("got no error for a dropped connection, want one")
		}
		a.wantRequests(t, 2)
	})
}

// The server accepted the request and then reset its stream while the connection stayed open, so the connection was not the cause.
func TestRequestResetByTheServerIsNotRepeated(t *testing.T) {
	t.Parallel()
	a := warm(t, true, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if _, err := call(t, a.client, http.MethodPatch, a.URL); err == nil {
		t.Error("got no error for a stream that was reset, want one")
	}
	a.wantRequests(t, 2)
	if got := a.connections.Load(); got != 1 {
		t.Errorf("got %d connections, want 1", got)
	}
}
