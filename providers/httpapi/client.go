// Package httpapi is the HTTP client that the clouds share: one that stays warm, hides nothing and lets no secret out.
//
//   - A call lasts as long as its context lets it; the client has no timeout of its own.
//   - A connection that went silent is noticed, one that the server has dropped costs no call, and when the last one was
//     closed it is opened anew.
//   - The credential is read anew for each request and goes to the endpoint's own scheme and host only.
//   - A changing request is sent only if [Options.Before] allows it at that moment.
//   - An answer is handed on as it comes, within a bound. No redirect is followed.
//   - [Capture] keeps what a call was answered, which the SDKs lose, and [Answer.Err] makes the errors of package
//     providers of it.
//   - [Metadata] asks the service that tells a server about itself.
//
// It knows no cloud and no path, and it retries nothing that was answered.
package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// A connection stays warm from one refresh to the next, as far as it is up to us (see warmer). Refresh intervals of up to 10
	// minutes, with their jitter, keep at least the one connection in use; those of a takeover of many addresses are given back
	// after it.
	idleTimeout = 15 * time.Minute

	// net/http lets a dial outlive the call that wanted it, so these bound what is left behind, not the call.
	dialTimeout = 30 * time.Second

	// An HTTP/2 connection that receives nothing for pingEvery is asked for a sign of life, and closed when none comes within
	// pingTimeout. Without this, 14 of 14 calls on a connection that went silent failed, for 32 s. The pings never rest, not
	// even between calls: each second, they were most of what an idle floaty did (19 wake-ups a second; now 4).
	pingEvery   = 8 * time.Second
	pingTimeout = time.Second

	// A request that no packet acknowledges for this long has been sent into the void: the kernel closes the connection. A lost
	// packet is sent again three times before that, over a short way.
	unacknowledged = 2500 * time.Millisecond

	// How much of an answer a server may send ahead, in bytes: 2,000 floating IPs come in one trip. By default it is 4 MB, which
	// a list of 10,000 takes as memory.
	window = 1 << 20

	// What an HTTP/1.1 connection buffers, each way, in bytes: a write and its acknowledgement take some 300. At a takeover of many
	// addresses each has a connection of its own.
	buffer = 1 << 10

	// How long an answer may be, in bytes: a floating IP takes about 600 in a list, more with tags. Of the answers about one
	// thing a takeover of many addresses waits for a hundred side by side; an instance with 32 KiB of user data is the longest.
	maxList = 16 << 20
	maxOne  = 256 << 10
)

// Options says which API is called, and how.
type Options struct {
	// Endpoint is where the API is, from [ParseEndpoint]; needed with Token.
	Endpoint *url.URL
	// Token returns the credential, sent as "Authorization: Bearer TOKEN". It is asked for each request, so that a new one
	// counts at once. Nil or empty: requests stay as they are.
	Token func() string
	// Secrets returns what else must be in no message, where the credential is sent in another way than as a token. It is
	// asked for each request. It may be nil.
	Secrets func() []string
	// Before is asked before each request but GET and HEAD is sent, and again when its body is, on each connection that it is
	// sent on: its error ends the call, and no server gets the whole request. It gets the call's context, and may block as
	// long as that lasts. It may be nil.
	Before func(context.Context) error
	// Addresses returns how many addresses a takeover may have to move: as many connections, ten at most, are kept open to a
	// server that speaks HTTP/1.1 only. Nil: one is.
	Addresses func() int
	// Parallel is how many calls are made side by side. An HTTP/1.1 server needs as many connections.
	Parallel int
}

// New returns the client of one API. It uses a proxy if the environment names one.
func New(opts Options) *http.Client {
	base := transport(http.ProxyFromEnvironment)
	base.MaxIdleConnsPerHost = opts.Parallel
	base.IdleConnTimeout = idleTimeout
	warm := &warmer{base: base, pause: warmPause, addresses: opts.Addresses, most: max(min(opts.Parallel, warmMost), 1)}
	if warm.addresses == nil {
		warm.addresses = func() int { return 1 }
	}
	base.DialContext = warm.watch(base.DialContext)
	return client(&keeper{
		base: base, warm: warm, endpoint: opts.Endpoint, token: opts.Token, secrets: opts.Secrets, before: opts.Before,
		long: make(chan struct{}, 1),
	})
}

func client(rt http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: rt,
		// The credential would travel along, and a changing request might become a GET.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func transport(proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	dialer := &net.Dialer{
		Timeout: dialTimeout,
		// HTTP/1.1 has no pings: the kernel asks, and closes an idle connection that did not answer, after 20 s.
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second},
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Transport{
		Proxy:               proxy,
		DialContext:         givingUp(dialer.DialContext),
		TLSHandshakeTimeout: dialTimeout,
		Protocols:           protocols,
		ReadBufferSize:      buffer,
		WriteBufferSize:     buffer,
		// StrictMaxConcurrentRequests is left off: with it, 1,000 calls side by side got stuck.
		HTTP2: &http.HTTP2Config{SendPingTimeout: pingEvery, PingTimeout: pingTimeout, MaxReceiveBufferPerStream: window},
	}
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// givingUp has the kernel give up a connection that is open; until it is, the call's patience counts.
func givingUp(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if tcp, ok := conn.(*net.TCPConn); ok {
			if raw, err := tcp.SyscallConn(); err == nil {
				_ = raw.Control(func(fd uintptr) { // where that cannot be had, the pings remain
					_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unacknowledged.Milliseconds()))
				})
			}
		}
		return conn, err
	}
}

// ParseEndpoint returns the URL of an API: http or https, a host, and at most a port and a path. Its path ends in "/", so
// that the API's paths can be resolved against it. The error does not repeat what may hold a password.
func ParseEndpoint(endpoint string) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, errors.New("parsing the endpoint: it is not a URL")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, errors.New("parsing the endpoint: want http or https and a host, such as https://api.example.com")
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, fmt.Errorf("parsing the endpoint at %s: user, query and fragment are not supported", u.Host)
	}
	return u.JoinPath("/"), nil
}

// UserAgent is what floaty calls itself, with its version if that is known.
func UserAgent() string {
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
		return "floaty/" + build.Main.Version
	}
	return "floaty"
}
