package serve

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	dto "github.com/prometheus/client_model/go"

	"floaty/cmd/floaty/internal/report"
	"floaty/controller"
	"floaty/desired"
	"floaty/desired/keepalived"
)

// hostile is a name with markup, control and formatting characters, and invalid UTF-8.
const hostile = "VI<script>alert(1)</script>\x1b]0;owned\a\u202e\n\"&\xff"

func TestHostileNamesAreServedHarmlessly(t *testing.T) {
	m := newMonitor(t, engine{{Addr: one, Targets: []string{hostile}, Err: hostile, Contested: true, Rival: hostile}}, "VI_1", hostile)
	m.Assigned(one, []string{hostile}, hostile, errors.New(hostile))
	m.Contested(one, hostile, true)
	m.Refused(hostile)
	m.readEnded(time.Now(), errors.New(hostile))
	r := start(t, m, nil)
	for _, path := range []string{"/status", "/metrics", "/readyz", "/"} {
		_, header, body := r.get(path, "localhost")
		if (path == "/status" || path == "/metrics") && !strings.Contains(body, "owned") {
			t.Errorf("%s: got %s, want the name in it, without which nothing is checked", path, body)
		}
		if path != "/" && strings.ContainsAny(body, "<>") {
			t.Errorf("%s: got %s, want no markup", path, body)
		}
		if path == "/" && strings.Contains(body, "owned") {
			t.Error("got the page with a name in it, want none")
		}
		if i := strings.IndexFunc(body, func(r rune) bool {
			return !unicode.IsPrint(r) && r != '\n' && r != '\t' || r == unicode.ReplacementChar
		}); i >= 0 {
			t.Errorf("%s: got an unprintable character at %d: %q", path, i, body[max(i-20, 0):i+20])
		}
		if got := header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options is %q", path, got)
		}
		if got := header.Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") || strings.Contains(got, "unsafe") {
			t.Errorf("%s: Content-Security-Policy is %q", path, got)
		}
	}
}

func TestALoopbackAddressAnswersOnlyToItsOwnNames(t *testing.T) {
	r := start(t, newMonitor(t, nil, "VI_1"), func(o *Options) { o.Address = freeAddress(t, "127.0.0.1") })
	_, port, _ := strings.Cut(r.address, ":")
	for host, want := range map[string]int{
		"localhost:" + port: 200, "127.0.0.1:" + port: 200, "LOCALHOST": 200, "[::1]:" + port: 200, "floaty.localhost": 200,
		"evil.example": 421, "evil.example:" + port: 421, "localhost.evil.example": 421, "192.0.2.7": 421,
	} {
		if got, _, _ := r.get("/status", host); got != want {
			t.Errorf("Host %s: got %d, want %d", host, got, want)
		}
	}
	if allowed := allowedHosts("[::1]:9753"); allowed == nil || allowed("evil.example") || !allowed("[::1]:9753") || !allowed("localhost") {
		t.Error("[::1]:9753: got another set of names, want only those of the loopback address")
	}
}

// HTTP/1.0 needs no Host, and some health checks send none. Browsers always do, so it cannot be a page of another site.
func TestARequestWithoutAHostIsAnswered(t *testing.T) {
	r := start(t, newMonitor(t, nil, "VI_1"), func(o *Options) { o.Address = freeAddress(t, "127.0.0.1") })
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.0 200 OK\r\n") {
		t.Errorf("got %q, %v, want 200", answer, err)
	}
}

func TestOtherAddressesAnswerToEveryName(t *testing.T) {
	if allowed := allowedHosts("192.0.2.7:9753"); allowed != nil {
		t.Error("192.0.2.7:9753: got a check of names, want none")
	}
	if allowed := allowedHosts(":9753"); allowed != nil {
		t.Error(":9753: got a check of names, want none")
	}
}

func TestOnlyReadRequestsAreServed(t *testing.T) {
	r := start(t, newMonitor(t, nil, "VI_1"), func(o *Options) { o.Address = freeAddress(t, "127.0.0.1") })
	resp, err := http.Post("http://"+r.address+"/status", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: got %d, want 405", resp.StatusCode)
	}
}

