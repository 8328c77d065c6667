package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"floaty/cmd/floaty/internal/report"
)

// A screen is a terminal that records what is written to it.
type screen struct {
	terminal *os.File // what the program writes to
	mu       sync.Mutex
	text     strings.Builder // guarded by mu
}

// newScreen opens a pseudoterminal of 200 columns and 50 rows.
func newScreen(t *testing.T) *screen {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudoterminals here: %v", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	s := new(screen)
	if s.terminal, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.terminal.Close() })
	if err := unix.IoctlSetWinsize(int(s.terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: 200, Row: 50}); err != nil {
		t.Fatal(err)
	}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			s.mu.Lock()
			s.text.Write(buf[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s
}

// last returns what was written since drawing last began at the top of the screen.
func (s *screen) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.text.String()
	return text[max(strings.LastIndex(text, "\x1b[H"), 0):]
}

func (s *screen) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func TestATakeoverIsWatchedOnATerminal(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	s := newScreen(t)
	cmd := exec.CommandContext(t.Context(), program, "--status", "--watch", w.Path("floaty.yml")) //nolint:gosec // our own arguments
	cmd.Stdout, cmd.Env = s.terminal, append(os.Environ(), "TERM=xterm", "NO_COLOR=1")
	w.must(cmd.Start())
	drawn := func(text string) func() bool { return func() bool { return strings.Contains(s.last(), text) } }
	w.eventually("the screen shows the standby", 5*time.Second, drawn("standby"))
	w.says("MASTER")
	w.eventually("the screen shows the takeover", 10*time.Second, drawn("in place   this server"))
	w.StopFloaty()
	w.eventually("the screen shows that floaty has gone, above the last status", 10*time.Second, func() bool {
		return drawn("out of touch: ")() && drawn("in place   this server")()
	})
	w.must(w.StartFloaty())
	w.eventually("the screen shows that floaty is back", 10*time.Second, func() bool { return drawn("ADDRESS")() && !drawn("out of touch")() })
	w.must(cmd.Process.Signal(syscall.SIGINT))
	if err := cmd.Wait(); err != nil {
		t.Errorf("Ctrl-C: got %v, want exit status 0", err)
	}
	w.eventually("the screen is restored", 5*time.Second, s.restored)
	if !strings.HasPrefix(s.all(), "\x1b[?1049h\x1b[?25l") {
		t.Errorf("got %.40q first, want a switch to the alternate screen", s.all())
	}
}

// The terminal shows its earlier content again however the watch ends, and also while it is stopped.
func TestTheScreenIsRestored(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	for _, end := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		s := newScreen(t)
		cmd := exec.CommandContext(t.Context(), program, "--status", "--watch", w.socket()) //nolint:gosec // our own arguments
		cmd.Stdout, cmd.Env = s.terminal, append(os.Environ(), "TERM=xterm")
		w.must(cmd.Start())
		drawn := func() bool { return strings.Contains(s.last(), "ADDRESS") && !s.restored() }
		w.eventually("the screen shows the status", 5*time.Second, drawn)
		w.must(cmd.Process.Signal(syscall.SIGTSTP))
		w.eventually("Ctrl-Z: the screen is restored", 5*time.Second, s.restored)
		w.eventually("Ctrl-Z: the watch is stopped", 5*time.Second, func() bool {
			stat, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/stat")
			return err == nil && strings.Contains(string(stat), ") T ")
		})
		w.must(cmd.Process.Signal(syscall.SIGCONT))
		w.eventually("the screen shows the status again", 5*time.Second, drawn)
		w.must(cmd.Process.Signal(end))
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: got %v, want exit status 0", end, err)
		}
		w.eventually(end.String()+": the screen is restored", 5*time.Second, s.restored)
	}
}

// restored reports whether the program has left the terminal as it was.
func (s *screen) restored() bool { return strings.HasSuffix(s.all(), "\x1b[?25h\x1b[?1049l") }

func TestAReaderThatClosesThePipeCausesNoError(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	r, out, err := os.Pipe()
	w.must(err)
	var stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), program, "--status", "--watch", w.socket()) //nolint:gosec // our own arguments
	cmd.Stdout, cmd.Stderr = out, &stderr
	w.must(cmd.Start())
	_ = out.Close()
	_, err = r.Read(make([]byte, 1))
	w.must(err)
	_ = r.Close()
	if err := cmd.Wait(); err != nil || stderr.Len() > 0 {
		t.Errorf("got %v and %q, want exit status 0 and no output", err, stderr.String())
	}
}

func TestAScriptCanFollowTheStatus(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	out, err := os.Create(w.Path("followed.json"))
	w.must(err)
	defer func() { _ = out.Close() }()
	cmd := exec.CommandContext(t.Context(), program, "--status", "--watch", "--output", "json", w.socket()) //nolint:gosec // our own arguments
	cmd.Stdout = out
	w.must(cmd.Start())
	w.eventually("two objects are written", 10*time.Second, func() bool {
		text, err := os.ReadFile(out.Name())
		return err == nil && strings.Count(string(text), "\n") >= 2
	})
	w.must(cmd.Process.Signal(syscall.SIGINT))
	if err := cmd.Wait(); err != nil {
		t.Errorf("Ctrl-C: got %v, want exit status 0", err)
	}
	text, err := os.ReadFile(out.Name())
	w.must(err)
	for line := range strings.Lines(string(text)) {
		var s report.Status
		if err := json.Unmarshal([]byte(line), &s); err != nil || len(s.Addresses) != 1 {
			t.Errorf("got %q, %v, want a status per line", line, err)
		}
	}
}
