// Command cloudsim is a simulated cloud for demos, tests and benchmarks. It serves the APIs of cloudscale.ch and
// Exoscale for one account, which it keeps in memory.
//
// It listens on loopback by default, prints its URL to standard output and logs each API call to standard error. It
// is controlled over HTTP, as described in package simulator: the control API under /sim/ can do more than the flags.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"floaty/providers/simulator"
)

const help = `cloudsim simulates the APIs of cloudscale.ch and Exoscale, for floaty to play with.

usage: cloudsim [flags]

  --listen HOST:PORT         where to listen (127.0.0.1:8080); port 0 takes a free one
  --tls CERTFILE             serve HTTPS, with HTTP/2; a new certificate is written to CERTFILE
  --token TOKEN              accept this token only; may be repeated
  --exoscale-key KEY:SECRET  accept only requests signed with this at Exoscale's API; may be repeated
  --server UUID=NAME         add a server; may be repeated
  --address PREFIX[=UUID]    add an address, such as 192.0.2.1/32 or 2001:db8:500:1::/96, held by a server; may be
                             repeated
  --managed ADDRESS          give such an address a health check, at Exoscale; may be repeated
  --latency DURATION         answer each call after this time, such as 100ms
  --operation-time DURATION  how long Exoscale takes to attach or detach, such as 3s
  --metadata UUID            the server for which the metadata services answer
  --quiet                    do not log the calls

It prints its URL once it listens, and logs one line per call to standard error. It exits with status 0 on SIGINT and
SIGTERM, with 1 if it cannot listen, and with 2 on a usage error.

cloudscale.ch's API is at URL/v1, Exoscale's at URL/v2; the metadata services are URL/openstack/latest/meta_data.json and
URL/latest/meta-data/.

  GET URL/sim/state          servers, addresses and their holders
  POST URL/sim/move          {"address": "192.0.2.1", "servers": ["UUID"]}: move it, like another host
  POST URL/sim/fault         {"kind": "status", "status": 503, "method": "PATCH", "for": "15s"}; the kinds are
                             status, hang, reset, broken-json, slow-body, html, lost-answer, and for Exoscale
                             operation-failure, operation-timeout, operation-pending, operation-unfinished
  DELETE URL/sim/faults      end all faults
  GET URL/sim/calls          every call so far
`

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // cannot listen, or cannot write the certificate
	exitUsage  = 2
)

// grace is how long requests in progress may take to end when the program ends. They are cancelled first, so this is short.
const grace = time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program: it runs until ctx ends and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, _ = io.WriteString(stdout, help)
		return exitOK
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "cloudsim: %v; see --help\n", err)
		return exitUsage
	}
	if err := serve(ctx, o, stdout, log.New(stderr, "", 0)); err != nil {
		_, _ = fmt.Fprintf(stderr, "cloudsim: %v\n", err)
		return exitFailed
	}
	return exitOK
}

// serve serves the cloud described by o until ctx ends.
func serve(ctx context.Context, o options, stdout io.Writer, lines *log.Logger) error {
	cloud := o.cloud()
	if !o.quiet {
		cloud.OnCall(func(call simulator.Call) { lines.Print(line(call, time.Now())) })
	}
	server := &http.Server{
		Handler:           cloud.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          lines,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // requests that wait or hang are cancelled at the end
	}
	listener, err := new(net.ListenConfig).Listen(context.WithoutCancel(ctx), "tcp", o.listen) // a signal this early is not a failure
	if err != nil {
		return fmt.Errorf("listening on --listen %s: %w", o.listen, err)
	}
	base, answer := url.URL{Scheme: "http", Host: listener.Addr().String()}, server.Serve
	if o.certFile != "" {
		if server.TLSConfig, err = newTLSConfig(o.certFile, o.listen); err != nil {
			_ = listener.Close()
			return fmt.Errorf("creating the certificate of --tls %s: %w", o.certFile, err)
		}
		base.Scheme, answer = "https", func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	_, _ = fmt.Fprintln(stdout, base.String())

	ended := make(chan error, 1)
	go func() { ended <- answer(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if server.Shutdown(limit) != nil {
		_ = server.Close() // closes the remaining connections
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// line describes a call, which ended at now, in one line.
func line(call simulator.Call, now time.Time) string {
	path := url.URL{Path: call.Path, RawQuery: call.Query}
	text := fmt.Sprintf("%s %s %s", call.At.Format("15:04:05.000"), call.Method, path.RequestURI())
	if call.Server != "" {
		text += fmt.Sprintf(" server=%q", call.Server)
	}
	if call.Status == 0 {
		text += " no answer"
	} else {
		text += fmt.Sprintf(" status=%d", call.Status)
	}
	return fmt.Sprintf("%s took=%v from=%s", text, now.Sub(call.At).Round(100*time.Microsecond), call.Remote)
}