func TestALoopThatHangsIsNotHealthy(t *testing.T) {
	r := start(t, newMonitor(t, nil, "VI_1"), func(o *Options) { o.Alive = func() error { return errors.New("the listener hangs") } })
	if status, _, body := r.get("/healthz", "localhost"); status != http.StatusServiceUnavailable || !strings.Contains(body, "the listener hangs") {
		t.Errorf("got %d, %q, want 503 and the loop", status, body)
	}
}

func TestReasonsForNotBeingReady(t *testing.T) {
	now := time.Now()
	fine := readiness{server: here, cloud: cloud{lastRead: now}, managed: 1, now: now}
	for _, c := range []struct {
		name string
		edit func(*readiness)
		want string // empty: ready
	}{
		{"all is well", func(*readiness) {}, ""},
		{"no server", func(r *readiness) { r.server = "" }, "this server's ID is not known yet"},
		{"a failed read", func(r *readiness) { r.cloud.err = "401" }, "the last read of the cloud failed: 401"},
		{"no read", func(r *readiness) { r.cloud = cloud{} }, "the cloud has not been read yet"},
		{"nothing to read", func(r *readiness) { r.cloud, r.managed = cloud{}, 0 }, ""},
		{"a reload of Keepalived", func(r *readiness) { r.writerGone = now.Add(-2 * time.Second) }, ""},
		{"no Keepalived", func(r *readiness) { r.writerGone = now.Add(-4 * time.Second) }, "Keepalived does not have the FIFO open"},
		{"a silent instance", func(r *readiness) { r.unknown = []string{"VI_1"} }, "Keepalived has not reported the state of instance VI_1"},
		{"many silent instances", func(r *readiness) { r.unknown = make([]string, 30) }, "Keepalived has not reported the state of 20 more instances"},
	} {
		r := fine
		c.edit(&r)
		got := strings.Join(notReady(r), "; ")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTheHistoryIsBounded(t *testing.T) {
	m := newMonitor(t, engine{{Addr: one}}, "VI_1")
	for range 3 { // a repeated failure is one event
		m.Assigned(one, nil, here, errors.New("503"))
	}
	if got := m.Status().Events; len(got) != 2 || got[0].Kind != report.EventState || got[1].Text != "assigning failed: 503" {
		t.Errorf("got %+v, want the state and one failure", got)
	}
	for i := range 200 {
		m.Assigned(one, nil, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String(), nil)
	}
	got := m.Status().Events
	if len(got) != maxEvents || got[maxEvents-1].To != "10.0.0.199" || got[0].To != "10.0.0.150" {
		t.Errorf("got %d events from %s to %s, want %d from 10.0.0.150 to 10.0.0.199", len(got), got[0].To, got[len(got)-1].To, maxEvents)
	}
}

// While the cloud refuses a credential, a hundred addresses fail every few seconds, with errors that differ in the time to wait.
func TestAnOutageDoesNotFillTheHistory(t *testing.T) {
	m := newMonitor(t, nil, "VI_1")
	fail := func() {
		for i := range 2 * maxEvents / 5 {
			m.Assigned(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), nil, here, fmt.Errorf("401; no call for %d ms", time.Now().Nanosecond()))
		}
	}
	for range 100 {
		fail()
	}
	if got := m.Status().Events; len(got) != 1+2*maxEvents/5 || got[0].Kind != report.EventState {
		t.Errorf("got %d events, the first of kind %s, want the state and one failure per address", len(got), got[0].Kind)
	}
	m.SetKeepalived(keepalived.Snapshot{Instances: map[string]keepalived.Status{"VI_1": {State: keepalived.Backup}}, Connected: true})
	fail()
	if got := m.Status().Events; got[len(got)-1].Kind != report.EventAssign {
		t.Errorf("the last event is %+v, want a failure: it is the first one in this state", got[len(got)-1])
	}
	m.Assigned(netip.AddrFrom4([4]byte{10, 0, 0, 1}), nil, here, nil)
	if got := m.Status().Events; got[len(got)-1].Text != "assigned" {
		t.Errorf("the last event is %+v, want the success", got[len(got)-1])
	}
}

// As in the log, a failure of every other read must not cause two events each time.
func TestReadsThatFailNowAndThenDoNotFillTheHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMonitor(t, nil, "VI_1")
		for i := range 300 {
			time.Sleep(time.Minute)
			m.readEnded(time.Now(), []error{nil, errors.New("503")}[i%2])
		}
		got := m.Status().Events
		if len(got) < 3 || len(got) > 15 || got[0].Kind != report.EventState || !strings.Contains(got[len(got)-1].Text, "fails now and then") {
			t.Errorf("got %d events in five hours, want the state and a few about the cloud: %+v", len(got), got)
		}
		for range 20 {
			time.Sleep(time.Minute)
			m.readEnded(time.Now(), nil)
		}
		if got := m.Status().Events; got[len(got)-1].Text != "the cloud can be read again" {
			t.Errorf("the last event is %+v, want the recovery", got[len(got)-1])
		}
	})
}

