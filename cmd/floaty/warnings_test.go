package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
)

// open makes the host's directory accessible to all users: only then do the permissions of its files matter.
func (w *env) open() {
	w.Helper()
	for dir := w.Path("."); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		w.must(os.Chmod(dir, 0o755)) //nolint:gosec // the mode under test
	}
	if info, err := os.Stat(os.TempDir()); err != nil || info.Mode().Perm() != 0o777 || info.Mode()&os.ModeSticky == 0 {
		w.Skipf("%s is not like /tmp", os.TempDir())
	}
}

// Every report contains the warnings that the daemon would log at its start, as text and as JSON. If a warning needs a fix, the exit
// status is not 0.
func TestReportsContainTheDaemonsWarnings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(w *env)
		fine  bool   // whether the warning needs no fix
		text  string // in the reports and in the daemon's log
		field string // a field of the JSON warning
		value string // a part of that field
	}{
		{
			"an instance that is missing in keepalived.conf", func(w *env) {
				w.must(w.Configure("floaty.yml", w.Floaty()+"instances: {VI_01: {addresses: [198.51.100.1]}}\n"))
			}, false, "instance that keepalived.conf does not name", "instance", "VI_01",
		},
		{
			"no instance at all", func(w *env) { w.must(w.Configure("keepalived.conf", "global_defs {\n}\n")) },
			false, "keepalived.conf has no vrrp_instance", "text", "keepalived.conf has no vrrp_instance: nothing is managed",
		},
		{
			"a secret that others may read", func(w *env) {
				w.must(os.Chmod(w.Path("floaty.yml"), 0o644)) //nolint:gosec // the mode under test
			}, false, "everybody may read the secret in it", "file", "floaty.yml",
		},
		{
			"a state-dir that others may write to", func(w *env) {
				w.must(os.MkdirAll(w.Path("state"), 0o700))
				w.must(os.Chmod(w.Path("state"), 0o777)) //nolint:gosec // the mode under test
			}, false, "everybody may write to it", "key", "state-dir",
		},
		{
			"a missing include", func(w *env) {
				w.must(w.Configure("keepalived.conf", "include /nonexistent/x.conf\n"+w.Keepalived(100, "", one)))
			}, false, "/nonexistent/x.conf", "file", "keepalived.conf",
		},
		{
			"no keepalived.conf where none is needed", func(w *env) {
				w.must(w.Configure("floaty.yml", w.Floaty()+"managed-addresses: [198.51.100.1]\n"))
				w.must(os.Remove(w.Path("keepalived.conf")))
			}, true, "configuration without it", "text", "no such file",
		},
		{
			"a short interval", func(w *env) {
				w.must(w.Configure("floaty.yml", w.with("refresh-interval: 2s", "refresh-interval: 900ms")))
			}, true, "900ms is below 1s", "key", "refresh-interval",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newEnv(t, one)
			w.open()
			w.Cloud.Move(one, w.UUID)
			c.spoil(w)
			for mode, serious := range map[string]int{"--check": 1, "--test": 1, "--dry-run": 2} {
				want := serious
				if c.fine {
					want = 0
				}
				status, stdout, stderr := run(t, mode, w.Path("floaty.yml"))
				if status != want || !strings.Contains(stdout, c.text) || stderr != "" {
					t.Errorf("%s: got status %d, %q and\n%s\nwant %d and a report that contains %q", mode, status, stderr, stdout, want, c.text)
				}
				status, stdout, _ = run(t, mode, "--output", "json", w.Path("floaty.yml"))
				var report struct{ Warnings []map[string]any }
				if err := json.Unmarshal([]byte(stdout), &report); err != nil || status != want || len(report.Warnings) != 1 {
					t.Errorf("%s: got status %d, %v and\n%s\nwant %d and one warning", mode, status, err, stdout, want)
					continue
				}
				got := report.Warnings[0]
				if value, _ := got[c.field].(string); !strings.Contains(value, c.value) || got["error"] == c.fine {
					t.Errorf("%s: got %v, want %q in %s and error %v", mode, got, c.value, c.field, !c.fine)
				}
			}
			w.must(w.StartFloaty())
			w.eventually("the daemon logs the warning", 5*time.Second, func() bool { return w.logged(c.text) == 1 })
		})
	}
}

func TestAFileThatBecomesReadableIsLoggedOnce(t *testing.T) {
	w := newEnv(t, one)
	w.open()
	w.start()
	w.must(os.Chmod(w.Path("floaty.yml"), 0o644)) //nolint:gosec // the mode under test
	w.eventually("the warning is logged", 2*time.Second, func() bool { return w.logged("everybody may read the secret") == 1 })
	w.must(w.HangUpFloaty())
	w.never("the warning was logged again", time.Second, func() bool { return w.logged("everybody may read the secret") > 1 })
}

// An endpoint with plain http is an error in every report. A notify script, which runs once per event, does not log it each time.
func TestPlainHTTPIsReported(t *testing.T) {
	w := newEnv(t, one)
	w.must(w.Configure("floaty.yml", "provider: cloudscale\ncloudscale: {endpoint: 'http://192.0.2.1:9', token: abc, server-uuid: "+w.UUID+"}\n"+
		"keepalived-config: keepalived.conf\nstate-dir: state\nlock-file-template: '%s.lock'\n"))
	if status, stdout, _ := run(t, "--check", w.Path("floaty.yml")); status != 1 || !strings.Contains(stdout, "error      the endpoint uses plain http") {
		t.Errorf("--check: got status %d and\n%s\nwant 1 and the error", status, stdout)
	}
	if status, _, stderr := run(t, w.Path("floaty.yml"), "INSTANCE", "VI_1", "BACKUP", "90"); status != 0 || stderr != "" {
		t.Errorf("BACKUP: got status %d and %q, want 0 and no output", status, stderr)
	}
}

// forged is a name that sets the title of the terminal, reverses the text, moves the cursor with a C1 code and begins a new line.
const forged = "x\x1b]0;pwned\x07\u202e\u009b1A\x7f\u2028\nok   credential   FORGED"

func TestHostileNamesCannotForgeLinesOrControlTheTerminal(t *testing.T) {
	w := newEnv(t, one, two)
	w.Cloud.AddServer(w.UUID, forged)
	w.Cloud.AddServer(forged, forged)
	w.Cloud.Move(one, forged)
	w.must(w.Configure("keepalived.conf", strings.ReplaceAll(w.Keepalived(100, "", one, two), "VI_1", "VI\x1b[31m\u202e\u009b1A")))
	for _, args := range [][]string{
		{"--check"}, {"--test"}, {"--dry-run"}, {"--check", "--output", "json"}, {"--test", "--output", "json"}, {"--dry-run", "--output", "json"},
	} {
		_, stdout, stderr := run(t, append(args, w.Path("floaty.yml"))...)
		clean(t, stdout+stderr)
		if !strings.Contains(stdout, "VI") || strings.Contains(stdout, "\nok   credential   FORGED") {
			t.Errorf("%q: got\n%s\nwant the name without a forged line", args, stdout)
		}
	}
	w.start()
	w.must(w.Say("INSTANCE \"A\x1b[31m\u202e\u009b1A\x7f\" MASTER 100"))
	w.eventually("the unknown instance is logged", time.Second, func() bool { return w.logged("lines are ignored") == 1 })
	clean(t, w.Log())
}

// clean reports an error if text contains anything unprintable.
func clean(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		if !unicode.IsPrint(r) && r != '\n' && r != '\t' {
			t.Errorf("got %q, want no %q in it", text, r)
			return
		}
	}
}
