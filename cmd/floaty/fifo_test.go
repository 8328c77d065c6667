package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestCheckComparesTheFIFOWithKeepalivedConf(t *testing.T) {
	w := newEnv(t, one)
	w.must(os.Symlink(w.Host.Dir, w.Path("link")))
	linked := filepath.Join(w.Path("link"), filepath.Base(w.FIFO))
	text := w.Keepalived(100, "", one)
	named := "vrrp_notify_fifo " + w.FIFO
	without := strings.Replace(text, named, "", 1)
	if !strings.Contains(text, named) {
		t.Fatalf("keepalived.conf lacks %q:\n%s", named, text)
	}
	for _, c := range []struct {
		name, keepalived string
		args             []string
		status           int
		want             string // in the report; empty: the report must not mention a FIFO
	}{
		{"the same path", text, []string{w.FIFO}, 0, ""},
		{"the same path through a link", text, []string{linked}, 0, ""},
		{"the same path as notify_fifo", strings.Replace(text, named, "notify_fifo "+linked, 1), []string{w.FIFO}, 0, ""},
		{"a typo", text, []string{w.FIFO + "s"}, 1, "keepalived.conf names a different FIFO from the one that this daemon reads"},
		{"no FIFO line", without, []string{w.FIFO}, 1, "keepalived.conf has no vrrp_notify_fifo"},
		{"no FIFO line and no argument", without, nil, 0, "keepalived.conf has no vrrp_notify_fifo"},
		{"no argument", text, nil, 0, ""},
		{"a directory", text, []string{w.Host.Dir}, 1, "it is a directory"},
		{"an empty path", text, []string{""}, 1, "the path is empty"},
	} {
		w.must(w.Configure("keepalived.conf", c.keepalived))
		status, stdout, stderr := run(t, append([]string{"--check", w.Path("floaty.yml")}, c.args...)...)
		if status != c.status || !strings.Contains(stdout+stderr, c.want) || c.want == "" && strings.Contains(stdout, "FIFO") {
			t.Errorf("%s: got %d\n%s%s\nwant %d and %q", c.name, status, stdout, stderr, c.status, c.want)
		}
	}
}

func TestADaemonWithAnUnusableFIFOEndsAtOnce(t *testing.T) {
	w := newEnv(t, one)
	for path, want := range map[string]string{w.Host.Dir: "it is a directory", w.Path("floaty.yml"): "it is a regular file", "": "the path is empty"} {
		if status, _, stderr := run(t, "--fifo", w.Path("floaty.yml"), path); status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%q: got %d: %s\nwant 1: %s", path, status, stderr, want)
		}
	}
}

func TestAnotherFIFOInKeepalivedConfIsLogged(t *testing.T) {
	w := newEnv(t, one)
	other := strings.Replace(w.Keepalived(100, "", one), w.FIFO, w.FIFO+"s", 1)
	w.start()
	if n := w.loggedInTotal("from the one that this daemon reads"); n != 0 {
		t.Errorf("got %d lines about another FIFO, want none", n)
	}
	w.must(w.Configure("keepalived.conf", other))
	w.eventually("a reload logs the other FIFO", 10*time.Second, func() bool { return w.logged("from the one that this daemon reads") == 1 })
	startNamedKeepalived(t, "east", w.Path("vrrp.pid"))
	w.eventually("the missing writer is logged", 30*time.Second, func() bool { return w.logged("no process has the FIFO open for writing") == 1 })
	w.says("BACKUP")
	w.eventually("the new writer is logged", 10*time.Second, func() bool { return w.logged("the FIFO has a writer again") == 1 })
}

func TestASilentKeepalivedIsLogged(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	f, err := os.OpenFile(w.FIFO, os.O_RDWR|unix.O_NONBLOCK, 0)
	w.must(err)
	defer func() { _ = f.Close() }()
	w.eventually("the missing state is logged", 20*time.Second, func() bool { return w.logged("no state received for this instance yet") == 1 })
	if w.loggedInTotal("restart Keepalived") != 1 || w.loggedInTotal("vrrp_startup_delay") != 1 {
		t.Errorf("got this log, want it to advise what to do:\n%s", w.Log())
	}
}
