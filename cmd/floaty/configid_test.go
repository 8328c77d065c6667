package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startNamedKeepalived starts a shell that floaty takes for a Keepalived with this config ID, and writes its pid file.
func startNamedKeepalived(t *testing.T, id, pidFile string, files ...*os.File) {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(shell) //nolint:gosec // a program of the system
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keepalived")
	syscall.ForkLock.RLock()              // a process that another test forks now would inherit the file open for writing: "text file busy"
	err = os.WriteFile(path, data, 0o700) //nolint:gosec // a program
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "-c", "read x", "-i", id) //nolint:gosec // sh treats the last two as positional parameters
	cmd.ExtraFiles = files
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // it fails, because read found the end of its input
	})
	if err := os.WriteFile(pidFile, fmt.Appendf(nil, "%d\n", cmd.Process.Pid), 0o600); err != nil {
		t.Fatal(err)
	}
}

// conditional limits the first address to hosts with the config ID east. The second address is for all hosts.
func (w *env) conditional() {
	w.Helper()
	text := strings.Replace(w.Keepalived(100, "", one, two), one.String(), "@east "+one.String(), 1)
	w.must(w.Configure("keepalived.conf", text))
}

func TestTheConfigIDIsThatOfTheRunningKeepalived(t *testing.T) {
	w := newEnv(t, one, two)
	w.conditional()
	check := func() string {
		status, stdout, stderr := run(t, "--check", w.Path("floaty.yml"))
		if status > 1 {
			t.Errorf("got status %d, want 0 or 1: %s", status, stderr)
		}
		return stdout + stderr
	}
	if got := check(); strings.Contains(got, one.String()+" ") || !strings.Contains(got, "@east: ignored") {
		t.Errorf("got %s, want %v ignored with a warning", got, one)
	}
	startNamedKeepalived(t, "east", w.Path("vrrp.pid"))
	if got := check(); !strings.Contains(got, one.String()) || strings.Contains(got, "@east: ignored") {
		t.Errorf("got %s, want %v and no warning", got, one)
	}
	w.must(w.Configure("floaty.yml", w.Floaty()+"keepalived-config-id: west\n"))
	if got := check(); strings.Contains(got, one.String()) || strings.Contains(got, "@east: ignored") {
		t.Errorf("with keepalived-config-id: got %s, want neither %v nor a warning", got, one)
	}
}

func TestTheDaemonLearnsTheConfigIDWhenKeepalivedStarts(t *testing.T) {
	w := newEnv(t, one, two)
	w.conditional()
	w.start()
	if n := w.loggedInTotal("@east: ignored"); n != 1 {
		t.Errorf("got %d warnings, want one", n)
	}
	w.must(w.HangUpFloaty()) // creating the FIFO makes floaty read once more: that read must be over before Keepalived starts
	w.eventually("floaty has read the configuration again", 5*time.Second, func() bool { return w.logged("nothing has changed") == 1 })
	fifo, err := os.OpenFile(w.FIFO, os.O_RDWR|syscall.O_NONBLOCK, 0)
	w.must(err)
	startNamedKeepalived(t, "east", w.Path("vrrp.pid"), fifo)
	w.must(fifo.Close())
	w.says("MASTER")
	w.holds(10*time.Second, one, two)
}
