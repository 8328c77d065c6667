package handover

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A starter is a process that acts as Keepalived.
type starter struct {
	env   *testEnv
	name  string
	pid   int
	stdin io.Writer
}

func (env *testEnv) keepalived(name string) *starter {
	env.t.Helper()
	return env.keepalivedAs(name, "keepalived")
}

// keepalivedAs is like keepalived, but its program has the given name.
func (env *testEnv) keepalivedAs(name, program string) *starter {
	env.t.Helper()
	binary := filepath.Join(env.t.TempDir(), program)
	if os.Link(env.binary, binary) != nil { // with a symbolic link, the process would have the name of the target
		env.copyTo(binary)
	}
	return env.starter(role{Kind: "keepalived", Name: name, Binary: env.binary}, binary)
}

// copyTo copies the test program.
func (env *testEnv) copyTo(path string) {
	env.t.Helper()
	program, err := os.ReadFile(env.binary)
	env.must(err)
	syscall.ForkLock.RLock() // a process that another test forks now would inherit the file open for writing: "text file busy"
	defer syscall.ForkLock.RUnlock()
	env.must(os.WriteFile(path, program, 0o755)) //nolint:gosec // a program
}

func (env *testEnv) starter(r role, binary string) *starter {
	env.t.Helper()
	cmd := r.command(binary, env.out, env.life)
	if r.Hidepid {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	}
	stdin, err := cmd.StdinPipe()
	env.must(err)
	return &starter{env: env, name: r.Name, pid: env.run(cmd), stdin: stdin}
}

// start makes Keepalived start processes, one directly after the other.
func (k *starter) start(roles ...role) {
	k.env.t.Helper()
	var lines []byte
	for _, r := range roles {
		line, err := json.Marshal(r)
		k.env.must(err)
		lines = append(append(lines, line...), '\n')
	}
	_, err := k.stdin.Write(lines)
	k.env.must(err)
}

// kill kills Keepalived. It remains a zombie until the test ends.
func (k *starter) kill() { k.env.kill(k.pid, unix.SIGKILL) }

// promptly asserts that at least one of ten tries takes at most 100 ms. The others may take longer, because the machine may be busy.
func promptly(t *testing.T, what string, try func() time.Duration) {
	t.Helper()
	var took []time.Duration
	for range 10 {
		took = append(took, try())
		if took[len(took)-1] <= 100*time.Millisecond {
			return
		}
	}
	t.Errorf("%s: got it after %v, want at most 100ms once", what, took)
}

func TestAHolderEndsWithKeepalived(t *testing.T) {
	env := newEnv(t)
	n := 0
	promptly(t, "the end of Keepalived", func() time.Duration {
		n++
		name := fmt.Sprintf("master-%d", n)
		k := env.keepalived("keepalived-" + name)
		k.start(env.wrap(env.master(name)))
		env.waitFor(name + " holds")
		env.wantNothing(name + " log")
		killed := time.Now()
		k.kill()
		if got, want := env.waitFor(name+" told"), fmt.Sprintf("%s told: keepalived, process %d, has ended, check: <nil>", name, k.pid); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		took := time.Since(killed)
		env.waitFor(name + " ended")
		return took
	})
	env.wantHolder(0)
}

