package httpapi

import (
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A relay forwards bytes between clients and a server until it is silenced.
type relay struct {
	net.Listener
	server string

	mu    sync.Mutex
	conns []*muted
}

// A muted connection discards all writes once it is silent, as if every packet were lost.
type muted struct {
	net.Conn
	mu     sync.Mutex
	silent bool
}

func (m *muted) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.silent {
		return len(b), nil
	}
	return m.Conn.Write(b)
}

func newRelay(t *testing.T, server string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: l, server: server}
	go r.run()
	t.Cleanup(func() {
		_ = l.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, c := range r.conns {
			_ = c.Close()
		}
	})
	return r
}

func (r *relay) run() {
	for {
		near, err := r.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", r.server)
		if err != nil {
			_ = near.Close()
			continue
		}
		r.pass(near, far)
	}
}

func (r *relay) pass(near, far net.Conn) {
	a, b := &muted{Conn: near}, &muted{Conn: far}
	r.mu.Lock()
	r.conns = append(r.conns, a, b)
	r.mu.Unlock()
	go func() { _, _ = io.Copy(a, far) }()
	go func() { _, _ = io.Copy(b, near) }()
}

// silence silences the existing connections; new ones work.
func (r *relay) silence() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		c.mu.Lock()
		c.silent = true
		c.mu.Unlock()
	}
}

// When a load balancer is moved, its connections stay open but silent. A call on one of them must be made on a new connection in time.
func TestSilentConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	a := serve(t, true, func(http.ResponseWriter, *http.Request) {})
	r := newRelay(t, a.Listener.Addr().String())
	endpoint := "https://" + r.Addr().String()
	client := clientOf(t, a.Server, endpoint)
	if _, err := call(t, client, http.MethodPatch, endpoint); err != nil {
		t.Fatal(err)
	}
	r.silence()

	begun := time.Now()
	_, err := call(t, client, http.MethodPatch, endpoint)
	took := time.Since(begun)
	t.Logf("answered after %v", took)
	if err != nil {
		t.Errorf("got %v, want a new connection to be used", err)
	}
	if limit := pingEvery + pingTimeout + 2*time.Second; took > limit {
		t.Errorf("got an answer after %v, want it within %v", took, limit)
	}
}

// If packets are lost, the kernel gives the connection up (seen in network namespaces: after 2.9 s).
func TestKernelClosesASilentConnection(t *testing.T) {
	t.Parallel()
	a := serve(t, false, func(http.ResponseWriter, *http.Request) {})
	base := newTransport(nil)
	conn, err := base.DialContext(t.Context(), "tcp", a.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var got int
	if err := raw.Control(func(fd uintptr) {
		got, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
	}); err != nil {
		t.Fatal(err)
	}
	if want := int(unacknowledged.Milliseconds()); err != nil || got != want {
		t.Errorf("got a limit of %d ms, %v, want %d ms", got, err, want)
	}
}
