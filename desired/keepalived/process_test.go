package keepalived

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// find calls FindProcess. The process is closed at the end of the test.
func (env *testEnv) find() (*Process, error) {
	p, err := FindProcess(env.pidPath)
	env.t.Cleanup(p.Close)
	return p, err
}

func TestFindProcess(t *testing.T) {
	env := newEnv(t)
	k := env.process("keepalived")
	for _, form := range []string{"%d\n", "%d", " %d \n"} {
		env.pidFile(fmt.Sprintf(form, k.cmd.Process.Pid))
		p, err := env.find()
		if err != nil || p.PID != k.cmd.Process.Pid || !p.Alive() {
			t.Errorf("%q: got %+v, %v, want the process, alive", form, p, err)
		}
	}
	p, err := env.find()
	if err != nil {
		t.Fatal(err)
	}
	k.kill()
	if p.Alive() {
		t.Error("got it alive after its end, want it dead")
	}
}

func TestFindProcessRejectsAnUnusablePIDFile(t *testing.T) {
	env := newEnv(t)
	dead := env.process("keepalived")
	dead.kill()
	for what, text := range map[string]string{
		"nothing":                          "",
		"no number":                        "keepalived\n",
		"two numbers":                      "1 2\n",
		"zero":                             "0\n",
		"a group":                          "-1\n",
		"a huge number":                    "99999999999999999999\n",
		"no process":                       "4194304\n", // the kernel's highest pid is one less
		"an ended process":                 strconv.Itoa(dead.cmd.Process.Pid),
		"another name":                     strconv.Itoa(os.Getpid()),
		"a longer name":                    strconv.Itoa(env.process("keepalived2").cmd.Process.Pid),
		"a name with a space":              strconv.Itoa(env.process("keepalived vrrp").cmd.Process.Pid),
		"a name that fakes a state":        strconv.Itoa(env.process("keepalived) R (").cmd.Process.Pid),
		"a name that contains another one": strconv.Itoa(env.process("x (keepalived)").cmd.Process.Pid),
	} {
		env.pidFile(text)
		if p, err := env.find(); err == nil || p != nil {
			t.Errorf("%s, %q: got %+v, %v, want an error", what, text, p, err)
		}
	}
	if err := os.Remove(env.pidPath); err != nil {
		t.Fatal(err)
	}
	if p, err := env.find(); err == nil || p != nil {
		t.Errorf("no pid file: got %+v, %v, want an error", p, err)
	}
}

func TestALaterProcessWithTheSamePIDIsNotTheSame(t *testing.T) {
	env := newEnv(t)
	k := env.process("keepalived")
	k.writePIDFile()
	p, err := env.find()
	if err != nil {
		t.Fatal(err)
	}
	again, err := env.find()
	if err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID))
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Fields(string(stat))[21]; p.startText() != want { // proc(5): the 22nd field; this process's name has no space
		t.Errorf("start time: got %q, want %q", p.startText(), want)
	}
	if !p.Same(again) || !again.Same(p) {
		t.Errorf("got %+v and %+v as two processes, want one", p, again)
	}
	earlier := &Process{Stat: Stat{PID: p.PID, Start: 1}, fd: -1} // an earlier process with this pid, on a kernel without pidfds
	if p.Same(earlier) || earlier.Same(p) {
		t.Errorf("got %+v and %+v as one process, want two", p, earlier)
	}
	if earlier.Alive() {
		t.Errorf("got %+v alive, want it dead: its pid is another process's now", earlier)
	}
	var nobody *Process
	if nobody.Same(p) || p.Same(nobody) || nobody.Same(nobody) || nobody.Alive() {
		t.Error("got a nil process alive or the same as another one, want neither")
	}
}

func TestWithoutAPidfdTheStartTimeIdentifiesAProcess(t *testing.T) {
	env := newEnv(t)
	k := env.process("keepalived")
	k.writePIDFile()
	p, err := env.find()
	if err != nil {
		t.Fatal(err)
	}
	old := &Process{Stat: p.Stat, fd: -1}
	if !old.Alive() {
		t.Errorf("got %+v dead, want it alive", old)
	}
	k.kill()
	if old.Alive() {
		t.Errorf("got %+v alive after its end, want it dead", old)
	}
}

// The kernel that runs the tests has pidfds. To test what happens on an older kernel, the test closes the pidfd.
func TestWaitReturnsWhenTheProcessEnds(t *testing.T) {
	for what, old := range map[string]bool{"with a pidfd": false, "without one": true} {
		t.Run(what, func(t *testing.T) {
			env := newEnv(t)
			k := env.process("any")
			p, err := OpenProcess(k.cmd.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			if old {
				p.Close() // from now on its start time identifies it
			}
			t.Cleanup(p.Close)
			why := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(why)
			if err := p.Wait(ctx); !errors.Is(err, why) {
				t.Errorf("got %v while it lives, want the cause of the context", err)
			}
			if err := p.Signal(0); err != nil {
				t.Errorf("signalling: got %v, want no error", err)
			}
			ended := make(chan error, 1)
			go func() { ended <- p.Wait(t.Context()) }()
			_ = k.cmd.Process.Kill() // it is a zombie until the test ends
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("got %v, want no error", err)
				}
			case <-time.After(patience):
				t.Fatalf("got no end of a killed process after %v", patience)
			}
			if p.Alive() || p.Signal(0) == nil {
				t.Error("got it alive after its end, want it dead")
			}
		})
	}
}

// Opening a FIFO blocks until its other end is opened. If floaty opened one in place of the pid file, it would stop reading lines.
func TestFindProcessDoesNotBlockOnAPIDFileThatIsNotARegularFile(t *testing.T) {
	env := newEnv(t)
	for what, create := range map[string]func() error{
		"a FIFO":      func() error { return unix.Mkfifo(env.pidPath, 0o600) },
		"a directory": func() error { return os.Mkdir(env.pidPath, 0o700) },
		"a device":    func() error { return os.Symlink("/dev/zero", env.pidPath) },
	} {
		if err := create(); err != nil {
			t.Fatal(err)
		}
		found := make(chan error, 1)
		go func() {
			_, err := FindProcess(env.pidPath)
			found <- err
		}()
		select {
		case err := <-found:
			if err == nil || !strings.Contains(err.Error(), "not a regular file") {
				t.Errorf("%s: got %v, want an error that it is not a regular file", what, err)
			}
		case <-time.After(patience):
			t.Fatalf("%s: got no result after %v, want one at once", what, patience)
		}
		if err := os.Remove(env.pidPath); err != nil {
			t.Fatal(err)
		}
	}
}
