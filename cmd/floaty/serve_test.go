package main_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"floaty/cmd/floaty/internal/report"
	"floaty/hack/testenv"
	"floaty/providers/simulator"
)

// ask makes a request over floaty's status socket, and repeats it while floaty is busy.
func (w *env) ask(path string) (code int, body string) {
	w.Helper()
	socket := w.socket()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, "http://localhost"+path, nil)
	w.must(err)
	w.eventually("floaty is not busy", 5*time.Second, func() bool {
		resp, err := client.Do(req)
		w.must(err)
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		w.must(err)
		code, body = resp.StatusCode, string(text)
		return resp.Header.Get("Retry-After") == ""
	})
	return code, body
}

// socket returns the path of floaty's status socket.
func (w *env) socket() string {
	w.Helper()
	var found []string
	w.eventually("floaty makes its status socket", 5*time.Second, func() bool {
		found, _ = filepath.Glob(w.Path("state") + "/*.sock")
		return len(found) == 1
	})
	return found[0]
}

// status returns the output of floaty --status.
func (w *env) status() report.Status {
	w.Helper()
	code, out, errs := run(w.T, "--status", "--output", "json", w.Path("floaty.yml"))
	var s report.Status
	if err := json.Unmarshal([]byte(out), &s); code != 0 || err != nil {
		w.Fatalf("--status: exit status %d, %v, %q, %q", code, err, out, errs)
	}
	return s
}

func TestTheStatusFollowsATakeover(t *testing.T) {
	w := newEnv(t, one, two)
	w.start()
	w.eventually("the standby knows where the addresses are", 5*time.Second, func() bool {
		s := w.status()
		return len(s.Addresses) == 2 && strings.Join(s.Addresses[0].Targets, " ") == stranger
	})
	s := w.status()
	if a := s.Addresses[0]; a.Desired || a.InPlace || a.Address != one || s.Ready || s.Instances[0].State != "unknown" {
		t.Errorf("before Keepalived's first line: got %+v, ready %v, instance %+v", a, s.Ready, s.Instances[0])
	}
	if code, _, errs := run(t, "--ready", w.Path("floaty.yml")); code != 1 || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "instance VI_1") {
		t.Errorf("--ready before Keepalived's first line: got exit status %d, %q, want 1 and one line about VI_1", code, errs)
	}
	w.says("MASTER")
	w.holds(5*time.Second, one, two)
	w.eventually("a reading has shown both in place", 5*time.Second, func() bool {
		s = w.status()
		return s.Addresses[0].InPlace && s.Addresses[1].InPlace && s.Ready
	})
	if !s.Addresses[0].Desired || s.Addresses[0].Verified.IsZero() || s.Server.ID != w.UUID || !s.Keepalived.Connected || s.Provider != "cloudscale" ||
		s.Instances[0].State != "MASTER" || s.Cloud.LastRead.IsZero() || s.Config.Loaded.IsZero() || len(s.NotReady) != 0 {
		t.Errorf("after the takeover: got %+v", s)
	}
	var kinds []string
	for _, e := range s.Events {
		kinds = append(kinds, string(e.Kind))
	}
	if got := strings.Join(kinds, " "); got != "state assign assign" {
		t.Errorf("got events of the kinds %q, want one state and two assignments", got)
	}
	if code, out, errs := run(t, "--ready", w.socket()); code != 0 || out+errs != "" {
		t.Errorf("--ready with the socket: got exit status %d, %q, want 0 and no output", code, out+errs)
	}
	if _, out, _ := run(t, "--status", w.Path("floaty.yml")); !strings.Contains(out, "in place") || !strings.Contains(out, "this server") {
		t.Errorf("--status as text: got\n%s", out)
	}
	if info, err := os.Stat(w.socket()); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket: got %v, %v, want mode 0660", info.Mode(), err)
	}
}

