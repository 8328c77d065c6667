// Package serve shows what the daemon knows, over HTTP: metrics, status, health, and a page.
//
// It listens on a unix socket, and on a TCP address if there is one:
//
//   - /metrics: for Prometheus;
//   - /status: [report.Status] as JSON;
//   - /: the same as a page, which requests /status every second;
//   - /healthz: 200 while the process works;
//   - /readyz: 200 while a takeover would work, else 503 and what is missing.
//
// The promises:
//
//   - It is read-only, and shows no secret.
//   - It slows nothing down. It works on copies: two at a time, and 20 per second on each listener; further requests get a 503. Each
//     listener keeps 32 connections, and closes slow ones, so that a flood of one leaves the other alone.
//   - Names from the cloud's API and keepalived.conf never come out as markup or control characters.
//   - On a loopback address it answers only requests for this host's own names, against DNS rebinding.
//   - If a listener cannot be opened, it is tried again; the daemon goes on.
//
// A [Monitor] keeps what is shown. The package does not call the cloud and decides nothing. It is the only package that imports
// Prometheus.
package serve

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/net/netutil"

	"floaty/desired/keepalived"
	"floaty/providers/failurelog"
	"floaty/providers/logkey"
)

const (
	// maxConns is how many connections each of the two listeners keeps: a flood on one of them does not affect the other.
	maxConns = 32
	// How long a client may take to send a request, to read the answer, and until the next request: a scrape every 15 s keeps its connection.
	headerTimeout = 2 * time.Second
	writeTimeout  = 10 * time.Second
	idleTimeout   = 30 * time.Second
	maxHeader     = 8 << 10 // in bytes
	// retryListening is how long to wait before a listener is tried again.
	retryListening = 10 * time.Second
)

// Options configures a server.
type Options struct {
	Socket  string // path of the unix socket; its directory is made if its parent is there; empty: none
	Address string // HOST:PORT to listen on; empty: none
	Monitor *Monitor
	Heard   func() keepalived.Stats
	Dropped func() uint64 // log lines that nobody read in time, so far
	Alive   func() error  // whether the daemon's loops work: an error names the one that hangs; it does not block
	Log     logr.Logger
}

// A Server answers requests. Create it with [New].
type Server struct {
	opts Options
	page page
	busy chan struct{} // copies that are being made
}

// New returns a server that does not listen yet. A monitor can have only one server.
func New(opts Options) *Server {
	opts.Monitor.register(newCollector(opts))
	return &Server{opts: opts, page: newPage(), busy: make(chan struct{}, maxCopies)}
}

// Run serves until ctx ends. It returns once no request is being answered any more; slow requests are cut off.
func (s *Server) Run(ctx context.Context) {
	var listeners sync.WaitGroup
	defer listeners.Wait()
	if s.opts.Socket != "" {
		listeners.Go(func() {
			s.keep(ctx, s.handler(nil), func() (net.Listener, error) { return listenUnix(ctx, s.opts.Socket) }, s.opts.Socket)
		})
	}
	if s.opts.Address != "" {
		listeners.Go(func() {
			s.keep(ctx, s.handler(allowedHosts(s.opts.Address)), func() (net.Listener, error) {
				return new(net.ListenConfig).Listen(ctx, "tcp", s.opts.Address)
			}, s.opts.Address)
		})
	}
}

// keep serves on a listener until ctx ends, and opens it again when it fails. where names the listener in log lines.
func (s *Server) keep(ctx context.Context, h http.Handler, open func() (net.Listener, error), where string) {
	var failure failurelog.Entry
	for ctx.Err() == nil {
		listener, err := open()
		if err == nil {
			if failure.Succeeded(time.Now()) {
				s.opts.Log.Info("status and metrics are served now", logkey.Listen, where)
			}
			err = s.serve(ctx, h, listener)
		}
		if ctx.Err() != nil {
			return
		}
		if failure.Failed(time.Now()) {
			s.opts.Log.Error(err, "cannot serve status and metrics here: trying again", logkey.Listen, where, logkey.Next, time.Now().Add(retryListening))
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryListening):
		}
	}
}

// serve answers requests until ctx ends.
func (s *Server) serve(ctx context.Context, h http.Handler, listener net.Listener) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       headerTimeout, // no request has a body
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          nil, // the standard logger, which is withheld: it would quote what a client sent
	}
	defer func() { _ = server.Close() }() // also the connections, if the listener failed
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	err := server.Serve(netutil.LimitListener(listener, maxConns))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
