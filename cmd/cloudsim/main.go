// Command cloudsim is a simulated cloud: the APIs of cloudscale.ch and Exoscale over one account in memory, for demos, tests
// and benchmarks.
//
// It listens on loopback unless told otherwise, says where on standard output, logs each call to an API on standard error,
// and is steered over HTTP: package simulator says how. What the flags do not say, the control API under /sim/ can add.
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
  --tls CERTFILE             speak HTTPS, with HTTP/2; the certificate is made anew and written to CERTFILE
  --token TOKEN              accept this token only; may be given several times (any is accepted)
  --exoscale-key KEY:SECRET  accept at Exoscale's API only what is signed with this; may be given several times
  --server UUID=NAME         add a server; may be given several times
  --address PREFIX[=UUID]    add an address, such as 192.0.2.1/32 or 2001:db8:500:1::/96, held by a server; may be given
                             several times
  --managed ADDRESS          give such an address a health check, at Exoscale; may be given several times
  --latency DURATION         answer after this time, such as 100ms
  --operation-time DURATION  how long it takes Exoscale to attach or detach, such as 3s
  --metadata UUID            the server that the metadata services name
  --quiet                    do not log the calls

Prints its URL once it listens. Logs one line a call to standard error. Ends with status 0 on SIGINT and SIGTERM, with 1 if
it cannot listen, with 2 on wrong usage.

cloudscale.ch's API is at URL/v1, Exoscale's at URL/v2; the metadata services are URL/openstack/latest/meta_data.json and
URL/latest/meta-data/.

  GET URL/sim/state          what points where
  POST URL/sim/move          {"address": "192.0.2.1", "servers": ["UUID"]}: somebody else moves it
  POST URL/sim/fault         {"kind": "status", "status": 503, "method": "PATCH", "for": "15s"}; the kinds are
                             status, hang, reset, broken-json, slow-body, html, lost-answer, and for Exoscale
                             operation-failure, operation-timeout, operation-pending, operation-unfinished
  DELETE URL/sim/faults      end all faults
  GET URL/sim/calls          every call so far
`

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // it cannot listen, or not write the certificate
	exitUsage  = 2
)

// grace is how long requests under way have to end when the program does. They are cut off before, so that is soon.
const grace = time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program: it lasts until ctx ends and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, _ = io.WriteString(stdout, help)
		return exitOK
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "cloudsim: %v; --help says what there is\n", err)
		return exitUsage
	}
	if err := serve(ctx, o, stdout, log.New(stderr, "", 0)); err != nil {
		_, _ = fmt.Fprintf(stderr, "cloudsim: %v\n", err)
		return exitFailed
	}
	return exitOK
}

// serve serves the cloud that o describes until ctx ends.
func serve(ctx context.Context, o options, stdout io.Writer, lines *log.Logger) error {
	cloud := o.cloud()
	if !o.quiet {
		cloud.OnCall(func(call simulator.Call) { lines.Print(line(call, time.Now())) })
	}
	server := &http.Server{
		Handler:           cloud.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          lines,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // what waits or hangs ends with the program
	}
	listener, err := new(net.ListenConfig).Listen(context.WithoutCancel(ctx), "tcp", o.listen) // a signal so early is no failure
	if err != nil {
		return fmt.Errorf("listening at --listen %s: %w", o.listen, err)
	}
	base, answer := url.URL{Scheme: "http", Host: listener.Addr().String()}, server.Serve
	if o.certFile != "" {
		if server.TLSConfig, err = secure(o.certFile, o.listen); err != nil {
			_ = listener.Close()
			return fmt.Errorf("making the certificate of --tls %s: %w", o.certFile, err)
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
		_ = server.Close() // whoever is still there is cut off
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// line says in one line what a call was, and how it ended at now.
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
