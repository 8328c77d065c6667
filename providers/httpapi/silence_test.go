package httpapi

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// A relay passes bytes on between clients and a server, until it goes silent.
type relay struct {
	net.Listener
	server string

	mu    sync.Mutex
	conns []*muted
}

// A muted connection passes on nothing once it is silent, as if every packet were lost.
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

// silence makes the connections that there are silent; new ones work.
func (r *relay) silence() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		c.mu.Lock()
		c.silent = true
		c.mu.Unlock()
	}
}

// A firewall that forgets a connection, or a load balancer that is moved, leaves it open and silent. The standby's
// connection must have been replaced before it is needed, and a call that is under way must fail soon.
func TestAConnectionThatWentSilentIsReplaced(t *testing.T) {
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
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	failed := 0
	for {
		_, err := call(t, client, http.MethodPatch, endpoint)
		if err == nil {
			break
		}
		if failed++; ctx.Err() != nil {
			t.Fatalf("got no answer within 10 s, last %v", err)
		}
	}
	took := time.Since(begun)
	t.Logf("works again after %v, %d calls failed", took, failed)
	if limit := 4 * time.Second; took > limit {
		t.Errorf("got a working connection after %v, want it within %v", took, limit)
	}
}
