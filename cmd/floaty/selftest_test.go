package main_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"floaty/providers/simulator"
)

func TestSelfTest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		spoil  func(w *env)
		status int
		want   []string // in the report
	}{
		{"all is well", func(*env) {}, 0, []string{
			"ok   credential     accepted for reading",
			"ok   server         11111111-1111-4111-8111-111111111111 lb1",
			"ok   clock          as the API's",
			"ok   198.51.100.1   VI_1: at 99999999-9999-4999-8999-999999999999",
			"ok   198.51.100.2   VI_1: at this server",
			"not tested: whether the credential may also write, because nothing was written",
		}},
		{"a wrong token", func(w *env) { w.Cloud.SetToken("another") }, 1, []string{"FAILED   credential", "401"}},
		{"no such server", func(w *env) {
			w.must(w.Configure("floaty.yml", w.with(w.UUID, "12121212-1212-4212-8212-121212121212")))
		}, 1, []string{"ok       credential", "FAILED   server", "12121212-1212-4212-8212-121212121212", "404", "ok       198.51.100.1"}},
		{"one address is missing", func(w *env) { w.Cloud.RemoveAddress(two) }, 1, []string{"ok       198.51.100.1", "FAILED   198.51.100.2", "not found"}},
		{"the API is down", func(w *env) { w.Cloud.Fail(simulator.Fault{}) }, 1, []string{"FAILED   credential", "500", "FAILED   198.51.100.2"}},
		{"the API hangs", func(w *env) {
			w.must(w.Configure("floaty.yml", w.Floaty()+"refresh-timeout: 500ms\n"))
			w.Cloud.Fail(simulator.Fault{Kind: simulator.Hang})
		}, 1, []string{"FAILED   credential", "no answer within 500ms", "FAILED   198.51.100.2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newEnv(t, one, two)
			w.Cloud.Move(two, w.UUID)
			c.spoil(w)
			status, stdout, stderr := run(t, "--test", w.Path("floaty.yml"))
			if strings.Contains(stdout, "no answer within 500ms (") {
				t.Errorf("got %q, want the missing answer reported once, not twice", stdout)
			}
			if status != c.status || stderr != "" {
				t.Errorf("got status %d and %q on standard error, want %d and nothing", status, stderr, c.status)
			}
			for _, want := range c.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("got\n%s\nwant %q in it", stdout, want)
				}
			}
			status, stdout, _ = run(t, "-T", "--output", "json", w.Path("floaty.yml"))
			var report struct {
				OK     bool
				Checks []struct{ OK bool }
			}
			if err := json.Unmarshal([]byte(stdout), &report); err != nil || status != c.status || report.OK != (status == 0) || len(report.Checks) < 4 {
				t.Errorf("got status %d, %v, want %d and a report that agrees: %s", status, err, c.status, stdout)
			}
			if n := len(w.Writes()); n != 0 {
				t.Errorf("got %d writes by a self-test, want none", n)
			}
		})
	}
}

func TestASignalEndsASelfTestAtOnce(t *testing.T) {
	w := newEnv(t, one)
	w.Cloud.Fail(simulator.Fault{Kind: simulator.Hang})
	w.must(w.StartFloaty("--test", w.Path("floaty.yml")))
	w.eventually("the self-test makes a call", 5*time.Second, func() bool { return len(w.Cloud.Calls()) > 0 })
	before := time.Now()
	w.StopFloaty()
	if took := time.Since(before); took > 2*time.Second {
		t.Errorf("got the end %v after the signal, want it within 2 s", took)
	}
}
