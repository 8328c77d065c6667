// Package nagios_test runs check_floaty, the plugin for Nagios and Icinga, with prepared answers and against a real floaty.
package nagios_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Exit statuses of a plugin.
const (
	ok       = 0
	warning  = 1
	critical = 2
	unknown  = 3
)

// check runs the plugin and returns its exit status and what it printed.
func check(t *testing.T, args ...string) (status int, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "./check_floaty", args...).Output() //nolint:gosec // no foreign input
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit != nil {
		status = exit.ExitCode()
	}
	return status, string(out)
}

// answers creates a program that stands in for floaty: it prints out and err, and exits with status.
func answers(t *testing.T, out, err string, status int) (program string) {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "out"), []byte(out), 0o600),
		os.WriteFile(filepath.Join(dir, "err"), []byte(err), 0o600),
		os.WriteFile(filepath.Join(dir, "floaty"), []byte(fmt.Sprintf("#!/bin/sh\ncd %s && cat out && cat err >&2\nexit %d\n", dir, status)), 0o700), //nolint:gosec // a program
	); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "floaty")
}

// status returns the JSON of a healthy daemon; tests replace parts of it.
func status(lastRead time.Time) string {
	return `{"version":"2.0.0","ready":true,"not_ready":[],"provider":"cloudscale","keepalived":{"connected":true},
		"instances":[{"name":"VI_1","state":"MASTER"},{"name":"VI_2","state":"BACKUP"}],
		"addresses":[
			{"address":"198.51.100.7","instances":["VI_1"],"desired":true,"in_place":true,"targets":["1111"],"contested":false,"error":""},
			{"address":"2001:db8::7","instances":["VI_2"],"desired":false,"in_place":false,"targets":["2222"],"contested":false,"error":""}],
		"config":{"loaded":"2026-11-29T01:00:00Z","error":""},
		"cloud":{"last_read":"` + lastRead.Format(time.RFC3339Nano) + `","error":"","retry":null},
		"events":[{"kind":"state","text":"a \"quote\", a \\ and \u00e9 \/ ] } ,"}]}`
}

func TestEachStateHasItsExitStatusAndReason(t *testing.T) {
	now := time.Now()
	tests := map[string]struct {
		old, new string // replaced in a healthy status
		age      time.Duration
		args     []string
		want     int
		first    string // the start of the first line
		lines    []string
	}{
		"a healthy daemon": {want: ok, first: "FLOATY OK: 1 of 1 addresses in place, MASTER of 1 of 2 instances | "},
		"not in place": {
			old: `"desired":true,"in_place":true,"targets":["1111"],"contested":false,"error":""`,
			new: `"desired":true,"in_place":false,"targets":[],"contested":false,"error":"assigning 198.51.100.7: 403 | x\u001b[31m"`,
			// a "|" would start the performance data
			want: critical, first: "FLOATY CRITICAL: 198.51.100.7 belongs here and is not in place: assigning 198.51.100.7: 403 / x?[31m | ",
		},
		"contested": {
			old: `"contested":false,"error":""},`, new: `"contested":true,"error":""},`,
			want: critical, first: "FLOATY CRITICAL: 198.51.100.7 is contested | ",
		},
		"two problems at once": {
			old: `"ready":true,"not_ready":[]`, new: `"ready":false,"not_ready":["no writer","VI_2 is not known"]`,
			age: 301 * time.Second, want: warning, first: "FLOATY WARNING: the last reading of the cloud is ",
			lines: []string{"(and 1 more)", "\nWARNING: not ready: no writer; VI_2 is not known\n"},
		},
		"not ready": {
			old: `"ready":true,"not_ready":[]`, new: `"ready":false,"not_ready":["no writer","VI_2 is not known"]`,
			want: warning, first: "FLOATY WARNING: not ready: no writer; VI_2 is not known | ",
		},
		"a failed reload": {
			old: `01:00:00Z","error":""`, new: `01:00:00Z","error":"floaty.yml:3: unknown key"`,
			want: warning, first: "FLOATY WARNING: the configuration is unusable, the previous one is in force: floaty.yml:3: unknown key | ",
		},
		"an old reading":                   {age: 301 * time.Second, want: warning, first: "FLOATY WARNING: the last reading of the cloud is 30"},
		"a very old reading":               {age: 901 * time.Second, want: critical, first: "FLOATY CRITICAL: the last reading of the cloud is 90"},
		"thresholds from the command line": {age: 30 * time.Second, args: []string{"-w", "10", "-c", "60"}, want: warning, first: "FLOATY WARNING: the last reading of the cloud is 3"},
		"no reading yet":                   {old: `"last_read":"`, new: `"last":"`, want: ok, first: "FLOATY OK: ", lines: []string{" last_read_age=U;300;900;0\n"}},
		"an empty list":                    {old: `"instances":[{"name":"VI_1","state":"MASTER"},{"name":"VI_2","state":"BACKUP"}]`, new: `"instances": [ ]`, want: ok, first: "FLOATY OK: 1 of 1 addresses in place, MASTER of 0 of 0 instances"},
		"a truncated answer":               {old: `"events":`, new: "\x00", want: unknown, first: "FLOATY UNKNOWN: the status is not usable: "},
		"an answer that is HTML":           {old: `{"version"`, new: `<html>{"version"`, want: unknown, first: "FLOATY UNKNOWN: the status is not usable: no value at byte 1"},
		"no addresses":                     {old: `"addresses":`, new: `"adresses":`, want: unknown, first: "FLOATY UNKNOWN: the status is not usable: it lacks the addresses"},
		"an unusable readiness":            {old: `"ready":true`, new: `"ready":"maybe"`, want: unknown, first: "FLOATY UNKNOWN: the status is not usable: it does not say whether it is ready"},
		"an invalid threshold":             {args: []string{"-w", "5m"}, want: unknown, first: `FLOATY UNKNOWN: "5m" is not a number of seconds`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := status(now.Add(-test.age))
			if !strings.Contains(answer, test.old) {
				t.Fatalf("the status has no %q to be replaced", test.old)
			}
			answer = strings.Replace(answer, test.old, test.new, 1)
			got, text := check(t, append(test.args, "-f", answers(t, answer, "", 0), "/run/floaty/socket")...)
			if got != test.want || !strings.HasPrefix(text, test.first) {
				t.Errorf("got %d and %q, want %d and %q first", got, text, test.want, test.first)
			}
			for _, line := range test.lines {
				if !strings.Contains(text, line) {
					t.Errorf("got %q, want %q in it", text, line)
				}
			}
		})
	}
}