// A contested address is written once per interval, for days if need be.
func TestAConflictDoesNotFillTheHistory(t *testing.T) {
	m := newMonitor(t, nil, "VI_1")
	m.Contested(one, "rival", true)
	for range 2 * maxEvents {
		m.Assigned(one, []string{"rival"}, here, nil)
	}
	m.Contested(one, "rival", false)
	m.Assigned(one, []string{"rival"}, here, nil)
	var got []string
	for _, e := range m.Status().Events {
		got = append(got, string(e.Kind)+" "+e.Text)
	}
	if want := []string{"state ", "contest contested", "contest no longer contested", "assign assigned"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// If keepalived.conf cannot be read, every instance with a state counts.
func TestAnInstanceKnownOnlyFromItsLinesIsShown(t *testing.T) {
	m := newMonitor(t, nil)
	m.opts.Desired.SetSettings(desired.Settings{Managed: []netip.Addr{one}})
	states := map[string]keepalived.Status{"VI_1": {State: keepalived.Master}}
	m.opts.Desired.SetKeepalived(states)
	m.SetKeepalived(keepalived.Snapshot{Instances: states, Connected: true})
	if got := m.Status().Instances; len(got) != 1 || got[0].Name != "VI_1" || got[0].State != "MASTER" {
		t.Errorf("got %+v, want VI_1 as MASTER", got)
	}
}

// A FIFO that has had no writer for a few seconds may mean a reload of Keepalived. Right after the start it does not: Keepalived has not
// opened the FIFO yet.
func TestNothingIsReadyBeforeKeepalivedOpensTheFIFO(t *testing.T) {
	m := NewMonitor(MonitorOptions{Desired: newMonitor(t, nil).opts.Desired})
	m.readEnded(time.Now(), nil)
	if got := m.NotReady(); !slices.Equal(got, []string{"Keepalived does not have the FIFO open"}) {
		t.Errorf("got %q, want only that the FIFO is not open", got)
	}
	m.SetKeepalived(keepalived.Snapshot{Connected: true})
	m.SetKeepalived(keepalived.Snapshot{})
	if got := m.NotReady(); len(got) != 0 {
		t.Errorf("while Keepalived reloads: got %q, want ready", got)
	}
}

func TestReadsThatEndLateDoNotHideLaterOnes(t *testing.T) {
	m := newMonitor(t, nil)
	begun := time.Now()
	m.readEnded(begun.Add(time.Second), nil)
	m.readEnded(begun, errors.New("a timeout"))
	if got := m.Status().Cloud; got.Error != "" {
		t.Errorf("got %+v, want no error: a later read succeeded", got)
	}
}

func TestTakeoversAreAClassicAndANativeHistogram(t *testing.T) {
	m := newMonitor(t, nil, "VI_1")
	claimed := time.Now()
	m.TookOver(controller.Takeover{Address: one, Claimed: claimed, Acknowledged: claimed.Add(300 * time.Millisecond)})
	var got dto.Metric
	if err := m.metrics.takeovers.Write(&got); err != nil {
		t.Fatal(err)
	}
	h := got.GetHistogram()
	if h.GetSampleCount() != 1 || h.GetSampleSum() != 0.3 || len(h.GetBucket()) < 5 || len(h.GetPositiveSpan()) == 0 {
		t.Errorf("got %v, want one takeover of 0.3 s in buckets of both kinds", h)
	}
}
