package serve

import (
	"bytes"
	"net"
	"net/http"
	"strings"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"floaty/providers/grammar"
)

const (
	// maxCopies is how many answers that copy the daemon's state are computed at the same time.
	maxCopies = 2
	// copyRate is how many are computed per second in the long run, copyBurst how many in a row. One for 100 addresses takes 1.5 ms of
	// CPU (BenchmarkScrape). Without this limit a flood of scrapes made takeovers 2.7 times as long. The page and --watch ask once per
	// second.
	copyRate  = 20
	copyBurst = 10
	// maxUnsent bounds the answers of one listener that wait for their readers, in bytes. The status of 10,000 addresses is 3 MB long, and 32
	// readers that take one byte per second would hold 90 MB for ten seconds.
	maxUnsent = 8 << 20
)

// handler returns the HTTP handler. allowed reports whether a request's Host header is acceptable; nil: every one is.
func (s *Server) handler(allowed func(host string) bool) http.Handler {
	mux := http.NewServeMux()
	l := limits{rate.NewLimiter(copyRate, copyBurst), semaphore.NewWeighted(maxUnsent)}
	mux.Handle("GET /metrics", s.copying(l, s.opts.Monitor.handler()))
	mux.Handle("GET /status", s.copying(l, http.HandlerFunc(s.status)))
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /{$}", s.page)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", noContent)
		h.Set("Cache-Control", "no-store")
		if allowed != nil && !allowed(r.Host) {
			http.Error(w, "unknown host name: use localhost or the address", http.StatusMisdirectedRequest)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// The limits of a listener keep its clients from slowing down the daemon.
type limits struct {
	copies *rate.Limiter
	unsent *semaphore.Weighted // bytes
}

// copying limits how many requests next answers, and answers the others with 503.
func (s *Server) copying(l limits, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := buffer{header: w.Header(), status: http.StatusOK}
		if !s.enter(l.copies) {
			busy(w)
			return
		}
		func() {
			defer func() { <-s.busy }()
			next.ServeHTTP(&answer, r)
		}()
		size := min(int64(answer.body.Len()), maxUnsent)
		if !l.unsent.TryAcquire(size) {
			busy(w)
			return
		}
		defer l.unsent.Release(size)
		w.WriteHeader(answer.status) // outside the limit of copies, so that a slow reader does not block others
		_, _ = w.Write(answer.body.Bytes())
	})
}

func busy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, "busy answering others", http.StatusServiceUnavailable)
}

// enter reports whether an answer may be computed now. If so, the caller must receive from busy afterwards.
func (s *Server) enter(copies *rate.Limiter) bool {
	if !copies.Allow() {
		return false
	}
	select {
	case s.busy <- struct{}{}:
		return true
	default:
		return false
	}
}

// A buffer is an answer that is not sent yet.
type buffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *buffer) Header() http.Header            { return b.header }
func (b *buffer) WriteHeader(status int)         { b.status = status }
func (b *buffer) Write(data []byte) (int, error) { return b.body.Write(data) }

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = s.opts.Monitor.Status().WriteJSON(w) // there is nobody else to tell
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	if err := s.opts.Alive(); err != nil {
		http.Error(w, "not healthy: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	plain(w, "ok")
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if missing := s.opts.Monitor.NotReady(); len(missing) > 0 {
		http.Error(w, "not ready: "+inert(strings.Join(missing, "; ")), http.StatusServiceUnavailable)
		return
	}
	plain(w, "ready")
}

func plain(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(text + "\n"))
}

// allowedHosts returns the check of Host headers for a listener at address; nil: none is needed. At a loopback address only names of
// this host are accepted: with any other name, a page of another site may be using the visitor's browser to reach it. A request without a
// name, as a health check over HTTP/1.0 may be, is not a browser's.
func allowedHosts(address string) func(string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil || !grammar.IsLoopback(host) {
		return nil
	}
	return func(asked string) bool {
		if name, _, err := net.SplitHostPort(asked); err == nil {
			asked = name
		}
		return asked == "" || grammar.IsLoopback(strings.Trim(asked, "[]")) || strings.EqualFold(asked, host)
	}
}