// Keepalived's VRRP process is a child of Keepalived's main process and has the same name.
func TestTheNearestKeepalivedIsWatched(t *testing.T) {
	env := newEnv(t)
	env.keepalived("main").start(role{Kind: "keepalived", Name: "vrrp", Binary: env.binary, Children: []role{env.master("master")}})
	env.waitFor("master holds")
	vrrp := env.pidOf("vrrp")
	env.kill(vrrp, unix.SIGKILL)
	if got, want := env.waitFor("master told"), fmt.Sprintf("master told: keepalived, process %d, has ended, check: <nil>", vrrp); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheWaitEndsWithKeepalived(t *testing.T) {
	env := newEnv(t)
	slow := env.master("slow")
	slow.EndGate = env.gate("gate")
	env.startHolder(slow)
	k := env.keepalived("keepalived")
	next := env.master("next")
	next.Timeout = time.Hour
	k.start(next)
	env.waitFor("slow told")
	k.kill()
	if got := env.waitFor("next error"); !strings.Contains(got, fmt.Sprintf("keepalived, process %d, has ended", k.pid)) {
		t.Errorf("got %q, want the end of Keepalived as the reason", got)
	}
}

// A wrapper script that pipes floaty's log somewhere outlives Keepalived. If floaty cannot identify Keepalived, it must assume that any of
// its own ancestors may be Keepalived.
func TestAHolderDoesNotOutliveAnUnidentifiedAncestor(t *testing.T) {
	env := newEnv(t)
	k := env.keepalivedAs("other", "ka-main")
	k.start(env.wrap(env.master("master")))
	env.waitFor("master holds")
	if got := env.output("master unidentified"); len(got) != 1 || !strings.Contains(got[0], "no ancestor of this process is a Keepalived") {
		t.Errorf("got %q, want one line about the missing Keepalived", got)
	}
	k.kill()
	if got, want := env.waitFor("master told"), fmt.Sprintf("master told: a process above this one, process %d, has ended, check: <nil>", k.pid); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	env.wantHolder(0)
}

func TestTheProcessOfThePIDFileIsWatched(t *testing.T) {
	env := newEnv(t)
	elsewhere := env.keepalived("elsewhere") // as if a supervisor had started the script
	master := env.master("master")
	master.PIDFile = env.pidFile(elsewhere.pid)
	env.startHolder(master)
	env.wantNothing("master unidentified")
	elsewhere.kill()
	if got, want := env.waitFor("master told"), fmt.Sprintf("master told: keepalived, process %d, has ended, check: <nil>", elsewhere.pid); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnotherKeepalivedOnTheHostIsNotWatched(t *testing.T) {
	env := newEnv(t)
	stranger := env.keepalived("stranger")
	k := env.keepalived("keepalived")
	master := env.master("master")
	master.PIDFile = env.pidFile(stranger.pid)
	k.start(master)
	env.waitFor("master holds")
	stranger.kill()
	k.kill()
	if got, want := env.waitFor("master told"), fmt.Sprintf("master told: keepalived, process %d, has ended, check: <nil>", k.pid); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Keepalived's main process starts some scripts itself. They must end even if only the VRRP process ends.
func TestTheVRRPProcessIsWatchedInAdditionToTheAncestor(t *testing.T) {
	env := newEnv(t)
	main := env.keepalived("main")
	main.start(role{Kind: "keepalived", Name: "vrrp", Binary: env.binary})
	vrrp := env.pidOf("vrrp")
	master := env.master("master")
	master.PIDFile = env.pidFile(vrrp)
	main.start(master)
	env.waitFor("master holds")
	env.kill(vrrp, unix.SIGKILL)
	if got, want := env.waitFor("master told"), fmt.Sprintf("master told: keepalived, process %d, has ended, check: <nil>", vrrp); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestIdentifyFailsIfThereIsNoKeepalived(t *testing.T) {
	k := Above()
	err := k.Identify(filepath.Join(t.TempDir(), "none.pid"))
	ctx, stop := k.Watch(t.Context())
	defer stop()
	if err == nil || !strings.Contains(err.Error(), "no ancestor of this process is a Keepalived") || !strings.Contains(err.Error(), "none.pid") {
		t.Errorf("got %v, want an error about the missing Keepalived that names the pid file", err)
	}
	if ctx.Err() != nil || k.Check() != nil {
		t.Errorf("got %v, %v, want a context that has not ended", context.Cause(ctx), k.Check())
	}
}

// Keepalived runs as root and its scripts as another user (script_user), which may not see which programs root's processes run.
func TestAKeepalivedOfAnotherUserIsFound(t *testing.T) {
	for what, c := range map[string]struct {
		hidepid, pidFile bool
		unidentified     int    // how many lines report that no Keepalived is found
		told             string // what the log calls the process that has ended
	}{
		"by its first argument":             {told: "keepalived"},
		"hidden, by the pid file":           {hidepid: true, pidFile: true, told: "keepalived"},
		"hidden, as the last ancestor seen": {hidepid: true, unidentified: 1, told: "a process above this one"},
	} {
		t.Run(what, func(t *testing.T) {
			env := newEnv(t)
			if os.Geteuid() != 0 {
				t.Skip("only root can start a process as another user")
			}
			const user = 4711
			env.useDirOf(user)
			k := env.starter(role{Kind: "keepalived", Name: "keepalived", Binary: env.binary, Hidepid: c.hidepid}, filepath.Join(env.dir, "keepalived"))
			script := env.wrap(env.master("master"))
			script.User = user
			if c.pidFile {
				script.Children[0].PIDFile = filepath.Join(env.dir, "vrrp.pid")
				env.must(os.WriteFile(script.Children[0].PIDFile, fmt.Appendf(nil, "%d\n", k.pid), 0o644)) //nolint:gosec // as Keepalived's own
			}
			k.start(script)
			env.waitFor("master holds")
			if got := env.output("master unidentified"); len(got) != c.unidentified {
				t.Errorf("got %q, want %d lines", got, c.unidentified)
			}
			k.kill()
			if got, want := env.waitFor("master told"), fmt.Sprintf("master told: %s, process %d, has ended", c.told, k.pid); !strings.HasPrefix(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			env.waitFor("master ended")
		})
	}
}

// useDirOf makes the test use a directory that belongs to this user and contains copies of the test program.
func (env *testEnv) useDirOf(user int) {
	env.t.Helper()
	dir, err := os.MkdirTemp("", "handover-") // other users cannot reach the directory that t.TempDir returns
	env.must(err)
	env.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	env.must(os.Chmod(dir, 0o755)) //nolint:gosec // for the other user
	env.must(os.Chown(dir, user, -1))
	env.copyTo(filepath.Join(dir, "floaty"))
	env.copyTo(filepath.Join(dir, "keepalived"))
	env.dir, env.binary, env.path = dir, filepath.Join(dir, "floaty"), filepath.Join(dir, "floaty-VI_1.lock")
}