func TestMetricsOfATakeover(t *testing.T) {
	w := newEnv(t, one, two)
	w.start()
	w.says("MASTER")
	w.holds(5*time.Second, one, two)
	var text string
	w.eventually("the metrics show both in place", 5*time.Second, func() bool {
		_, text = w.ask("/metrics")
		return strings.Contains(text, `floaty_address_in_place{address="198.51.100.1"} 1`) &&
			strings.Contains(text, "floaty_takeover_duration_seconds_count 2")
	})
	for _, want := range []string{
		`floaty_ready 1`, `floaty_vrrp_instance_state{state="MASTER",vrrp_instance="VI_1"} 1`,
		`floaty_vrrp_instance_state{state="BACKUP",vrrp_instance="VI_1"} 0`, `floaty_address_desired{address="198.51.100.2"} 1`,
		`floaty_assignments_total{address="198.51.100.1",result="success"} 1`, `floaty_keepalived_connected 1`,
		`floaty_keepalived_events_total{state="MASTER",type="INSTANCE"} 1`, `floaty_keepalived_bad_lines_total 0`, `floaty_standstills_total 0`,
		`floaty_log_lines_dropped_total 0`, `floaty_takeover_duration_seconds_count 2`, `floaty_takeover_duration_seconds_bucket{le="+Inf"} 2`,
		`floaty_reconcile_total{outcome="assigned"} 2`,
		`floaty_provider_requests_total{code="204",operation="assign",provider="cloudscale"} 2`,
		`floaty_provider_requests_total{code="200",operation="read",provider="cloudscale"} `,
		`floaty_provider_request_duration_seconds_count{operation="assign",provider="cloudscale"} 2`,
		`workqueue_adds_total{name="addresses"} `, `workqueue_depth{name="addresses"} `,
		`floaty_config_last_reload_successful 1`, `floaty_build_info{`, `floaty_provider_last_read_timestamp_seconds `, `process_cpu_seconds_total `,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("got metrics without %s:\n%s", want, text)
		}
	}
	if n := w.loggedInTotal("address taken over"); n != 2 {
		t.Errorf("got %d lines about a takeover, want one for each address", n)
	}
	w.must(w.Configure("keepalived.conf", w.Keepalived(100, "", two)))
	w.eventually("the series of a removed address are gone", 5*time.Second, func() bool {
		_, text = w.ask("/metrics")
		return !strings.Contains(text, `"198.51.100.1"`) && strings.Contains(text, `"198.51.100.2"`)
	})
}

func TestCommandsFailWithoutADaemon(t *testing.T) {
	w := newEnv(t, one)
	for _, args := range [][]string{{"--status"}, {"--ready"}, {"--status", "--watch"}} {
		code, out, errs := run(t, append(args, w.Path("floaty.yml"))...)
		if code != 1 || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v without a daemon: got exit status %d, %q, %q, want 1 and one line", args, code, out, errs)
		}
	}
}

func TestPathsOfTheServer(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	for path, want := range map[string]int{"/healthz": 200, "/": 200, "/status": 200, "/readyz": 503, "/x": 404, "/metrics/": 404} {
		if code, body := w.ask(path); code != want {
			t.Errorf("%s: got %d, %q, want %d", path, code, body, want)
		}
	}
}

func TestTheStatusShowsADryRunAndAReload(t *testing.T) {
	w := newEnv(t, one)
	w.start("--dry-run", "--fifo", w.Path("floaty.yml"), w.FIFO)
	w.says("MASTER")
	w.eventually("the address is not in place", 5*time.Second, func() bool {
		s := w.status()
		return s.DryRun && s.Addresses[0].Desired && !s.Addresses[0].InPlace && s.Addresses[0].Targets != nil
	})
	before := w.status().Config.Loaded
	good := w.Floaty()
	w.must(w.Configure("floaty.yml", "tokn: 1\n"+good))
	w.eventually("the status shows the mistake", 5*time.Second, func() bool { return strings.Contains(w.status().Config.Error, "tokn") })
	if _, text := w.ask("/metrics"); !strings.Contains(text, "\nfloaty_config_last_reload_successful 0\n") {
		t.Error("got floaty_config_last_reload_successful other than 0, want 0")
	}
	w.must(w.Configure("floaty.yml", good))
	var s report.Status
	w.eventually("the mistake is gone", 5*time.Second, func() bool { s = w.status(); return s.Config.Error == "" })
	if !s.Config.Loaded.After(before) {
		t.Errorf("got a configuration loaded at %v, want it later than %v", s.Config.Loaded, before)
	}
	var reloads []string
	for _, e := range s.Events {
		if e.Kind == report.EventReload {
			reloads = append(reloads, e.Text)
		}
		if e.Kind == report.EventAssign {
			t.Errorf("got an assignment by a dry run, want none: %+v", e)
		}
	}
	if len(reloads) != 2 || !strings.Contains(reloads[0], "tokn") || !strings.Contains(reloads[1], "valid again") {
		t.Errorf("got reload events %q, want the mistake and its correction", reloads)
	}
}

func TestNoCredentialIsServed(t *testing.T) {
	w := newEnv(t, one)
	w.Cloud.Fail(simulator.Fault{Kind: simulator.Status, Status: 401, Body: `{"detail":"bad token ` + testenv.Token + `"}`})
	w.start()
	w.says("MASTER")
	w.eventually("the status shows the refusal", 5*time.Second, func() bool { return strings.Contains(w.status().Cloud.Error, "401") })
	for _, path := range []string{"/status", "/metrics", "/readyz", "/healthz", "/"} {
		if _, body := w.ask(path); strings.Contains(body, testenv.Token) {
			t.Errorf("%s: got %s, want it without the token", path, body)
		}
	}
	if _, text := w.ask("/metrics"); !strings.Contains(text, `floaty_provider_requests_total{code="401",operation="read",provider="cloudscale"} `) {
		t.Errorf("got metrics without a count of 401:\n%s", text)
	}
}
