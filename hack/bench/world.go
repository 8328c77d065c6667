package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"floaty/hack/testenv"
	"floaty/providers/simulator"
)

// patience is how long the bench waits for anything before it gives up.
const patience = time.Minute

// The files that floaty reads.
const (
	floatyYML      = "floaty.yml"
	keepalivedConf = "keepalived.conf"
)

// settings describes a world. The zero value of each field is the default.
type settings struct {
	exoscale  bool
	addresses int
	singles   int // instances VI_1, VI_2 … with one address each; VI_0 has all other addresses
	servers   int // of the account; at least 2
	ours      bool
	minimal   bool // run the minimal program instead of floaty
	stamps    bool // the kernel timestamps the arrival of requests
	protocol  protocol
	rtt       time.Duration // of the simulated distance; 0: none
	latency   time.Duration // of a call
	operation time.Duration // how long an attach or detach takes
	interval  time.Duration // 0: 1m
	bound     int           // on concurrent requests; 0: floaty's default
}

// A world is a cloud, the line to it, and a host with floaty. The bench acts as its Keepalived.
type world struct {
	settings
	*testenv.Env
	host   *testenv.Host
	etc    string // directory
	server *server
	line   *line // nil: none
	addrs  []netip.Addr
	fifo   int // for writing; -1: not open

	requests atomic.Int64 // completed
	writes   atomic.Int64 // completed ones that change something
	last     atomic.Int64 // when the last request ended, in ns since 1970
}

// newWorld creates a world in which nothing runs yet.
func (b *bench) newWorld(ctx context.Context, s settings) (*world, error) {
	b.worlds++
	dir := filepath.Join(b.dir, fmt.Sprint(b.worlds))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	program := b.program
	if s.minimal {
		program = b.minimal
	}
	st, err := testenv.New(ctx, dir, program, false)
	if err != nil {
		return nil, err
	}
	w := &world{settings: s, Env: st, fifo: -1}
	if err := w.build(ctx, b.cert); err != nil {
		return nil, errors.Join(err, w.close()) //nolint:contextcheck // cleaning up must not be cancelled
	}
	return w, nil
}

// in creates a world, calls f with it, and closes it.
func (b *bench) in(ctx context.Context, s settings, f func(*world) error) error {
	w, err := b.newWorld(ctx, s)
	if err != nil {
		return err
	}
	return errors.Join(f(w), w.close()) //nolint:contextcheck // cleaning up must not be cancelled
}

func (w *world) build(ctx context.Context, cert certificate) (err error) {
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
	for i := range max(w.servers-1, 1) {
		w.Cloud.AddServer(other(i), fmt.Sprintf("other%d", i))
	}
	for i := range w.addresses {
		w.addrs = append(w.addrs, address(i))
	}
	w.restore()
	if w.server, err = serve(ctx, w.Cloud.Handler(), w.protocol, w.stamps, cert); err != nil {
		return err
	}
	target := w.server.wire.Addr().String()
	if w.rtt > 0 {
		if w.line, err = newLine(ctx, target, w.rtt); err != nil {
			return err
		}
		target = w.line.listener.Addr().String()
	}
	// In a directory in which nothing else changes, like /etc on a real host, because floaty watches it and its parents.
	w.etc = w.Dir + ".etc"
	if err := os.Mkdir(w.etc, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(w.path(keepalivedConf), []byte(w.keepalived()), 0o600); err != nil {
		return err
	}
	return os.WriteFile(w.path(floatyYML), []byte(w.floaty(target)), 0o600)
}

// path returns the path of one of the files that floaty reads.
func (w *world) path(name string) string { return filepath.Join(w.etc, name) }

// restore points the addresses at the servers that hold them at the start.
func (w *world) restore() {
	for i, addr := range w.addrs {
		holder := other(i % max(w.servers-1, 1))
		if w.ours {
			holder = w.host.UUID
		}
		w.AddAddresses(holder, addr)
	}
}

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
	instance := func(name string, addrs []netip.Addr) {
		fmt.Fprintf(&text, "vrrp_instance %s {\n    virtual_ipaddress {\n", name)
		for _, addr := range addrs {
			fmt.Fprintf(&text, "        %s\n", addr)
		}
		text.WriteString("    }\n}\n")
	}
	for i := range w.singles {
		instance(fmt.Sprintf("VI_%d", i+1), w.addrs[i:i+1])
	}
	if w.addresses > w.singles {
		instance("VI_0", w.addrs[w.singles:])
	}
	return text.String()
}

// floaty returns the host's floaty.yml.
func (w *world) floaty(target string) string {
	var text strings.Builder
	scheme, h := "https", w.host
	if w.protocol == plain {
		scheme = "http"
	}
	if w.exoscale {
		fmt.Fprintf(&text, "provider: exoscale\nexoscale: {endpoint: %q, key: %s, secret: %s, instance-id: %s}\n",
			scheme+"://"+target+"/v2", testenv.Key, testenv.Secret, h.UUID)
	} else {
		fmt.Fprintf(&text, "provider: cloudscale\ncloudscale: {endpoint: %q, token: %s, server-uuid: %s}\n",
			scheme+"://"+target, testenv.Token, h.UUID)
	}
	fmt.Fprintf(&text, "keepalived-config: %s\nkeepalived-pid-file: %s\nstate-dir: %s\nlock-file-template: %s\n",
		w.path(keepalivedConf), h.Path("vrrp.pid"), h.Path("state"), h.Path("%s.lock"))
	if w.interval > 0 {
		fmt.Fprintf(&text, "refresh-interval: %v\n", w.interval)
	}
	if w.bound > 0 {
		fmt.Fprintf(&text, "max-concurrent-requests: %d\n", w.bound)
	}
	return text.String()
}

func (w *world) close() error {
	var errs []error
	if w.fifo >= 0 {
		errs = append(errs, unix.Close(w.fifo))
	}
	errs = append(errs, w.Close())
	if w.line != nil {
		errs = append(errs, w.line.close())
	}
	if w.server != nil {
		errs = append(errs, w.server.close())
	}
	return errors.Join(append(errs, os.RemoveAll(w.Dir), os.RemoveAll(w.etc))...)
}
