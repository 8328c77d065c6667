package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"floaty/hack/testenv"
)

// net/http logs an unsolicited response in full.
func TestUnsolicitedResponsesAreNotLogged(t *testing.T) {
	w := newEnv(t, one)
	var hungUp atomic.Int64
	api := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		w.Cloud.Handler().ServeHTTP(answer, r)
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close() //nolint:errcheck // nothing is lost
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s", answer.Code, answer.Body.Len(), answer.Body)
		time.Sleep(100 * time.Millisecond) // until the connection is idle
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nX: %s\r\n\r\n", r.Header.Get("Authorization"))
		if _, err := conn.Read(make([]byte, 1)); err != nil { // the client has hung up
			hungUp.Add(1)
		}
	}))
	t.Cleanup(api.Close)
	w.must(w.Configure("floaty.yml", w.with(w.URL, api.URL)))
	w.start("--verbose", "--json-log", "--fifo", w.Path("floaty.yml"), w.FIFO)
	w.eventually("two unsolicited responses are rejected, and the log withholds one", 5*time.Second, func() bool {
		return hungUp.Load() > 1 && w.logged("its text is withheld") > 0
	})
	for line := range strings.Lines(w.Log()) {
		if !json.Valid([]byte(line)) || strings.Contains(line, testenv.Token) {
			t.Errorf("got the line %q, want JSON without the token", line)
		}
	}
}
