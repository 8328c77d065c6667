package httpapi

import (
	"context"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"
)

func TestObserveIsCalledForEachRequestExceptCancelledOnes(t *testing.T) {
	hanging := make(chan struct{})
	a := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/503":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/dropped":
			drop(r)
		case "/hangs":
			_, _ = io.Copy(io.Discard, r.Body) // otherwise the server would not notice that the client closes the connection
			close(hanging)
			<-r.Context().Done()
		}
	})
	var observed []int
	client := New(Options{Hooks: Hooks{Observe: func(_ context.Context, status int, took time.Duration) {
		if took <= 0 {
			t.Errorf("status %d: took %v, want more than 0", status, took)
		}
		observed = append(observed, status)
	}}})
	t.Cleanup(client.CloseIdleConnections)
	for _, path := range []string{"/", "/503", "/dropped"} {
		_, _ = do(t, t.Context(), client, http.MethodPost, a.URL+path) // the result is observed below
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-hanging; cancel() }()
	if _, err := do(t, ctx, client, http.MethodPost, a.URL+"/hangs"); err == nil {
		t.Error("a cancelled call succeeded")
	}
	if want := []int{200, 503, 0}; !slices.Equal(observed, want) {
		t.Errorf("got the statuses %v, want %v", observed, want)
	}
}
