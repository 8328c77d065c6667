package handover

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A keepalived is a process of that name.
type keepalived struct {
	w     *world
	name  string
	pid   int
	stdin io.Writer
}

func (w *world) keepalived(name string) *keepalived {
	w.t.Helper()
	// The kernel names a process after the path that was run, and not after what a link leads to.
	binary := filepath.Join(w.t.TempDir(), "keepalived")
	w.must(os.Symlink(w.binary, binary))
	cmd := role{Kind: "keepalived", Name: name, Binary: w.binary}.command(binary, w.out, w.life)
	stdin, err := cmd.StdinPipe()
	w.must(err)
	return &keepalived{w: w, name: name, pid: w.run(cmd), stdin: stdin}
}

// start lets Keepalived start processes, back to back.
func (k *keepalived) start(roles ...role) {
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
func (k *keepalived) dies() { k.w.kill(k.pid, unix.SIGKILL) }

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
		if got, want := w.hears(name+" told"), fmt.Sprintf("%s told: keepalived, process %d, has ended", name, k.pid); got != want {
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
	if got, want := w.hears("master told"), fmt.Sprintf("master told: keepalived, process %d, has ended", vrrp); got != want {
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

func TestNoKeepalivedIsOneLine(t *testing.T) {
	log, lines := collect()
	ctx, stop := WatchKeepalived(t.Context(), log)
	defer stop()
	if got := lines(); len(got) != 1 || !strings.Contains(got[0], "no keepalived") {
		t.Errorf("got %q, want one line that says so", got)
	}
	if ctx.Err() != nil {
		t.Errorf("got %v, want a context that goes on", context.Cause(ctx))
	}
}

// The kernel of the machine that runs the tests has handles of processes; what older ones get is tried without.
func TestAProcessIsPolledWhereItHasNoHandle(t *testing.T) {
	w := newWorld(t)
	n := 0
	promptly(t, "the end of a process", func() time.Duration {
		n++
		pid := w.start(w.master(fmt.Sprintf("process-%d", n)))
		s, err := statOf(pid)
		w.must(err)
		p := &process{stat: s, ended: make(chan struct{}), quit: make(chan struct{}), done: make(chan struct{})}
		go p.watch()
		defer p.close()
		if !p.is(pid) || p.is(pid+1) {
			t.Errorf("got %v, %v, want the process to be itself and no other", p.is(pid), p.is(pid+1))
		}
		w.must(p.signal(0))
		killed := time.Now()
		w.kill(pid, unix.SIGKILL)
		select {
		case <-p.end():
		case <-time.After(patience):
			t.Fatalf("got no end of a killed process after %v", patience)
		}
		if p.is(pid) || p.signal(0) == nil { // it is a zombie still
			t.Error("got it alive after its end, want it dead")
		}
		return time.Since(killed)
	})
}

func TestClosingEndsTheLooking(t *testing.T) {
	w := newWorld(t)
	pid := w.holds(w.master("process"))
	p, err := openProcess(pid)
	w.must(err)
	p.close() // returns only then
	if !p.is(pid) {
		t.Error("got a process that has ended, want one that runs")
	}
	if p.pidfd.Close() == nil {
		t.Error("got an open handle after close, want none")
	}
}
