package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"floaty/providers"
)

// kinds are the errors that callers distinguish, in addition to *providers.WaitError.
var kinds = []error{providers.ErrUnauthorized, providers.ErrNotFound, providers.ErrRefused}

func TestStatusDecidesTheError(t *testing.T) {
	const wait = 7 * time.Second
	for _, test := range []struct {
		status     int
		retryAfter string
		kind       error
		wait       time.Duration
	}{
		{status: 400, kind: providers.ErrRefused},
		{status: 401, kind: providers.ErrUnauthorized},
		{status: 403, kind: providers.ErrRefused},
		{status: 404, kind: providers.ErrNotFound},
		{status: 405, kind: providers.ErrRefused},
		{status: 407},
		{status: 408},
		{status: 409},
		{status: 410, kind: providers.ErrNotFound},
		{status: 422, kind: providers.ErrRefused},
		{status: 423},
		{status: 429},
		{status: 429, retryAfter: "7", wait: wait},
		{status: 429, retryAfter: "soon"},
		{status: 500},
		{status: 500, retryAfter: "7"},
		{status: 502},
		{status: 503},
		{status: 503, retryAfter: "7", wait: wait},
		{status: 503, retryAfter: "0"},
		{status: 504},
		{status: 599},
	} {
		t.Run(fmt.Sprint(test.status, test.retryAfter), func(t *testing.T) {
			a := serve(t, false, func(w http.ResponseWriter, _ *http.Request) {
				if test.retryAfter != "" {
					w.Header().Set("Retry-After", test.retryAfter)
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, `{"detail": "No, "}`)
			})
			_, err := call(t, a.client, http.MethodPatch, a.URL+"/v1/floating-ips/2001:db8::1?key=value")
			status := strings.TrimSpace(fmt.Sprint(test.status, " ", http.StatusText(test.status)))
			text := fmt.Sprintf("PATCH %s/v1/floating-ips/2001:db8::1: %s: detail: No,", a.URL, status)
			wantFailure(t, err, text, test.kind, test.wait)
		})
	}
}

// wantFailure checks an error's text, kind and wait; a wait of 0 means none.
func wantFailure(t *testing.T, err error, text string, kind error, wait time.Duration) {
	t.Helper()
	var told *providers.WaitError
	if errors.As(err, &told) {
		if told.Wait != wait {
			t.Errorf("got a wait of %v, want %v", told.Wait, wait)
		}
		err = told.Err
	} else if wait != 0 {
		t.Errorf("got no wait, want %v", wait)
	}
	if err == nil || err.Error() != text {
		t.Errorf("got  %v\nwant %s", err, text)
	}
	for _, k := range kinds {
		if got, want := errors.Is(err, k), k == kind; got != want { //nolint:errorlint // the table holds the very values
			t.Errorf("got %v %q: %v, want %v", err, k, got, want)
		}
	}
}

func TestSuccessHasNoError(t *testing.T) {
	for _, status := range []int{200, 201, 204} {
		a := serve(t, false, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		ctx, answer := Capture(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := a.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if got := answer.Status(); got != status {
			t.Errorf("got status %d, want %d", got, status)
		}
		if err := answer.Err(nil); err != nil {
			t.Errorf("%d: got %v, want no error", status, err)
		}
	}
}

func TestErrorOfAnUnusableAnswerNamesTheReason(t *testing.T) {
	a := serve(t, false, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<html><title>Please log in</title></html>")
	})
	ctx, answer := Capture(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+"/v1", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	decoding := errors.New("invalid character '<'")
	err = answer.Err(decoding)
	wantFailure(t, err, "GET "+a.URL+"/v1: 200 OK: invalid character '<': Please log in", nil, 0)
	if !errors.Is(err, decoding) {
		t.Errorf("got %v, want it to wrap %v", err, decoding)
	}
}

// endless writes until the client closes the request.
func endless(w http.ResponseWriter, r *http.Request) {
	for piece := []byte(strings.Repeat("a", 1<<20)); r.Context().Err() == nil; {
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}

func TestTooLongAnswerIsAnError(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		a := serve(t, http2, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/error" {
				w.WriteHeader(http.StatusForbidden)
			}
			endless(w, r)
		})
		said := strings.Repeat("a", maxMessage) + "…"
		_, err := call(t, a.client, http.MethodGet, a.URL)
		wantFailure(t, err, "GET "+a.URL+": 200 OK: reading the answer: it is longer than 262144 bytes: "+said, nil, 0)
		ctx, answer := CaptureList(t.Context())
		_, err = do(t, ctx, a.client, http.MethodGet, a.URL)
		wantFailure(t, answer.Err(err), "GET "+a.URL+": 200 OK: reading the answer: it is longer than 16777216 bytes: "+said, nil, 0)
		_, err = call(t, a.client, http.MethodGet, a.URL+"/error")
		wantFailure(t, err, "GET "+a.URL+"/error: 403 Forbidden: "+said, providers.ErrRefused, 0)
	})
}

