package main_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A manager is systemd's end of a service's notify socket.
type manager struct {
	*testing.T
	socket *net.UnixConn
	path   string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	path := t.TempDir() + "/notify"
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	return &manager{t, socket, path}
}

// next returns the next message, or an empty string if none comes within this time.
func (m *manager) next(within time.Duration) string {
	m.Helper()
	if err := m.socket.SetReadDeadline(time.Now().Add(within)); err != nil {
		m.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := m.socket.Read(buf)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ""
	}
	if err != nil {
		m.Fatal(err)
	}
	return string(buf[:n])
}

// expect reads messages, skips those of the watchdog, and fails unless the next one is want.
func (m *manager) expect(want string) {
	m.Helper()
	got := "WATCHDOG=1"
	for deadline := time.Now().Add(10 * time.Second); got == "WATCHDOG=1"; {
		got = m.next(time.Until(deadline))
	}
	if got != want {
		m.Fatalf("got the message %q, want %q", got, want)
	}
}

// supervise starts the daemon of an env, with the environment variables that systemd sets; the end of the test kills it.
func supervise(w *env, env ...string) *os.Process {
	w.Helper()
	cmd := exec.Command(program, "--fifo", w.Path("floaty.yml"), w.FIFO) //nolint:gosec // our own arguments
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SYSTEMD_EXEC_PID=") }), env...)
	w.must(cmd.Start())
	w.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process
}

func TestSystemdIsNotifiedOfStartReloadAndEnd(t *testing.T) {
	w := newEnv(t, one)
	systemd := newManager(t)
	p := supervise(w, "NOTIFY_SOCKET="+systemd.path, "WATCHDOG_USEC="+strconv.Itoa(int(3*time.Second/time.Microsecond)))
	systemd.expect("READY=1")
	if info, err := os.Stat(w.FIFO); err != nil || info.Mode().Type() != os.ModeNamedPipe {
		t.Errorf("got floaty ready without a FIFO (%v), want a FIFO", err)
	}
	for range 3 {
		if got := systemd.next(10 * time.Second); got != "WATCHDOG=1" {
			t.Fatalf("got the message %q, want WATCHDOG=1 again and again", got)
		}
	}
	for _, text := range []string{w.Floaty(), "provider: [", w.Floaty()} { // a broken one ends the reload, too
		w.must(w.Configure("floaty.yml", text))
		w.must(p.Signal(syscall.SIGHUP))
		systemd.expect("RELOADING=1")
		systemd.expect("READY=1")
	}
	w.must(p.Signal(syscall.SIGTERM))
	systemd.expect("STOPPING=1")
}

func TestAStoppedProcessDoesNotFeedTheWatchdog(t *testing.T) {
	w := newEnv(t, one)
	systemd := newManager(t)
	p := supervise(w, "NOTIFY_SOCKET="+systemd.path, "WATCHDOG_USEC=600000")
	systemd.expect("READY=1")
	w.must(p.Signal(syscall.SIGSTOP))
	for systemd.next(time.Second) != "" { // skips what was sent before
	}
	if got := systemd.next(time.Second); got != "" {
		t.Errorf("got the message %q from a stopped floaty, want none", got)
	}
}

// Keepalived passes its environment on to the floaty that it starts. A message from that process would count as one from Keepalived.
func TestTheSocketOfAnotherServiceIsNotUsed(t *testing.T) {
	w := newEnv(t, one)
	systemd := newManager(t)
	p := supervise(w, "NOTIFY_SOCKET="+systemd.path, "SYSTEMD_EXEC_PID="+strconv.Itoa(os.Getpid()))
	w.eventually("floaty makes the FIFO", 5*time.Second, func() bool { _, err := os.Stat(w.FIFO); return err == nil })
	if got := systemd.next(2500 * time.Millisecond); got != "" {
		t.Errorf("got the message %q at another service's socket, want none", got)
	}
	w.must(p.Signal(syscall.SIGTERM))
	if got := systemd.next(time.Second); got != "" {
		t.Errorf("got the message %q at another service's socket, want none", got)
	}
}
