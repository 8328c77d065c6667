package main

import (
	"strings"
	"testing"
)

func TestUsageErrorsNameTheFlagInOneLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want []string // the line must contain all of these
	}{
		{[]string{"--nope"}, []string{"-nope"}},
		{[]string{"extra"}, []string{`"extra"`}},
		{[]string{"--latency"}, []string{"-latency"}},
		{[]string{"--latency", "soon"}, []string{"-latency", `"soon"`}},
		{[]string{"--latency", "-1s"}, []string{"-latency", `"-1s"`, "must not be negative"}},
		{[]string{"--operation-time", "-1s"}, []string{"-operation-time", `"-1s"`, "must not be negative"}},
		{[]string{"--exoscale-key", "EXO1"}, []string{"-exoscale-key", `"EXO1"`, "KEY:SECRET"}},
		{[]string{"--exoscale-key", ":s"}, []string{"-exoscale-key", `":s"`, "KEY:SECRET"}},
		{[]string{"--managed", "192.0.2.1/32"}, []string{"-managed", `"192.0.2.1/32"`}},
		{[]string{"--managed", "192.0.2.1"}, []string{"-managed", `"192.0.2.1"`, "no -address"}},
		{[]string{"--token", ""}, []string{"-token", "empty"}},
		{[]string{"--tls", ""}, []string{"-tls", "empty"}},
		{[]string{"--listen", "8080"}, []string{"-listen", `"8080"`, "missing port"}},
		{[]string{"--server", lb1}, []string{"-server", lb1, "UUID=NAME"}},
		{[]string{"--server", "1=lb1"}, []string{"-server", `"1=lb1"`, "UUID"}},
		{[]string{"--metadata", "lb1"}, []string{"-metadata", `"lb1"`, "UUID"}},
		{[]string{"--address", "here"}, []string{"-address", `"here"`}},
		{[]string{"--address", "192.0.2.0/24"}, []string{"-address", `"192.0.2.0/24"`, "/32"}},
		{[]string{"--address", "2001:db8::1/56"}, []string{"-address", `"2001:db8::1/56"`, "2001:db8::/56"}},
		{[]string{"--address", "192.0.2.1/32=lb1"}, []string{"-address", `"192.0.2.1/32=lb1"`, "UUID"}},
		{[]string{"--address", "192.0.2.1/32=" + lb1, "--server", lb2 + "=lb2"}, []string{"-address", lb1, "no -server"}},
		{[]string{"--quiet=perhaps"}, []string{"-quiet", `"perhaps"`}},
	} {
		var stdout, stderr strings.Builder
		if got := run(t.Context(), test.args, &stdout, &stderr); got != exitUsage {
			t.Errorf("%q: got status %d, want %d", test.args, got, exitUsage)
		}
		got := stderr.String()
		if strings.Count(got, "\n") != 1 || stdout.Len() != 0 {
			t.Errorf("%q: got %q, and %q on standard output, want one line, and nothing on standard output", test.args, got, stdout.String())
		}
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%q: got %q, want %s in it", test.args, got, want)
			}
		}
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	t.Parallel()
	var stdout, stderr strings.Builder
	if got := run(t.Context(), []string{"--help"}, &stdout, &stderr); got != exitOK || stderr.Len() != 0 {
		t.Errorf("got status %d and %q, want %d and nothing", got, stderr.String(), exitOK)
	}
	for _, want := range []string{"listen", "tls", "token", "server", "address", "latency", "metadata", "quiet", "exoscale-key", "managed", "operation-time"} {
		if !strings.Contains(stdout.String(), "\n  --"+want+" ") {
			t.Errorf("got %s\nwant --%s in it", stdout.String(), want)
		}
	}
}
