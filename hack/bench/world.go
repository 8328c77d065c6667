package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"floaty/hack/testenv"
	"floaty/providers/simulator"
)

// The files that floaty reads.
const (
	floatyYML      = "floaty.yml"
	keepalivedConf = "keepalived.conf"
)

// calm is how long the cloud must receive no request to count as quiet.
const calm = 500 * time.Millisecond

// silent discards a server's log.
var silent = log.New(io.Discard, "", 0)

// settings describe a world. The zero value of each field is its default.
type settings struct {
	exoscale  bool
	addresses int
	singles   int  // instances VI_1, VI_2 … with one address each; VI_0 has all other addresses
	servers   int  // of the account; at least 2
	minimal   bool // run the minimal program instead of floaty
	scraped   bool // once per second, beginning with the first MASTER line
	protocol  protocol
	distant   bool          // connect through the relay
	latency   time.Duration // of a call
	operation time.Duration // how long an attach or detach takes
	interval  time.Duration // 0: 1m
	bound     int           // on concurrent requests; 0: floaty's default
	open      bool          // serve metrics over TCP, too
}

// A world is a cloud, a relay that simulates the distance to it, and a host with floaty. The bench acts as the host's Keepalived.
type world struct {
	settings
	*testenv.Env
	bench  *bench
	host   *testenv.Host
	etc    string // directory
	wire   *wire
	target string // HOST:PORT of the API, as floaty sees it
	listen string // listen-address, if open
	addrs  []netip.Addr

	server *httptest.Server
	near   net.Listener   // of the relay
	work   sync.WaitGroup // of the relay

	requests atomic.Int64 // completed
	writes   atomic.Int64 // completed ones that change something
	last     atomic.Int64 // when the last request ended, in ns since 1970
}

// in creates a world in which nothing runs yet, calls f with it, and closes it.
func (b *bench) in(ctx context.Context, s settings, f func(*world) error) error {
	b.worlds++
	w := &world{settings: s, bench: b}
	dir := filepath.Join(b.dir, fmt.Sprint(b.worlds))
	// floaty's files are in a directory in which nothing else changes, like /etc on a real host, because floaty watches it and its parents.
	w.etc = dir + ".etc"
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Mkdir(w.etc, 0o700)); err != nil {
		return err
	}
	program := b.program
	if s.minimal {
		program = b.minimal
	}
	var err error
	if w.Env, err = testenv.New(ctx, dir, program, false); err != nil {
		return err
	}
	if err = w.build(ctx); err == nil {
		err = f(w)
	}
	return errors.Join(err, w.close()) //nolint:contextcheck // cleaning up must not be cancelled
}

func (w *world) build(ctx context.Context) (err error) {
	w.Cloud.SetLatency(w.latency)
	w.Cloud.SetOperationTime(w.operation)
	w.Cloud.OnCall(func(c simulator.Call) {
		w.last.Store(time.Now().UnixNano())
		w.requests.Add(1)
		if c.Method != http.MethodGet {
			w.writes.Add(1)
		}
	})
	if w.host, err = w.AddHost(ctx, "lb1"); err != nil {
		return err
	}
	others := max(w.servers-1, 1)
	for i := range others {
		w.Cloud.AddServer(other(i), fmt.Sprintf("other%d", i))
	}
	for i := range w.addresses {
		w.addrs = append(w.addrs, address(i))
		w.AddAddresses(other(i%others), address(i))
	}
	// The ends of floaty's connections to the cloud: far is the API, near the relay. floaty itself listens at the address of free.
	var listeners [3]net.Listener
	for i := range listeners {
		if listeners[i], err = new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
			return err
		}
	}
	far, near, free := listeners[0], listeners[1], listeners[2]
	w.wire, w.near = &wire{Listener: far}, near
	w.server = serve(w.wire, w.Cloud.Handler(), w.protocol, w.bench.cert)
	w.work.Go(func() { w.relay(ctx, near, far.Addr().String()) })
	w.target, w.listen = far.Addr().String(), free.Addr().String()
	if w.distant {
		w.target = near.Addr().String()
	}
	if err := free.Close(); err != nil { // another process is unlikely to take it meanwhile
		return err
	}
	return errors.Join(
		os.WriteFile(w.path(keepalivedConf), []byte(w.keepalived()), 0o600),
		os.WriteFile(w.path(floatyYML), []byte(w.floaty()), 0o600),
	)
}

func (w *world) close() error {
	err := w.Close() // first, so that floaty's connections end
	if w.server != nil {
		err = errors.Join(err, w.near.Close())
		w.server.Close()
	}
	w.work.Wait()
	return errors.Join(err, os.RemoveAll(w.Dir), os.RemoveAll(w.etc))
}

// path returns the path of one of the files that floaty reads.
func (w *world) path(name string) string { return filepath.Join(w.etc, name) }

// address returns the i-th address of the range reserved for benchmarks (RFC 2544).
func address(i int) netip.Addr {
	var bytes [4]byte
	binary.BigEndian.PutUint32(bytes[:], 198<<24|18<<16+uint32(i)+1) //nolint:gosec // a few thousand
	return netip.AddrFrom4(bytes)
}

// other returns the ID of the i-th other server.
func other(i int) string { return fmt.Sprintf("99999999-9999-4999-8999-%012d", i) }

