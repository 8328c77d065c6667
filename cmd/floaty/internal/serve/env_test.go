package serve

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"

	"floaty/controller"
	"floaty/desired"
	"floaty/desired/keepalived"
	"floaty/desired/keepalived/conf"
)

const here = "11111111-1111-4111-8111-111111111111"

var one = netip.MustParseAddr("198.51.100.1")

// An engine returns the statuses that it consists of.
type engine []controller.Status

func (e engine) Statuses() []controller.Status { return e }
func (e engine) Retry() time.Time              { return time.Time{} }

// newMonitor returns the monitor of a host that is MASTER of these instances, each of which wants one address. Its engine returns known.
func newMonitor(t testing.TB, known engine, instances ...string) *Monitor {
	t.Helper()
	state := new(desired.State)
	var read conf.Config
	states := map[string]keepalived.Status{}
	for i, name := range instances {
		addr := netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i + 1)}), 32)
		read.Instances = append(read.Instances, conf.Instance{Name: name, Addresses: []netip.Prefix{addr}})
		states[name] = keepalived.Status{State: keepalived.Master, Since: time.Now()}
	}
	state.SetServer(here)
	state.SetSettings(desired.Settings{Keepalived: &read})
	state.SetKeepalived(states)
	m := NewMonitor(MonitorOptions{
		Desired: state, HostName: func() string { return "lb1" }, ServerName: func(string) string { return "" }, Log: logr.Discard(), Engine: func() Engine { return known },
	})
	m.Loaded("cloudscale", "")
	m.SetKeepalived(keepalived.Snapshot{Instances: states, Connected: true})
	m.readEnded(time.Now(), nil)
	return m
}

// A running server takes requests at its socket and, if it has one, at its address.
type running struct {
	*testing.T
	socket  string
	address string
}

// start runs a server until the end of the test.
func start(t *testing.T, m *Monitor, edit func(*Options)) running {
	t.Helper()
	opts := Options{
		Socket: filepath.Join(t.TempDir(), "state", "s.sock"), Monitor: m, Alive: func() error { return nil },
		Heard: func() keepalived.Stats { return keepalived.Stats{} }, Dropped: func() uint64 { return 0 },
		Log: funcr.New(func(_, line string) { t.Log(line) }, funcr.Options{}),
	}
	if edit != nil {
		edit(&opts)
	}
	s := New(opts)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	r := running{t, opts.Socket, opts.Address}
	network, where := "unix", opts.Socket
	if opts.Address != "" {
		network, where = "tcp", opts.Address
	}
	eventually(t, "the server listens", func() bool {
		conn, err := net.Dial(network, where)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return r
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// get makes a request over the socket, or at the address if there is one.
func (r running) get(path, host string) (status int, header http.Header, body string) {
	r.Helper()
	network, where := "unix", r.socket
	if r.address != "" {
		network, where = "tcp", r.address
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, where)
	}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://"+host+path, nil)
	if err != nil {
		r.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// freeAddress returns an address of this host that no process listens on.
func freeAddress(t *testing.T, host string) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
