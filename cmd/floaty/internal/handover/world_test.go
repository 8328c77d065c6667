package handover

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what must come; it tells late from never and costs nothing where all is well.
const patience = 30 * time.Second

// A world is a host with a directory for locks, and the processes that a test starts on it.
type world struct {
	t      *testing.T
	dir    string
	path   string // of the lock file that is meant where none is named
	binary string
	out    *os.File // where the processes say what happens to them
	life   *os.File // they end once the test closes the other end

	mu   sync.Mutex // guards said
	said []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	w := &world{t: t, dir: t.TempDir()}
	w.path = filepath.Join(w.dir, "floaty-VI_1.lock")
	in, out, err := os.Pipe()
	w.must(err)
	life, lifeline, err := os.Pipe()
	w.must(err)
	w.out, w.life = out, life
	w.binary, err = os.Executable()
	w.must(err)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for lines := bufio.NewScanner(in); lines.Scan(); {
			w.mu.Lock()
			w.said = append(w.said, lines.Text())
			w.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = lifeline.Close()
		_ = life.Close()
		_ = out.Close()
		select { // the end of the output is the end of the last process that could write it
		case <-heard:
		case <-time.After(patience):
			t.Errorf("processes are left after %v, want none", patience)
		}
		_ = in.Close()
		if t.Failed() {
			t.Log("the processes said:\n" + strings.Join(w.said, "\n"))
		}
	})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// master and backup are events with a patience of their own.
func (w *world) master(name string) role {
	return role{Kind: "event", Name: name, State: "MASTER", Path: w.path, Timeout: patience, Umask: 0o022}
}

func (w *world) backup(name string) role {
	r := w.master(name)
	r.State = "BACKUP"
	return r
}

// wrap is a script around events.
func (w *world) wrap(events ...role) role {
	return role{Kind: "wrapper", Name: events[0].Name + "-script", Binary: w.binary, Children: events}
}

// start starts a process and returns its ID.
func (w *world) start(r role) (pid int) {
	w.t.Helper()
	return w.run(r.command(w.binary, w.out, w.life))
}

func (w *world) run(cmd *exec.Cmd) (pid int) {
	w.t.Helper()
	w.must(cmd.Start())
	w.t.Cleanup(func() { // comes before the world's own
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

// holds starts a MASTER and waits until it holds its lock.
func (w *world) holds(r role) (pid int) {
	w.t.Helper()
	pid = w.start(r)
	w.hears(r.Name + " holds")
	return pid
}

func (w *world) kill(pid int, s unix.Signal) {
	w.t.Helper()
	w.must(unix.Kill(pid, s))
}

// pidFile makes a pid file of that process.
func (w *world) pidFile(pid int) (path string) {
	w.t.Helper()
	path = filepath.Join(w.t.TempDir(), "vrrp.pid")
	w.must(os.WriteFile(path, fmt.Appendf(nil, "%d\n", pid), 0o600))
	return path
}

// gate makes a gate, which is shut.
func (w *world) gate(name string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	w.must(unix.Mkfifo(path, 0o600))
	return path
}

// open opens a gate once somebody waits there.
func (w *world) open(gate string) {
	w.t.Helper()
	eventually(w.t, func() (string, bool) {
		fd, err := unix.Open(gate, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Sprintf("nobody at the gate: %v", err), false
		}
		_ = unix.Close(fd)
		return "", true
	})
}

// heard returns what was said that starts so.
func (w *world) heard(prefix string) (lines []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.said {
		if strings.HasPrefix(line, prefix) {
			lines = append(lines, line)
		}
	}
	return lines
}

// hears waits until something is said that starts so, and returns it.
func (w *world) hears(prefix string) (line string) {
	w.t.Helper()
	eventually(w.t, func() (string, bool) {
		lines := w.heard(prefix)
		if len(lines) == 0 {
			return fmt.Sprintf("nobody said %q", prefix), false
		}
		line = lines[0]
		return "", true
	})
	return line
}

// silent asserts that nothing was said that starts so.
func (w *world) silent(prefix string) {
	w.t.Helper()
	if got := w.heard(prefix); len(got) > 0 {
		w.t.Errorf("got %q, want nothing of that kind", got)
	}
}

// pidOf is the process of that name, once it has said so.
func (w *world) pidOf(name string) int {
	w.t.Helper()
	pid, err := strconv.Atoi(strings.TrimPrefix(w.hears(name+" pid "), name+" pid "))
	w.must(err)
	return pid
}

// holder is who holds the lock of that file, as the kernel sees it; 0 for nobody.
func (w *world) holder(path string) int {
	w.t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // of the test's own directory
	w.must(err)
	defer func() { _ = f.Close() }()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	w.must(unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock))
	if lock.Type == unix.F_UNLCK {
		return 0
	}
	return int(lock.Pid)
}

// has asserts what is in a file.
func (w *world) has(path string, ok func(text string) bool, want string) {
	w.t.Helper()
	text, err := os.ReadFile(path) //nolint:gosec // of the test's own directory
	if err != nil || !ok(string(text)) {
		w.t.Errorf("%s: got %.200q, %v, want %s", path, text, err, want)
	}
}

// still asserts that a file is as it was.
func (w *world) still(path, want string) {
	w.t.Helper()
	w.has(path, func(text string) bool { return text == want }, fmt.Sprintf("%.200q", want))
}

// recorded asserts that a process's order is the newest, if it has no Keepalived.
func (w *world) recorded(pid int) {
	w.t.Helper()
	end := fmt.Sprintf(" %d\n", pid)
	w.has(w.path, func(text string) bool { return strings.HasSuffix(text, end) }, fmt.Sprintf("an order that ends %q", end))
}

// held asserts who holds the lock, at last.
func (w *world) held(pid int) {
	w.t.Helper()
	eventually(w.t, func() (string, bool) {
		got := w.holder(w.path)
		return fmt.Sprintf("lock held by %d, want %d", got, pid), got == pid
	})
}

// take takes the lock in the test's own process, which must not look at the lock by other ways as long as it holds it.
func (w *world) take(ctx context.Context, timeout time.Duration) (*Lock, error) {
	return Take(ctx, Options{Path: w.path, Timeout: timeout, Log: logr.Discard()})
}

// apart is a command in a PID namespace of its own, if the kernel lets us.
func apart(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	return cmd
}

// eventually waits for something to be true.
func eventually(t *testing.T, is func() (got string, ok bool)) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		got, ok := is()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %s", patience, got)
		}
	}
}
