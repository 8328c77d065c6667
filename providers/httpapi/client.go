// Package httpapi is the HTTP client that all clouds share. It keeps connections warm and classifies answers.
//
//   - A call has no timeout except its context's deadline.
//   - A silent connection is detected and closed. A call on a connection that the server has dropped is made once more. When a
//     server closes the last connection, it is opened again before the next call needs it.
//   - The credential is read for each request and sent only to the endpoint's own scheme and host.
//   - A changing request is sent only if [Options.Before] allows it at that moment.
//   - Answers are streamed and bounded in size. Redirects are not followed.
//   - [Capture] keeps a call's status, Retry-After and the start of its body, which the SDKs lose. [Answer.Err] turns them into
//     the errors of package providers.
//   - [Metadata] fetches from the service that tells a server about itself.
//
// The package knows no particular cloud and no API path. It never repeats a request that was answered.
package httpapi

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	"floaty/providers/grammar"

	"golang.org/x/sys/unix"
)

const (
	// idleTimeout keeps one connection open between refreshes up to 10 minutes apart, jitter included, unless the server closes it
	// (see warmer). The further connections that a takeover of many addresses opens are closed after it.
	idleTimeout = 15 * time.Minute

	// net/http lets a dial outlive the call that asked for it. This bounds such dials, not the call.
	dialTimeout = 30 * time.Second

	// After pingEvery without data on an HTTP/2 connection, a ping is sent; without an answer within pingTimeout the connection is
	// closed. Without pings, 14 of 14 calls on a silent connection failed, for 32 s. Pings are sent between calls too: one per
	// second caused most of the wake-ups of an idle floaty (19 per second; now 4). See hack/decisions/009.
	pingEvery   = 8 * time.Second
	pingTimeout = time.Second

	// unacknowledged is how long sent data may stay without a TCP acknowledgement before the kernel closes the connection. On a
	// short path, a lost packet is retransmitted three times within it.
	unacknowledged = 2500 * time.Millisecond

	// window is how much of an answer a server may send ahead, in bytes: enough for 2,000 floating IPs in one round trip. The
	// default is 4 MB, which a list of 10,000 would occupy in memory.
	window = 1 << 20

	// buffer is the size of each buffer of an HTTP/1.1 connection, in bytes. A write or its answer takes about 300. In a takeover
	// of many addresses each address has a connection of its own.
	buffer = 1 << 10

	// maxList and maxOne bound the body of an answer, in bytes. A floating IP takes about 600 in a list, more with tags. A takeover
	// of many addresses waits for a hundred answers about single objects at once; the longest is an instance with 32 KiB of user
	// data.
	maxList = 16 << 20
	maxOne  = 256 << 10
)

// Options configures [New].
type Options struct {
	// Endpoint is the API's URL, from [ParseEndpoint]. It is required if Token is set.
	Endpoint *url.URL
	// Token returns the credential, which is sent as "Authorization: Bearer TOKEN". It is called for each request, so that a
	// new token takes effect at once. If it is nil or returns "", no header is set.
	Token func() string
	// Secrets returns what else must not appear in messages, for credentials that are not sent as a token. It is called for
	// each request. It may be nil.
	Secrets func() []string
	Hooks
	// Parallel is how many calls are made at the same time. An HTTP/1.1 server needs that many connections.
	Parallel int
}

// Hooks let the rest of floaty observe and forbid requests. A provider passes them on from its own options. Each may be nil.
type Hooks struct {
	// Before is called before each request except GET and HEAD, and again when its body is sent, on each connection that it
	// is sent on. If it returns an error, the call fails with that error and no server receives the whole request. Before
	// gets the call's context and may block until it ends.
	Before func(context.Context) error
	// Observe is called after each request, unless the request was cancelled. status is that of the answer, or 0 if there was none; took is
	// the time until the answer began. Observe gets the call's context, and must not block.
	Observe func(ctx context.Context, status int, took time.Duration)
	// Addresses returns how many addresses a takeover may have to move. That many connections, ten at most, are kept open to a server that
	// speaks only HTTP/1.1. If it is nil, one connection is kept open.
	Addresses func() int
}

// New returns a client for one API. It uses the proxy that the environment names, if any.
func New(opts Options) *http.Client {
	base := newTransport(http.ProxyFromEnvironment)
	base.MaxIdleConnsPerHost = opts.Parallel
	base.IdleConnTimeout = idleTimeout
	warm := &warmer{base: base, delay: warmPause, addresses: opts.Addresses, most: max(min(opts.Parallel, warmMost), 1)}
	if warm.addresses == nil {
		warm.addresses = func() int { return 1 }
	}
	base.DialContext = warm.watch(base.DialContext)
	return client(&transport{base: base, warm: warm, opts: opts, slot: make(chan struct{}, 1)})
}

func client(rt http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: rt,
		// A redirect would take the credential along, and might turn a changing request into a GET.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func newTransport(proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	dialer := &net.Dialer{
		Timeout: dialTimeout,
		// HTTP/1.1 has no pings. TCP keep-alive closes an idle connection that does not answer, after 20 s.
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second},
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Transport{
		Proxy:               proxy,
		DialContext:         withUserTimeout(dialer.DialContext),
		TLSHandshakeTimeout: dialTimeout,
		Protocols:           protocols,
		ReadBufferSize:      buffer,
		WriteBufferSize:     buffer,
		// StrictMaxConcurrentRequests stays off: with it, 1,000 concurrent calls got stuck.
		HTTP2: &http.HTTP2Config{SendPingTimeout: pingEvery, PingTimeout: pingTimeout, MaxReceiveBufferPerStream: window},
	}
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// withUserTimeout sets TCP_USER_TIMEOUT on new connections. While a connection is being opened, the call's deadline counts.
func withUserTimeout(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if tcp, ok := conn.(*net.TCPConn); ok {
			if raw, err := tcp.SyscallConn(); err == nil {
				_ = raw.Control(func(fd uintptr) { // if it cannot be set, pings still detect a dead connection
					_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unacknowledged.Milliseconds()))
				})
			}
		}
		return conn, err
	}
}

// ParseEndpoint parses the URL of an API (see [grammar.Endpoint]). The result's path ends in "/", so that the API's paths can be
// resolved against it. The error never repeats the input, which may hold a password.
func ParseEndpoint(endpoint string) (*url.URL, error) {
	u, err := grammar.Endpoint(endpoint)
	if err != nil {
		return nil, fmt.Errorf("parsing the endpoint: it %w", err)
	}
	return u.JoinPath("/"), nil
}

// UserAgent returns floaty's name, with its version if that is known.
func UserAgent() string {
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
		return "floaty/" + build.Main.Version
	}
	return "floaty"
}
