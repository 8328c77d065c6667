package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// interim starts a server that writes text on the raw HTTP/1.1 connection and keeps the connection open.
func interim(t *testing.T, text string) *api {
	t.Helper()
	done := make(chan struct{})
	a := serve(t, false, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = conn.Write([]byte(text))
		<-done
		_ = conn.Close()
	})
	t.Cleanup(func() { close(done) }) // before the server's Close, which waits for its handlers
	return a
}

const (
	switching = "HTTP/1.1 101 Switching Protocols\r\n\r\n"
	upgraded  = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
	hints     = "HTTP/1.1 103 Early Hints\r\n\r\n"
	final     = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
)

// net/http treats 101 as an answer whose body is the connection itself. Reading that body would not end, even if the context ended.
func TestUnexpectedInterimAnswerFailsImmediately(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		switching:                    "unexpected interim answer 101 Switching Protocols",
		switching + final:            "unexpected interim answer 101 Switching Protocols",
		upgraded:                     "unexpected interim answer 101 Switching Protocols",
		upgraded + final:             "unexpected interim answer 101 Switching Protocols",
		hints + upgraded:             "unexpected interim answer 101 Switching Protocols",
		"HTTP/1.1 102 A\r\n\r\n":     "unexpected interim answer 102 Processing",
		"HTTP/1.1 199 A\r\n\r\n":     "unexpected interim answer 199",
		strings.Repeat(hints, 6):     "unexpected interim answer 103 Early Hints",
		strings.Repeat(hints, 9_999): "unexpected interim answer 103 Early Hints",
	} {
		a := interim(t, text)
		for _, method := range []string{http.MethodGet, http.MethodPatch, http.MethodHead} {
			start := time.Now()
			_, err := call(t, a.client, method, a.URL)
			if took := time.Since(start); err == nil || err.Error() != method+" "+a.URL+": "+want || took > 5*time.Second {
				t.Errorf("%.60q to %s: got %v after %v, want %s within 5 s", text, method, err, took, want)
			}
		}
		a.wantRequests(t, 3) // none is repeated, and none is sent on a connection that is no longer usable
	}
}

func TestAllowedInterimAnswersAreSkipped(t *testing.T) {
	t.Parallel()
	for _, text := range []string{hints, "HTTP/1.1 100 Continue\r\n\r\n" + hints, strings.Repeat(hints, 5)} {
		a := interim(t, text+final)
		if got, err := call(t, a.client, http.MethodPatch, a.URL); err != nil || got != "ok" {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, "ok")
		}
	}
}

func TestUnexpectedInterimAnswerOverHTTP2FailsImmediately(t *testing.T) {
	t.Parallel()
	a := serve(t, true, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusProcessing)
		<-r.Context().Done()
	})
	_, err := call(t, a.client, http.MethodPatch, a.URL)
	if want := "; unexpected interim answer 102 Processing"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want an error that ends in %s", err, want)
	}
}

func TestMetadataServiceThatSwitchesProtocolsIsAnError(t *testing.T) {
	t.Parallel()
	a := interim(t, upgraded)
	if _, err := Metadata(t.Context(), a.URL); err == nil || !strings.HasSuffix(err.Error(), "unexpected interim answer 101 Switching Protocols") {
		t.Errorf("got %v, want an error about the 101", err)
	}
}

func TestWarmingEndsIfTheServerSwitchesProtocols(t *testing.T) {
	t.Parallel()
	a := interim(t, upgraded)
	w := &warmer{base: a.client.Transport.(*transport).base}
	ended := make(chan struct{})
	go func() { w.ask(t.Context(), parse(t, a.URL), nil); close(ended) }()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the warmer's request has not ended after 5 s")
	}
}

func TestWaitingAfterAnInterimAnswerEndsWithTheContext(t *testing.T) {
	t.Parallel()
	a := interim(t, hints)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Metadata(ctx, a.URL); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}
