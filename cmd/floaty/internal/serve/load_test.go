package serve

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"floaty/controller"
	"floaty/desired/keepalived"
)

func TestAtMostTwoCopiesAreMadeAtATime(t *testing.T) {
	m := newMonitor(t, nil, "VI_1")
	entered, leave := make(chan struct{}, maxCopies), make(chan struct{})
	m.opts.Engine = func() Engine {
		entered <- struct{}{}
		<-leave
		return engine{}
	}
	r := start(t, m, nil)
	statuses := make(chan int, maxCopies)
	for range maxCopies {
		go func() {
			status, _, _ := r.get("/status", "localhost")
			statuses <- status
		}()
		<-entered
	}
	for _, path := range []string{"/status", "/metrics"} {
		if status, header, _ := r.get(path, "localhost"); status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
			t.Errorf("%s while two are made: got %d, Retry-After %q, want 503", path, status, header.Get("Retry-After"))
		}
	}
	if status, _, _ := r.get("/readyz", "localhost"); status != http.StatusOK {
		t.Errorf("/readyz while two are made: got %d, want 200: it copies nothing", status)
	}
	close(leave)
	for range maxCopies {
		if got := <-statuses; got != http.StatusOK {
			t.Errorf("one of the two: got %d, want 200", got)
		}
	}
}

func TestTheRateOfCopiesIsLimited(t *testing.T) {
	s := New(Options{Monitor: newMonitor(t, nil, "VI_1")})
	copies := rate.NewLimiter(copyRate, copyBurst)
	made, begun := 0, time.Now()
	for range 1000 {
		if s.enter(copies) {
			made++
			<-s.busy
		}
	}
	if most := copyBurst + int(copyRate*time.Since(begun).Seconds()) + 1; made < copyBurst || made > most {
		t.Errorf("got %d copies, want %d to %d", made, copyBurst, most)
	}
}

func TestAFloodAtTheAddressLeavesTheSocketAlone(t *testing.T) {
	r := start(t, newMonitor(t, nil, "VI_1"), func(o *Options) { o.Address = freeAddress(t, "127.0.0.1") })
	eventually(t, "the address is refused", func() bool {
		status, _, _ := r.get("/status", "localhost")
		return status == http.StatusServiceUnavailable
	})
	r.address = ""
	if status, _, _ := r.get("/status", "localhost"); status != http.StatusOK {
		t.Errorf("the socket: got %d, want 200", status)
	}
}

func TestTheNumberOfConnectionsIsLimited(t *testing.T) {
	r := start(t, newMonitor(t, nil, "VI_1"), nil)
	const tried = 200
	var answered atomic.Int32
	conns := make([]net.Conn, 0, tried)
	for range tried {
		conn, err := new(net.Dialer).DialContext(t.Context(), "unix", r.socket)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		conns = append(conns, conn)
		go func() {
			_, _ = conn.Write([]byte("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"))
			if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
				_ = resp.Body.Close()
				answered.Add(1)
			}
		}()
	}
	eventually(t, "as many connections are answered as may be open", func() bool { return answered.Load() >= maxConns })
	for deadline := time.Now().Add(100 * time.Millisecond); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if got := answered.Load(); got > maxConns {
			t.Fatalf("got %d connections answered, want %d at a time", got, maxConns)
		}
	}
	for _, conn := range conns[:tried-maxConns] {
		_ = conn.Close()
	}
	eventually(t, "the other connections are answered", func() bool { return answered.Load() > maxConns })
}

func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	r := start(t, newMonitor(t, nil, "VI_1"), nil)
	for range maxConns {
		conn, err := new(net.Dialer).DialContext(t.Context(), "unix", r.socket)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		go func() { // one byte every 100 ms
			for _, b := range []byte("GET /status HTTP/1.1\r\nHost: " + strings.Repeat("x", 1000)) {
				if _, err := conn.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		}()
	}
	if status, _, _ := r.get("/readyz", "localhost"); status != http.StatusOK { // it waits until one of them is cut off
		t.Errorf("got %d, want 200", status)
	}
}

// many returns an engine with n addresses, all in place.
func many(n int) engine {
	known := make(engine, 0, n)
	for i := range n {
		known = append(known, controller.Status{
			Addr: netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), Targets: []string{here}, InPlace: true,
			Since: time.Now(), Verified: time.Now(), Next: time.Now(),
		})
	}
	return known
}

func BenchmarkScrape(b *testing.B) {
	for name, n := range map[string]int{"100": 100, "10000": 10_000} {
		b.Run(name, func(b *testing.B) {
			m := newMonitor(b, many(n), "VI_1")
			_ = New(Options{Monitor: m, Heard: func() keepalived.Stats { return keepalived.Stats{} }, Dropped: func() uint64 { return 0 }})
			h := m.handler()
			req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://localhost/metrics", nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(&buffer{header: http.Header{}}, req)
			}
		})
	}
}

func TestPromtoolFindsNoProblem(t *testing.T) {
	promtool, err := filepath.Abs("../../../../.cache/prometheus/usr/bin/promtool") // where hack/install-monitoring puts it
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(promtool); err != nil {
		if promtool, err = exec.LookPath("promtool"); err != nil {
			t.Skip("promtool is missing; hack/install-monitoring fetches it")
		}
	}
	m := newMonitor(t, engine{{Addr: one, Verified: time.Now()}}, "VI_1", hostile)
	m.Assigned(one, nil, here, nil)
	m.Contested(one, "", true)
	m.Reconciled("in place")
	m.Requested(t.Context(), http.StatusOK, time.Second)
	m.Requested(t.Context(), 0, time.Second)
	_, _, text := start(t, m, nil).get("/metrics", "localhost")
	cmd := exec.CommandContext(t.Context(), promtool, "check", "metrics") //nolint:gosec // the tool that was installed
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// A slowReader is a client that reads nothing until the test closes read.
type slowReader struct {
	*httptest.ResponseRecorder
	began, read chan struct{}
}

func (r slowReader) Write(data []byte) (int, error) {
	if r.Code == http.StatusOK {
		r.began <- struct{}{}
		<-r.read
	}
	return len(data), nil
}

func TestSlowReadersOfLongAnswersDoNotFillTheMemory(t *testing.T) {
	s := New(Options{Monitor: newMonitor(t, nil, "VI_1")})
	l := limits{rate.NewLimiter(rate.Inf, 0), semaphore.NewWeighted(maxUnsent)}
	long := s.copying(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxUnsent/2)) }))
	ask := func() slowReader {
		r := slowReader{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
		go func() {
			long.ServeHTTP(r, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/status", nil))
			close(r.began)
		}()
		<-r.began
		return r
	}
	first, second, third := ask(), ask(), ask()
	if third.Code != http.StatusServiceUnavailable || third.Header().Get("Retry-After") == "" {
		t.Errorf("while nobody reads two long answers: got %d, want 503 with Retry-After", third.Code)
	}
	close(first.read)
	<-first.began
	fourth := ask()
	if fourth.Code != http.StatusOK {
		t.Errorf("after one of them was read: got %d, want 200", fourth.Code)
	}
	close(second.read)
	close(fourth.read)
	<-second.began
	<-fourth.began
}
