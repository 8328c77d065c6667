package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"floaty/hack/testenv"
)

const mostMemory = 128 << 10 // limit of floaty's peak memory in KiB

// A host is a floaty daemon. The test acts as its Keepalived.
type host struct {
	t    *testing.T
	dir  string
	cmd  *exec.Cmd
	done chan struct{}
	fifo *os.File
}

// startHost starts floaty and returns once its FIFO exists.
func (w *env) startHost() *host {
	w.t.Helper()
	h := &host{t: w.t, dir: w.t.TempDir(), done: make(chan struct{})}
	h.write("floaty.yml", w.floatyYML(h.dir))
	h.write("keepalived.conf", "vrrp_instance VI_1 {\n    interface lo\n}\n")
	out, err := os.Create(h.path("log"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer out.Close()                                                                           //nolint:errcheck // the command has its own copy
	h.cmd = exec.Command(program, "--json-log", "--fifo", h.path("floaty.yml"), h.path("fifo")) //nolint:gosec // no foreign input
	h.cmd.Stdout, h.cmd.Stderr = out, out
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := h.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		_ = h.cmd.Wait() // its status is in cmd
		close(h.done)
	}()
	w.t.Cleanup(h.kill)
	w.soon("floaty creates the FIFO", 10*time.Second, func() bool {
		h.fifo, err = os.OpenFile(h.path("fifo"), os.O_RDWR|unix.O_NONBLOCK, 0)
		return err == nil
	})
	return h
}

func (h *host) path(name string) string { return filepath.Join(h.dir, name) }

func (h *host) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(h.path(name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// says writes a state into the FIFO, as Keepalived does.
func (h *host) says(state string) {
	h.t.Helper()
	if _, err := fmt.Fprintf(h.fifo, "INSTANCE \"VI_1\" %s 100\n", state); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) log() string {
	text, err := os.ReadFile(h.path("log"))
	if err != nil {
		h.t.Error(err)
	}
	return string(text)
}

// end ends floaty and checks its log, memory and exit status.
func (h *host) end() {
	h.t.Helper()
	if got := h.memory(); got == 0 || got > mostMemory {
		h.t.Errorf("got a peak memory of %d KiB, want at most %d", got, mostMemory)
	}
	_ = h.cmd.Process.Signal(syscall.SIGTERM) // if floaty has ended before, its exit status shows that
	select {
	case <-h.done:
		if got := h.cmd.ProcessState.ExitCode(); got != 0 {
			h.t.Errorf("got exit status %d, want 0", got)
		}
	case <-time.After(5 * time.Second):
		h.t.Error("still running 5 s after SIGTERM")
	}
	for line := range strings.Lines(h.log()) {
		if !json.Valid([]byte(line)) {
			h.t.Errorf("got the line %q, want only JSON from the logger", line)
		}
		for _, secret := range []string{testenv.Token, testenv.Secret, testenv.Key} {
			if strings.Contains(line, secret) {
				h.t.Errorf("got the line %q, want no credential in it", line)
			}
		}
	}
}

// memory returns floaty's peak memory in KiB; 0 if it has ended.
func (h *host) memory() int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			return kib
		}
	}
	return 0
}

func (h *host) kill() {
	_ = h.cmd.Process.Kill() // fails if it has ended
	<-h.done
	if h.fifo != nil {
		_ = h.fifo.Close()
	}
	if h.t.Failed() {
		h.t.Logf("log of floaty:\n%s", h.log())
	}
}