// Many addresses may each have their own list, and each list may be of the maximum length.
func TestLongAnswersAreReadOneAtATime(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		a := serve(t, http2, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/long" {
				_, _ = io.WriteString(w, strings.Repeat("a", 2*maxOne))
			}
			_, _ = io.WriteString(w, "the end")
		})
		open := func(ctx context.Context, path string) io.ReadCloser {
			ctx, _ = CaptureList(ctx)
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := a.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = resp.Body.Close() })
			return resp.Body
		}
		first := open(t.Context(), "/long")
		if _, err := io.CopyN(io.Discard, first, maxOne+1); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if n, err := io.Copy(io.Discard, open(ctx, "/long")); !errors.Is(err, context.DeadlineExceeded) || n > maxOne+maxError {
			t.Errorf("got %d bytes and %v while another long answer is read, want %v before the rest is read", n, err, context.DeadlineExceeded)
		}
		if text, err := io.ReadAll(open(t.Context(), "/short")); err != nil || string(text) != "the end" {
			t.Errorf("got %q, %v for a short answer, want it without a wait", text, err)
		}
		next := open(t.Context(), "/long")
		waited := make(chan error)
		go func() {
			_, err := io.Copy(io.Discard, next)
			waited <- err
		}()
		if err := first.Close(); err != nil {
			t.Error(err)
		}
		if err := <-waited; err != nil {
			t.Errorf("got %v for the next long answer, want no error", err)
		}
	})
}

// A hundred concurrent writes must not keep a hundred long answers in memory.
func TestOnlyTheStartOfAnAnswerToAChangeIsRead(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		ended := make(chan struct{}, 2)
		a := serve(t, http2, func(w http.ResponseWriter, r *http.Request) {
			endless(w, r)
			ended <- struct{}{}
		})
		for range cap(ended) {
			got, err := call(t, a.client, http.MethodPatch, a.URL)
			if err != nil || got != strings.Repeat("a", maxError) {
				t.Errorf("got %d bytes and %v, want %d and no error: the status decides", len(got), err, maxError)
			}
			select {
			case <-ended:
			case <-time.After(5 * time.Second):
				t.Error("the server could send the whole answer, want it cut off")
			}
		}
	})
}

// The error page is longer than the part that is read, and it never ends.
func TestLongErrorBodyIsNotReadToItsEnd(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		a := serve(t, http2, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, strings.Repeat("a", maxError+100))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		for _, method := range []string{http.MethodGet, http.MethodPatch} {
			began := time.Now()
			_, err := call(t, a.client, method, a.URL)
			if took := time.Since(began); took > 5*time.Second || err == nil || !strings.Contains(err.Error(), "502 Bad Gateway: aaa") {
				t.Errorf("%s: got %v after %v, want the status within 5 s", method, err, took)
			}
		}
	})
}

func TestErrorOfAStalledAnswerWrapsTheCause(t *testing.T) {
	a := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "{")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	cause := errors.New("no answer in time")
	ctx, answer := Capture(t.Context())
	ctx, cancel := context.WithTimeoutCause(ctx, 50*time.Millisecond, cause)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch, a.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := a.client.Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	if err = answer.Err(err); !errors.Is(err, cause) {
		t.Errorf("got %v, want it to wrap %v", err, cause)
	}
}

func TestTruncatedAnswerIsAnError(t *testing.T) {
	a := serve(t, false, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "[{")
	})
	_, err := call(t, a.client, http.MethodGet, a.URL)
	wantFailure(t, err, "GET "+a.URL+": 200 OK: reading the answer: unexpected EOF: [{", nil, 0)
}

func TestErrorStatusCountsEvenWithATruncatedBody(t *testing.T) {
	a := serve(t, false, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "Inval")
	})
	_, err := call(t, a.client, http.MethodGet, a.URL)
	wantFailure(t, err, "GET "+a.URL+": 401 Unauthorized: Inval", providers.ErrUnauthorized, 0)
}

func TestMissingAnswerIsAnError(t *testing.T) {
	a := serve(t, false, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, err := call(t, a.client, http.MethodPatch, a.URL)
	wantFailure(t, err, "PATCH "+a.URL+": EOF", nil, 0)
	if !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want it to wrap %v", err, io.EOF)
	}
}
