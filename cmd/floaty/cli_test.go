package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"floaty/providers/simulator"
)

const secret = "hunter2-hunter2-hunter2"

func TestUnusableConfigurationsAreReportedWithKeyAndValue(t *testing.T) {
	t.Parallel()
	good := "provider: cloudscale\ncloudscale: {token: " + secret + "}\nmanaged-addresses: [198.51.100.1]\n"
	for _, c := range []struct {
		name, text string
		want       []string // in standard error
	}{
		{"unknown key", good + "refreshinterval: 1m\n", []string{"refreshinterval"}},
		{"unknown key inside", strings.Replace(good, "token:", "tokn: x, token:", 1), []string{"cloudscale.tokn"}},
		{"bad address", good + "instances: {VI_1: {addresses: [198.51.100.300]}}\n", []string{"instances.VI_1.addresses", "198.51.100.300"}},
		{"bad UUID", strings.Replace(good, "token:", "server-uuid: 1234-abc, token:", 1), []string{"cloudscale.server-uuid", "1234-abc"}},
		{"bad duration", good + "refresh-timeout: soon\n", []string{"refresh-timeout", "soon"}},
		{"negative interval", good + "refresh-interval: -5s\n", []string{"refresh-interval", "-5s"}},
		{"multiplier below 1", good + "back-off: {multiplier: 0.5}\n", []string{"back-off.multiplier", "0.5"}},
		{"lock template without %s", good + "lock-file-template: /var/lock/floaty\n", []string{"lock-file-template", "/var/lock/floaty"}},
		{"lock template with two", good + "lock-file-template: /%s/%s\n", []string{"lock-file-template", "/%s/%s"}},
		{"missing provider", strings.Replace(good, "provider: cloudscale\n", "", 1), []string{"provider"}},
		{"unknown provider", strings.Replace(good, "provider: cloudscale", "provider: aws", 1), []string{"provider", "aws", "cloudscale"}},
		{"missing key", strings.Replace(good, "provider: cloudscale", "provider: exoscale", 1), []string{"exoscale.key", "exoscale.secret"}},
		{"missing token", "provider: cloudscale\nmanaged-addresses: [198.51.100.1]\n", []string{"cloudscale.token"}},
		{"no keepalived.conf to take addresses from", strings.Replace(good, "managed-addresses: [198.51.100.1]\n", "keepalived-config: /nonexistent/keepalived.conf\n", 1), []string{"/nonexistent/keepalived.conf"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "floaty.yml")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"--check", path}, {"--fifo", path, path + ".fifo"}, {"--test", path}, {"--dry-run", path}} {
				want := 1
				if args[0] == "--dry-run" { // its status 1 means that something would change
					want = 2
				}
				status, stdout, stderr := run(t, args...)
				if status != want || stdout != "" {
					t.Errorf("%q: got status %d and %q on standard output, want %d and nothing", args, status, stdout, want)
				}
				for _, want := range c.want {
					if !strings.Contains(stderr, want) {
						t.Errorf("%q: got %q, want %q in it", args, stderr, want)
					}
				}
				if n := strings.Count(stderr, "\n"); n == 0 || n > 3 || strings.Contains(stderr, secret) || strings.Contains(stderr, "goroutine") {
					t.Errorf("%q: got %d lines, want one to three without the token: %q", args, n, stderr)
				}
			}
		})
	}
}

func TestAWrongNumberOfArgumentsIsReportedWithTheRightOnes(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--check"}, "floaty: wrong number of arguments: got 0, want CONFIG\n"},
		{[]string{"--check", "a", "b", "c"}, "floaty: wrong number of arguments: got 3, want CONFIG FIFO\n"},
		{[]string{"--fifo", "a"}, "floaty: wrong number of arguments: got 1, want CONFIG FIFO\n"},
		{[]string{"a", "INSTANCE", "VI_1"}, "floaty: wrong number of arguments: got 3, want CONFIG INSTANCE|GROUP NAME STATE PRIORITY\n"},
		{[]string{"--version", "a"}, "floaty: wrong number of arguments: got 1, want none\n"},
	} {
		if status, _, stderr := run(t, c.args...); status != 2 || !strings.HasPrefix(stderr, c.want) {
			t.Errorf("%q: got status %d and %q, want 2 and %q first", c.args, status, stderr, c.want)
		}
	}
}

func TestUsageErrorsEndWithStatus2(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"floaty.yml"},
		{"--fifo"},
		{"--fifo", "a"},
		{"--fifo", "a", "b", "c"},
		{"--nonsense"},
		{"--output", "xml", "--check", "a"},
		{"--check"},
		{"--check", "--fifo", "a", "b"},
		{"--dry-run"},
		{"--version", "x"},
		{"--check", "a", "--nonsense"},
		{"--check", "a", "b", "--", "--json-log"},
		{"a", "--fifo", "b", "--check"},
		{"--check", ""},
	} {
		status, stdout, stderr := run(t, args...)
		if status != 2 || stdout != "" || !strings.Contains(stderr, "usage: floaty") {
			t.Errorf("%q: got status %d, %q, %q, want 2 and a usage text on standard error", args, status, stdout, stderr)
		}
	}
}

