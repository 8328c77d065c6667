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

// patience is how long a test waits for something that must happen. A test that passes does not wait that long.
const patience = 30 * time.Second

// A testEnv is a host with a directory for locks, and the processes that a test starts on it.
type testEnv struct {
	t      *testing.T
	dir    string
	path   string // the lock file of events, by default
	binary string
	out    *os.File // the output of the processes
	life   *os.File // the processes end when the test closes the other end

	mu    sync.Mutex // guards lines
	lines []string
}

func newEnv(t *testing.T) *testEnv {
	t.Helper()
	t.Parallel()
	env := &testEnv{t: t, dir: t.TempDir()}
	env.path = filepath.Join(env.dir, "floaty-VI_1.lock")
	in, out, err := os.Pipe()
	env.must(err)
	life, lifeline, err := os.Pipe()
	env.must(err)
	env.out, env.life = out, life
	env.binary, err = os.Executable()
	env.must(err)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for lines := bufio.NewScanner(in); lines.Scan(); {
			env.mu.Lock()
			env.lines = append(env.lines, lines.Text())
			env.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = lifeline.Close()
		_ = life.Close()
		_ = out.Close()
		select { // the end of the output is the end of the last process that could write it
		case <-heard:
		case <-time.After(patience):
			t.Errorf("got processes left after %v, want none", patience)
		}
		_ = in.Close()
		if t.Failed() {
			t.Log("output of the processes:\n" + strings.Join(env.lines, "\n"))
		}
	})
	return env
}

func (env *testEnv) must(err error) {
	env.t.Helper()
	if err != nil {
		env.t.Fatal(err)
	}
}

// master and backup return events that wait for the lock for as long as a test waits.
func (env *testEnv) master(name string) role {
	return role{Kind: "event", Name: name, State: "MASTER", Path: env.path, Timeout: patience, Umask: 0o022}
}

func (env *testEnv) backup(name string) role {
	r := env.master(name)
	r.State = "BACKUP"
	return r
}

// wrap returns a script that starts events and waits for them.
func (env *testEnv) wrap(events ...role) role {
	return role{Kind: "wrapper", Name: events[0].Name + "-script", Binary: env.binary, Children: events}
}

// start starts a process and returns its ID.
func (env *testEnv) start(r role) (pid int) {
	env.t.Helper()
	return env.run(r.command(env.binary, env.out, env.life))
}

func (env *testEnv) run(cmd *exec.Cmd) (pid int) {
	env.t.Helper()
	env.must(cmd.Start())
	env.t.Cleanup(func() { // runs before the cleanup of newEnv
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

// startHolder starts a MASTER and waits until it holds the lock.
func (env *testEnv) startHolder(r role) (pid int) {
	env.t.Helper()
	pid = env.start(r)
	env.waitFor(r.Name + " holds")
	return pid
}

func (env *testEnv) kill(pid int, s unix.Signal) {
	env.t.Helper()
	env.must(unix.Kill(pid, s))
}

// pidFile makes a pid file that names a process.
func (env *testEnv) pidFile(pid int) (path string) {
	env.t.Helper()
	path = filepath.Join(env.t.TempDir(), "vrrp.pid")
	env.must(os.WriteFile(path, fmt.Appendf(nil, "%d\n", pid), 0o600))
	return path
}

// gate makes a gate: a FIFO at which processes wait until it is opened.
func (env *testEnv) gate(name string) string {
	env.t.Helper()
	path := filepath.Join(env.dir, name)
	env.must(unix.Mkfifo(path, 0o600))
	return path
}

// open opens a gate once a process waits there.
func (env *testEnv) open(gate string) {
	env.t.Helper()
	eventually(env.t, func() (string, bool) {
		fd, err := unix.Open(gate, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Sprintf("no process waits at the gate: %v", err), false
		}
		_ = unix.Close(fd)
		return "", true
	})
}

// output returns the lines of output that begin with prefix.
func (env *testEnv) output(prefix string) (lines []string) {
	env.mu.Lock()
	defer env.mu.Unlock()
	for _, line := range env.lines {
		if strings.HasPrefix(line, prefix) {
			lines = append(lines, line)
		}
	}
	return lines
}

// waitFor waits for a line of output that begins with prefix, and returns it.
func (env *testEnv) waitFor(prefix string) (line string) {
	env.t.Helper()
	eventually(env.t, func() (string, bool) {
		lines := env.output(prefix)
		if len(lines) == 0 {
			return fmt.Sprintf("no output %q", prefix), false
		}
		line = lines[0]
		return "", true
	})
	return line
}

// wantNothing asserts that no line of output begins with prefix.
func (env *testEnv) wantNothing(prefix string) {
	env.t.Helper()
	if got := env.output(prefix); len(got) > 0 {
		env.t.Errorf("got %q, want no such line", got)
	}
}

// pidOf waits until the process of that name has started, and returns its ID.
func (env *testEnv) pidOf(name string) int {
	env.t.Helper()
	pid, err := strconv.Atoi(strings.TrimPrefix(env.waitFor(name+" pid "), name+" pid "))
	env.must(err)
	return pid
}

// holder returns the process that holds the lock on this file according to the kernel, or 0.
func (env *testEnv) holder(path string) int {
	env.t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // in the test's own directory
	env.must(err)
	defer func() { _ = f.Close() }()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	env.must(unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock))
	if lock.Type == unix.F_UNLCK {
		return 0
	}
	return int(lock.Pid)
}

// wantFile asserts the content of a file.
func (env *testEnv) wantFile(path string, ok func(text string) bool, want string) {
	env.t.Helper()
	text, err := os.ReadFile(path) //nolint:gosec // in the test's own directory
	if err != nil || !ok(string(text)) {
		env.t.Errorf("%s: got %.200q, %v, want %s", path, text, err, want)
	}
}

// wantContent asserts the exact content of a file.
func (env *testEnv) wantContent(path, want string) {
	env.t.Helper()
	env.wantFile(path, func(text string) bool { return text == want }, fmt.Sprintf("%.200q", want))
}

// wantRecorded asserts that the newest recorded event is that of this process. Which Keepalived started it does not matter.
func (env *testEnv) wantRecorded(pid int) {
	env.t.Helper()
	end := fmt.Sprintf(" %d\n", pid)
	env.wantFile(env.path, func(text string) bool { return strings.HasSuffix(text, end) }, fmt.Sprintf("an order that ends in %q", end))
}

// wantHolder waits until this process holds the lock, or no process if pid is 0.
func (env *testEnv) wantHolder(pid int) {
	env.t.Helper()
	eventually(env.t, func() (string, bool) {
		got := env.holder(env.path)
		return fmt.Sprintf("lock held by %d, want %d", got, pid), got == pid
	})
}

// acquire acquires the lock in the test's own process, which must not open the file in any other way while it holds the lock.
func (env *testEnv) acquire(ctx context.Context, timeout time.Duration) (*Lock, error) {
	return Acquire(ctx, Options{Path: env.path, Timeout: timeout, Log: logr.Discard()})
}

// inPIDNamespace makes a command run in its own PID namespace.
func inPIDNamespace(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	return cmd
}

// eventually waits until is returns ok. If that does not happen in time, the test fails with the text got.
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
