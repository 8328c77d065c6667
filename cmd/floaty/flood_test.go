package main_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"floaty/cmd/floaty/internal/report"
)

// A flood is clients that mean no good to a server at an address: a thousand scrapes per second, readers and writers of one byte per
// second, and ten thousand connections.
type flood struct {
	address                   string
	served, refused, attempts atomic.Int64
}

// run floods until ctx ends.
func (f *flood) run(ctx context.Context) {
	var clients sync.WaitGroup
	defer clients.Wait()
	for range 4 {
		clients.Go(func() { f.scrape(ctx, 4*time.Millisecond) })
	}
	for i := range 20 {
		clients.Go(func() { f.dawdle(ctx, i%2 == 0) })
	}
	clients.Go(func() { f.connect(ctx, 10_000) })
}

// scrape asks for the metrics once each time.
func (f *flood) scrape(ctx context.Context, each time.Duration) {
	client := http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(each)
	defer tick.Stop()
	for ctx.Err() == nil {
		<-tick.C
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.address+"/metrics", nil)
		if err != nil {
			return
		}
		resp, err := client.Do(req)
		if err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			f.served.Add(1)
		} else {
			f.refused.Add(1)
		}
	}
}

// dawdle asks, or reads the answer, a byte per second.
func (f *flood) dawdle(ctx context.Context, asking bool) {
	for ctx.Err() == nil {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", f.address)
		if err != nil {
			continue
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		if !asking {
			_, _ = conn.Write([]byte("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"))
		}
		for err == nil {
			if asking {
				_, err = conn.Write([]byte("G"))
			} else {
				_, err = conn.Read(make([]byte, 1))
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
		stop()
		_ = conn.Close()
	}
}

// connect opens so many connections, up to 200 at a time, and says nothing on them.
func (f *flood) connect(ctx context.Context, n int) {
	var open []net.Conn
	defer func() {
		for _, conn := range open {
			_ = conn.Close()
		}
	}()
	for range n {
		if ctx.Err() != nil {
			return
		}
		f.attempts.Add(1)
		conn, err := (&net.Dialer{Timeout: 50 * time.Millisecond}).DialContext(ctx, "tcp", f.address)
		if err != nil {
			continue
		}
		if open = append(open, conn); len(open) > 200 {
			_ = open[0].Close()
			open = open[1:]
		}
	}
}

// freeAddress returns an address of this host that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// How much longer a takeover takes during such a flood is printed: it depends on the machine. What must not depend on it are the counts:
// each takeover is one write, and everybody is answered or refused.
func TestTakeoversDuringAFloodOfRequests(t *testing.T) {
	const instances, rounds = 10, 3
	addrs := addresses(instances)
	w := newWorldAlone(t, addrs...)
	other, err := w.AddHost(t.Context(), "lb2")
	w.must(err)
	idle := &world{T: t, Env: w.Env, Host: other}
	var conf strings.Builder
	for i, addr := range addrs {
		fmt.Fprintf(&conf, "vrrp_instance VI_%d {\n interface lo\n virtual_router_id %d\n virtual_ipaddress { %v }\n}\n", i, i+1, addr)
	}
	address := map[*world]string{}
	for _, h := range []*world{w, idle} {
		address[h] = freeAddress(t)
		h.must(h.Configure("keepalived.conf", "global_defs {\n vrrp_notify_fifo "+h.FIFO+"\n}\n"+conf.String()))
		h.must(h.Configure("floaty.yml", h.Floaty()+"listen-address: "+address[h]+"\n"))
		h.start()
	}
	takeovers := func(flooded *world) (median time.Duration) {
		ctx, stop := context.WithCancel(t.Context())
		f := &flood{address: address[flooded]}
		done := make(chan struct{})
		go func() { defer close(done); f.run(ctx) }()
		defer func() { stop(); <-done }()
		w.eventually("the flood is answered and refused", 10*time.Second, func() bool { return f.served.Load() > 10 })
		w.Cloud.ForgetCalls()
		var took []time.Duration
		for range rounds {
			for i, addr := range addrs {
				begun := time.Now()
				w.must(w.Say(fmt.Sprintf("INSTANCE %q MASTER 100", fmt.Sprint("VI_", i))))
				w.eventually("the address is here", 10*time.Second, func() bool { return w.here(addr) })
				took = append(took, time.Since(begun))
			}
			for i, addr := range addrs {
				w.must(w.Say(fmt.Sprintf("INSTANCE %q BACKUP 100", fmt.Sprint("VI_", i))))
				w.Cloud.Move(addr, stranger)
			}
			w.eventually("all are given up", 10*time.Second, func() bool { // over the socket, which the flood does not reach
				return !slices.ContainsFunc(w.status().Instances, func(i report.StatusInstance) bool { return i.State != "BACKUP" })
			})
		}
		if n := len(w.Writes()); n != instances*rounds {
			t.Errorf("%d takeovers made %d writes", instances*rounds, n)
		}
		t.Logf("%d scrapes served and %d refused, %d connections tried", f.served.Load(), f.refused.Load(), f.attempts.Load())
		slices.Sort(took)
		return took[len(took)/2]
	}
	foreign, own := takeovers(idle), takeovers(w)
	t.Logf("a takeover takes %v during a flood of another process, %v during a flood of its own: %.2f times", foreign, own, float64(own)/float64(foreign))
}
