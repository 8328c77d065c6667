package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestMetadataIsFetched(t *testing.T) {
	a := serve(t, false, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("data")) })
	for range 2 {
		got, err := Metadata(t.Context(), a.URL)
		if err != nil || string(got) != "data" {
			t.Errorf("got %q, %v, want %q", got, err, "data")
		}
	}
	if got := a.connections.Load(); got != 2 {
		t.Errorf("got %d connections, want 2, because none is kept open", got)
	}
}

func TestMetadataUsesNoProxy(t *testing.T) {
	// net/http reads the environment once per process and exempts loopback from the proxy, so this test inspects the transport.
	if proxy := newTransport(nil).Proxy; proxy != nil {
		t.Error("got a proxy, want none")
	}
	if base := New(Options{Endpoint: parse(t, "https://api.example.com")}).Transport.(*transport).base; base.Proxy == nil {
		t.Error("got no proxy for the API, want that of the environment")
	}
}

func TestUnreachableMetadataIsAnError(t *testing.T) {
	a := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/missing":
			http.NotFound(w, r)
		case "/moved":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/long":
			_, _ = w.Write(make([]byte, maxOne+1))
		}
	})
	for path, want := range map[string]string{
		"/missing": "404 Not Found: 404 page not found",
		"/moved":   "302 Found: a redirect to /, which is not followed",
		"/long":    "200 OK: reading the answer: it is longer than 262144 bytes",
	} {
		want = "asking the metadata service: GET " + a.URL + path + ": " + want
		if _, err := Metadata(t.Context(), a.URL+path); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
	if _, err := Metadata(t.Context(), ":"); err == nil {
		t.Error("got no error for an invalid URL")
	}
}

func TestMetadataEndsWithItsContext(t *testing.T) {
	a := serve(t, false, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Metadata(ctx, a.URL); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

// Package grammar tests the format of UUIDs.
func TestParseUUIDIgnoresSurroundingWhiteSpace(t *testing.T) {
	const uuid = "47cec963-fcd2-482f-bdb6-24461b2d47b1"
	for _, text := range []string{uuid, " " + strings.ToUpper(uuid) + "\n"} {
		if got, err := ParseUUID(text); got != uuid || err != nil {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, uuid)
		}
	}
	for _, text := range []string{"", uuid[1:], uuid[:18] + " " + uuid[18:]} {
		want := fmt.Sprintf("parsing a UUID: %q is not of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", text)
		if got, err := ParseUUID(text); got != "" || err == nil || err.Error() != want {
			t.Errorf("%q: got %q, %v, want %s", text, got, err, want)
		}
	}
}