func TestThePerformanceDataIsComplete(t *testing.T) {
	t.Parallel()
	_, text := check(t, "-f", answers(t, status(time.Now()), "", 0), "/run/floaty/socket")
	_, data, _ := strings.Cut(text, " | ")
	want := "addresses=2;;;0 desired=1;;;0 in_place=1;;;0 contested=0;;;0 instances=2;;;0 masters=1;;;0 ready=1;;;0;1 last_read_age="
	if !strings.HasPrefix(data, want) || !strings.HasSuffix(data, "s;300;900;0\n") {
		t.Errorf("got %q, want %q and an age in seconds", data, want)
	}
}

// A time in RFC 3339 may be in any time zone.
func TestTheAgeOfAReadingIsRightInEachTimeZone(t *testing.T) {
	t.Parallel()
	for _, zone := range []int{0, 3600, -9*3600 - 1800, 14 * 3600} {
		read := time.Now().Add(-1000 * time.Second).In(time.FixedZone("", zone))
		got, text := check(t, "-f", answers(t, status(read), "", 0), "/run/floaty/socket")
		if got != critical || !strings.Contains(text, "last_read_age=10") {
			t.Errorf("read at %s: got %d and %q, want %d and about 1000 s", read.Format(time.RFC3339), got, text, critical)
		}
	}
}

func TestNoAnswerIsCriticalAndNoPermissionIsUnknown(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		program string
		want    int
		text    string
	}{
		{answers(t, "", "floaty: no daemon listens on /run/floaty/socket\n", 1), critical, "FLOATY CRITICAL: no status from /run/floaty/socket: floaty: no daemon listens on /run/floaty/socket"},
		{answers(t, "", "floaty: /run/floaty/socket: no permission: only root may ask\n", 1), unknown, "FLOATY UNKNOWN: floaty: /run/floaty/socket: no permission: only root may ask"},
		{"/no/such/floaty", unknown, "FLOATY UNKNOWN: there is no program /no/such/floaty"},
	} {
		if got, text := check(t, "-f", test.program, "/run/floaty/socket"); got != test.want || !strings.HasPrefix(text, test.text) {
			t.Errorf("got %d and %q, want %d and %q", got, text, test.want, test.text)
		}
	}
	if got, text := check(t); got != unknown || !strings.HasPrefix(text, "FLOATY UNKNOWN: wrong usage") {
		t.Errorf("without arguments: got %d and %q, want %d", got, text, unknown)
	}
}

func TestAFloatyThatHangsIsCritical(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "floaty")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexec sleep 600\n"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	if got, text := check(t, "-t", "1", "-f", program, "/run/floaty/socket"); got != critical || !strings.Contains(text, "it did not answer within 1 s") {
		t.Errorf("got %d and %q, want %d", got, text, critical)
	}
}
