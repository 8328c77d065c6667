package handover

import (
	"context"
	"encoding/json"
	"errors"
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

// A starter is a process that plays Keepalived.
type starter struct {
	w     *world
	name  string
	pid   int
	stdin io.Writer
}

func (w *world) keepalived(name string) *starter {
	w.t.Helper()
	return w.keepalivedAs(name, "keepalived")
}

// keepalivedAs is one whose program has another name.
func (w *world) keepalivedAs(name, program string) *starter {
	w.t.Helper()
	binary := filepath.Join(w.t.TempDir(), program)
	if os.Link(w.binary, binary) != nil { // what a symbolic link leads to would be the program
		w.copyTo(binary)
	}
	return w.starter(role{Kind: "keepalived", Name: name, Binary: w.binary}, binary)
}

// copyTo copies the program of the test.
func (w *world) copyTo(path string) {
	w.t.Helper()
	program, err := os.ReadFile(w.binary)
	w.must(err)
	syscall.ForkLock.RLock() // what another test forks now would hold the file open for writing: "text file busy"
	defer syscall.ForkLock.RUnlock()
	w.must(os.WriteFile(path, program, 0o755)) //nolint:gosec // it is to be run
}

func (w *world) starter(r role, binary string) *starter {
	w.t.Helper()
	cmd := r.command(binary, w.out, w.life)
	if r.Hidepid {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	}
	stdin, err := cmd.StdinPipe()
	w.must(err)
	return &starter{w: w, name: r.Name, pid: w.run(cmd), stdin: stdin}
}

// start lets Keepalived start processes, back to back.
func (k *starter) start(roles ...role) {
	k.w.t.Helper()
	var lines []byte
	for _, r := range roles {
		line, err := json.Marshal(r)
		k.w.must(err)
		lines = append(append(lines, line...), '\n')
	}
	_, err := k.stdin.Write(lines)
	k.w.must(err)
}

// dies kills Keepalived. It stays a zombie until the test ends.
func (k *starter) dies() { k.w.kill(k.pid, unix.SIGKILL) }

// promptly asserts that something comes within 100 ms, at least once in a few times: the machine may be busy with others.
func promptly(t *testing.T, what string, try func() time.Duration) {
	t.Helper()
	var took []time.Duration
	for range 10 {
		took = append(took, try())
		if took[len(took)-1] <= 100*time.Millisecond {
			return
		}
	}
	t.Errorf("%s: got it after %v, want 100ms", what, took)
}

func TestTheEndOfKeepalivedIsTheEnd(t *testing.T) {
	w := newWorld(t)
	n := 0
	promptly(t, "the end of Keepalived", func() time.Duration {
		n++
		name := fmt.Sprintf("master-%d", n)
		k := w.keepalived("keepalived-" + name)
		k.start(w.wrap(w.master(name)))
		w.hears(name + " holds")
		w.silent(name + " log")
		killed := time.Now()
		k.dies()
		if got, want := w.hears(name+" told"), fmt.Sprintf("%s told: keepalived, process %d, has ended, check: <nil>", name, k.pid); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		took := time.Since(killed)
		w.hears(name + " ended")
		return took
	})
	w.held(0)
}

// Keepalived's VRRP process is a child of its main process, of the same name.
func TestTheNearestKeepalivedCounts(t *testing.T) {
	w := newWorld(t)
	w.keepalived("main").start(role{Kind: "keepalived", Name: "vrrp", Binary: w.binary, Children: []role{w.master("master")}})
	w.hears("master holds")
	vrrp := w.pidOf("vrrp")
	w.kill(vrrp, unix.SIGKILL)
	if got, want := w.hears("master told"), fmt.Sprintf("master told: keepalived, process %d, has ended, check: <nil>", vrrp); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWaitingEndsWithKeepalived(t *testing.T) {
	w := newWorld(t)
	slow := w.master("slow")
	slow.Stubborn = w.gate("gate")
	w.holds(slow)
	k := w.keepalived("keepalived")
	next := w.master("next")
	next.Timeout = time.Hour
	k.start(next)
	w.hears("slow told")
	k.dies()
	if got := w.hears("next error"); !strings.Contains(got, fmt.Sprintf("keepalived, process %d, has ended", k.pid)) {
		t.Errorf("got %q, want the end of Keepalived as its reason", got)
	}
}

// A wrapper that pipes floaty's log away lives on without Keepalived, whose process floaty cannot tell from others. All that is above
// it may be it.
func TestAnAncestorThatCannotBeToldIsNotOutlived(t *testing.T) {
	w := newWorld(t)
	k := w.keepalivedAs("other", "ka-main")
	k.start(w.wrap(w.master("master")))
	w.hears("master holds")
	if got := w.heard("master nobody"); len(got) != 1 || !strings.Contains(got[0], "no keepalived is above this process") {
		t.Errorf("got %q, want one line that says so", got)
	}
	k.dies()
	if got, want := w.hears("master told"), fmt.Sprintf("master told: a process above this one, process %d, has ended, check: <nil>", k.pid); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	w.held(0)
}

func TestTheProcessOfThePIDFileIsWatched(t *testing.T) {
	w := newWorld(t)
	elsewhere := w.keepalived("elsewhere") // as for a script that a supervisor starts
	master := w.master("master")
	master.PIDFile = w.pidFile(elsewhere.pid)
	w.holds(master)
	w.silent("master nobody")
	elsewhere.dies()
	if got, want := w.hears("master told"), fmt.Sprintf("master told: keepalived, process %d, has ended, check: <nil>", elsewhere.pid); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnotherKeepalivedOnTheHostIsNotWatched(t *testing.T) {
	w := newWorld(t)
	stranger := w.keepalived("stranger")
	k := w.keepalived("keepalived")
	master := w.master("master")
	master.PIDFile = w.pidFile(stranger.pid)
	k.start(master)
	w.hears("master holds")
	stranger.dies()
	k.dies()
	if got, want := w.hears("master told"), fmt.Sprintf("master told: keepalived, process %d, has ended, check: <nil>", k.pid); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The main process starts what is not the VRRP process's to start; if only the latter ends, that is the end.
func TestTheVRRPProcessIsWatchedBesideTheOneAbove(t *testing.T) {
	w := newWorld(t)
	main := w.keepalived("main")
	main.start(role{Kind: "keepalived", Name: "vrrp", Binary: w.binary})
	vrrp := w.pidOf("vrrp")
	master := w.master("master")
	master.PIDFile = w.pidFile(vrrp)
	main.start(master)
	w.hears("master holds")
	w.kill(vrrp, unix.SIGKILL)
	if got, want := w.hears("master told"), fmt.Sprintf("master told: keepalived, process %d, has ended, check: <nil>", vrrp); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNoKeepalivedIsSaid(t *testing.T) {
	k := Above()
	err := k.Identify(filepath.Join(t.TempDir(), "none.pid"))
	ctx, stop := k.Watch(t.Context())
	defer stop()
	if !errors.Is(err, errNoKeepalived) || !strings.Contains(err.Error(), "none.pid") {
		t.Errorf("got %v, want an error that says so and names the pid file", err)
	}
	if ctx.Err() != nil || k.Check() != nil {
		t.Errorf("got %v, %v, want a context that goes on", context.Cause(ctx), k.Check())
	}
}

// Keepalived is root and its scripts are another user's (script_user), who may not see what root's processes run.
func TestTheKeepalivedOfAnotherUserIsFound(t *testing.T) {
	for what, c := range map[string]struct {
		hidepid, pidFile bool
		nobody           int    // lines that none is found
		told             string // of what has ended
	}{
		"by its first argument":             {told: "keepalived"},
		"hidden, by the pid file":           {hidepid: true, pidFile: true, told: "keepalived"},
		"hidden, as the last ancestor seen": {hidepid: true, nobody: 1, told: "a process above this one"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			if os.Geteuid() != 0 {
				t.Skip("only root starts a process of another user")
			}
			const user = 4711
			w.letIn(user)
			k := w.starter(role{Kind: "keepalived", Name: "keepalived", Binary: w.binary, Hidepid: c.hidepid}, filepath.Join(w.dir, "keepalived"))
			script := w.wrap(w.master("master"))
			script.User = user
			if c.pidFile {
				script.Children[0].PIDFile = filepath.Join(w.dir, "vrrp.pid")
				w.must(os.WriteFile(script.Children[0].PIDFile, fmt.Appendf(nil, "%d\n", k.pid), 0o644)) //nolint:gosec // as Keepalived's own
			}
			k.start(script)
			w.hears("master holds")
			if got := w.heard("master nobody"); len(got) != c.nobody {
				t.Errorf("got %q, want %d of these", got, c.nobody)
			}
			k.dies()
			if got, want := w.hears("master told"), fmt.Sprintf("master told: %s, process %d, has ended", c.told, k.pid); !strings.HasPrefix(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			w.hears("master ended")
		})
	}
}

// letIn makes a directory of the user's with the programs of the test in it.
func (w *world) letIn(user int) {
	w.t.Helper()
	dir, err := os.MkdirTemp("", "handover-") // t.TempDir is in a directory that only its owner may enter
	w.must(err)
	w.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w.must(os.Chmod(dir, 0o755)) //nolint:gosec // that is the point
	w.must(os.Chown(dir, user, -1))
	w.copyTo(filepath.Join(dir, "floaty"))
	w.copyTo(filepath.Join(dir, "keepalived"))
	w.dir, w.binary, w.path = dir, filepath.Join(dir, "floaty"), filepath.Join(dir, "floaty-VI_1.lock")
}