// keepalived returns the host's keepalived.conf.
func (w *world) keepalived() string {
	var text strings.Builder
	for _, i := range w.instances() {
		fmt.Fprintf(&text, "vrrp_instance %s {\n    virtual_ipaddress {\n", i.name)
		for _, addr := range i.addrs {
			fmt.Fprintf(&text, "        %s\n", addr)
		}
		text.WriteString("    }\n}\n")
	}
	return text.String()
}

// An instance is an instance of keepalived.conf, with its addresses.
type instance struct {
	name  string
	addrs []netip.Addr
}

// instances returns the instances of keepalived.conf.
func (w *world) instances() (all []instance) {
	if w.addresses > w.singles {
		all = append(all, instance{"VI_0", w.addrs[w.singles:]})
	}
	for i := range w.singles {
		all = append(all, instance{fmt.Sprintf("VI_%d", i+1), w.addrs[i : i+1]})
	}
	return all
}

// floaty returns the host's floaty.yml.
func (w *world) floaty() string {
	var text strings.Builder
	url, h := "https://"+w.target, w.host
	if w.protocol == plain {
		url = "http://" + w.target
	}
	if w.exoscale {
		fmt.Fprintf(&text, "provider: exoscale\nexoscale: {endpoint: %q, key: %s, secret: %s, instance-id: %s}\n",
			url+"/v2", testenv.Key, testenv.Secret, h.UUID)
	} else {
		fmt.Fprintf(&text, "provider: cloudscale\ncloudscale: {endpoint: %q, token: %s, server-uuid: %s}\n", url, testenv.Token, h.UUID)
	}
	fmt.Fprintf(&text, "keepalived-config: %s\nkeepalived-pid-file: %s\nstate-dir: %s\nlock-file-template: %s\n",
		w.path(keepalivedConf), h.Path("vrrp.pid"), h.Path("state"), h.Path("%s.lock"))
	if w.interval > 0 {
		fmt.Fprintf(&text, "refresh-interval: %v\n", w.interval)
	}
	if w.bound > 0 {
		fmt.Fprintf(&text, "max-concurrent-requests: %d\n", w.bound)
	}
	if w.open {
		fmt.Fprintf(&text, "listen-address: %s\n", w.listen)
	}
	return text.String()
}

// standBy starts floaty as BACKUP and waits until it has read the cloud and makes no more calls, so its connection is warm.
func (w *world) standBy(ctx context.Context) error {
	if err := w.startDaemon(); err != nil {
		return err
	}
	err := await(ctx, "the FIFO", func() bool { return w.host.Say(w.lines("BACKUP")...) == nil })
	if err != nil {
		return err
	}
	return w.quiet(ctx)
}

func (w *world) startDaemon() error {
	return w.host.StartFloaty("--fifo", w.path(floatyYML), w.host.FIFO)
}

// lines returns the lines that Keepalived writes when all instances change to a state.
func (w *world) lines(state string) (lines []string) {
	for _, i := range w.instances() {
		lines = append(lines, event(i.name, state))
	}
	return lines
}

// event returns the line for one instance.
func event(instance, state string) string { return fmt.Sprintf("INSTANCE %q %s 100", instance, state) }

// rtt returns the round-trip time of the distance.
func (w *world) rtt() time.Duration {
	if w.distant {
		return roundTrip
	}
	return 0
}

// quiet waits until the cloud has answered a request and then received none for a while.
func (w *world) quiet(ctx context.Context) error {
	pause := calm + w.latency + w.rtt()
	return await(ctx, "the cloud to become quiet", func() bool {
		return w.requests.Load() > 0 && time.Since(time.Unix(0, w.last.Load())) >= pause &&
			!slices.ContainsFunc(w.Cloud.Calls(), func(c simulator.Call) bool { return c.Status == 0 })
	})
}

// wrote waits until floaty has made n changing requests, and then a moment longer, so that any surplus requests are counted too.
func (w *world) wrote(ctx context.Context, n int) error {
	err := await(ctx, fmt.Sprintf("%d writes", n), func() bool { return w.writes.Load() >= int64(n) })
	if err == nil {
		time.Sleep(2*w.latency + w.rtt() + 200*time.Millisecond)
	}
	return err
}

// calls returns the times of arrival of the reads and the writes since forget.
func (w *world) calls() (reads, writes []time.Time) {
	for _, call := range w.Cloud.Calls() {
		if call.Method == http.MethodGet {
			reads = append(reads, call.At)
		} else {
			writes = append(writes, call.At)
		}
	}
	return reads, writes
}

// forget resets the counts.
func (w *world) forget() {
	w.Cloud.ForgetCalls()
	w.writes.Store(0)
}

// settled returns when our server became the only holder of the last address, or an error that names an address with other holders.
func (w *world) settled() (last time.Time, err error) {
	for _, addr := range w.addrs {
		history := w.Cloud.History(addr)
		now := history[len(history)-1]
		if len(now.Holders) != 1 || now.Holders[0] != w.host.UUID {
			return last, fmt.Errorf("%s points at %q; log of floaty:\n%s", addr, now.Holders, w.host.Log())
		}
		if now.At.After(last) {
			last = now.At
		}
	}
	return last, nil
}

// await polls until a condition holds. No measured time includes its polling interval.
func await(ctx context.Context, what string, so func() bool) error {
	ctx, stop := context.WithTimeoutCause(ctx, patience, fmt.Errorf("waiting for %s: not within %v", what, patience))
	defer stop()
	for !so() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(2 * time.Millisecond):
		}
	}
	return nil
}