func TestFlagsMayFollowTheConfiguration(t *testing.T) {
	w := newEnv(t, one)
	config := w.Path("floaty.yml")
	for _, args := range [][]string{
		{config, "--check", "--output", "json"}, {"--check", config, "--output=json"}, {"--output", "json", config, "-check"}, {"--check", "--output", "json", "--", config},
	} {
		if status, stdout, stderr := run(t, args...); status != 0 || !strings.HasPrefix(stdout, "{") {
			t.Errorf("%q: got status %d, %q and %q, want 0 and JSON", args, status, stdout, stderr)
		}
	}
	if status, stdout, stderr := run(t, config, "--dry-run"); status != 1 || !strings.Contains(stdout, "1 to move") {
		t.Errorf("got status %d, %q and %q, want 1 and a diff", status, stdout, stderr)
	}
	// Arguments that Keepalived adds are not flags, whatever an instance is called.
	if status, _, stderr := run(t, config, "--json-log", "INSTANCE", "--check", "BACKUP", "90"); status != 1 || !strings.HasPrefix(stderr, "{") || !strings.Contains(stderr, "--check") {
		t.Errorf("got status %d and %q, want 1 and a JSON line about an instance with that name", status, stderr)
	}
}

func TestVersionAndHelp(t *testing.T) {
	for _, c := range []struct{ flag, want string }{{"--version", "go1."}, {"-version", "commit"}, {"--help", "--dry-run"}} {
		if status, stdout, _ := run(t, c.flag); status != 0 || !strings.Contains(stdout, c.want) {
			t.Errorf("%s: got status %d and %q, want 0 and %q", c.flag, status, stdout, c.want)
		}
	}
}

func TestFatalLinesAreJSONToo(t *testing.T) {
	status, _, stderr := run(t, "--json-log", "--check", "/nonexistent/floaty.yml")
	var line map[string]any
	if err := json.Unmarshal([]byte(stderr), &line); err != nil || status != 1 || !strings.Contains(line["err"].(string), "/nonexistent/floaty.yml") {
		t.Errorf("got status %d, %v: %q, want 1 and one JSON object that names the file", status, err, stderr)
	}
}

func TestDryRun(t *testing.T) {
	w := newEnv(t, one, two)
	config := w.Path("floaty.yml")
	status, stdout, _ := run(t, "--dry-run", config)
	want := "~ 198.51.100.1   " + stranger + " → " + w.UUID + "   VI_1\n~ 198.51.100.2   " + stranger + " → " + w.UUID + "   VI_1\n2 to move, 0 in place, 0 errors\n"
	if status != 1 || stdout != want {
		t.Errorf("got status %d and\n%s\nwant 1 and\n%s", status, stdout, want)
	}
	w.Cloud.Move(one, w.UUID)
	w.Cloud.Move(two)
	status, stdout, _ = run(t, "--dry-run", "--output", "json", config)
	want = `{"changes":[` +
		`{"address":"198.51.100.1","instances":["VI_1"],"action":"in_place","from":["` + w.UUID + `"],"to":"` + w.UUID + `"},` +
		`{"address":"198.51.100.2","instances":["VI_1"],"action":"move","from":[],"to":"` + w.UUID + `"}],` +
		`"summary":{"move":1,"in_place":1,"error":0}}` + "\n"
	if status != 1 || stdout != want {
		t.Errorf("got status %d and\n%s\nwant 1 and\n%s", status, stdout, want)
	}
	w.Cloud.Move(two, w.UUID)
	if status, stdout, _ = run(t, "--dry-run", config); status != 0 {
		t.Errorf("all in place: got status %d, want 0: %s", status, stdout)
	}
	w.Cloud.RemoveAddress(two)
	if status, stdout, _ = run(t, "--dry-run", config); status != 2 || !strings.Contains(stdout, "! 198.51.100.2   ") {
		t.Errorf("one address missing: got status %d, want 2 and the address: %s", status, stdout)
	}
	w.Cloud.Fail(simulator.Fault{Kind: simulator.Status, Status: 500})
	if status, stdout, _ = run(t, "--dry-run", config); status != 2 || !strings.Contains(stdout, "2 errors") {
		t.Errorf("cloud down: got status %d, want 2 and 2 errors: %s", status, stdout)
	}
	if n := len(w.Writes()); n != 0 {
		t.Errorf("got %d writes by a dry run, want none", n)
	}
}

func TestCheck(t *testing.T) {
	w := newEnv(t, one, two)
	status, stdout, stderr := run(t, "--check", "--output", "json", w.Path("floaty.yml"))
	want := `{"provider":"cloudscale","server":"` + w.UUID + `","instances":[{"name":"VI_1","addresses":["198.51.100.1","198.51.100.2"],"source":"keepalived.conf"}],"groups":[]}` + "\n"
	if status != 0 || stdout != want || stderr != "" {
		t.Errorf("got status %d, %q and\n%s\nwant 0 and\n%s", status, stderr, stdout, want)
	}
	if n := len(w.Cloud.Calls()); n != 0 {
		t.Errorf("got %d calls by an offline check, want none", n)
	}
	if status, stdout, _ := run(t, "--check", w.Path("floaty.yml")); status != 0 || !strings.Contains(stdout, "VI_1") {
		t.Errorf("got status %d and %q, want 0 and the instance", status, stdout)
	}
}
