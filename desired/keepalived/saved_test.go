package keepalived

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// newEnvWithState is a testEnv with a FIFO whose Listener keeps its states in a directory that is not there yet.
func newEnvWithState(t *testing.T) *testEnv {
	t.Helper()
	w := newEnvWithFIFO(t)
	w.opts.StateFile = filepath.Join(filepath.Dir(w.opts.Path), "state", "floaty.states")
	w.Listener = New(w.opts)
	w.gives("A", true)
	return w
}

// die ends the Listener as kill -9 does, and begin makes the next one.
func (w *testEnv) die() {
	w.fifo.current.close()
	w.fifo.next.close()
	w.trust.vrrp.search.end()
	w.trust.vrrp.process.Close()
	w.stateFile.close()
	w.isFree()
}

func (w *testEnv) begin() { w.Listener = New(w.opts) }

func (w *testEnv) saved() string {
	w.t.Helper()
	data, err := os.ReadFile(w.opts.StateFile)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

func TestARestartBesideAMasterGoesOn(t *testing.T) {
	w := newEnvWithState(t)
	k := w.keepalived()
	k.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" BACKUP 100`)
	w.look(0)
	before := w.last().Instances["A"]
	w.die()
	w.begin()
	w.look(time.Second)
	w.is("writer: A MASTER?, B BACKUP?")
	w.look(settleTime)
	w.is("writer: A MASTER, B BACKUP")
	if after := w.last().Instances["A"]; !after.Since.Equal(before.Since) || after.Claims != 0 {
		t.Errorf("got %+v, want it since %v, and nothing claimed", after, before.Since)
	}
}

// On a reload, Keepalived starts the next floaty while the last one may still be saving what it has just heard.
func TestTheNextRunWaitsForTheEndOfTheLast(t *testing.T) {
	w := newEnvWithState(t)
	k := w.keepalived()
	k.say(`INSTANCE "A" BACKUP 100`)
	w.look(0)
	w.remakeFIFO()
	next := New(w.opts)
	k.open() // the new FIFO
	now := w.now.Add(time.Millisecond)
	next.pass(now)
	if len(next.trust.states) != 0 {
		t.Errorf("got %v, want nothing taken over while the last run lives", next.trust.states)
	}
	w.trust.states.set("A", Master, now) // heard from the old FIFO
	w.stateFile.save(w.trust.vrrp.process, w.trust.states)
	w.fifo.current.close()
	w.trust.vrrp.process.Close()
	w.stateFile.close()
	eventually(t, func() (string, bool) {
		next.stateFile.mu.Lock()
		defer next.stateFile.mu.Unlock()
		return "what the last run left is not read", next.stateFile.last != nil
	})
	for range 3 {
		now = now.Add(settleTime)
		next.pass(now)
	}
	if got := next.trust.states["A"]; got.State != Master || got.Suspended {
		t.Errorf("got %+v, want it MASTER beyond doubt", got)
	}
	next.fifo.current.close()
	next.trust.vrrp.process.Close()
	next.stateFile.close()
}

func TestWhatWaitsInTheFIFOWinsOverWhatWasSaved(t *testing.T) {
	w := newEnvWithState(t)
	k := w.keepalived()
	k.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" MASTER 100`)
	w.look(0)
	w.die()
	k.say(`INSTANCE "A" BACKUP 100`)
	w.begin()
	w.look(time.Second)
	w.is("writer: A BACKUP, B MASTER?")
	w.look(settleTime)
	w.is("writer: A BACKUP, B MASTER") // of B no address is known
}

func TestASavedMasterDoesNotCountWithout(t *testing.T) {
	for what, meanwhile := range map[string]func(w *testEnv, k *vrrp){
		"its address": func(w *testEnv, _ *vrrp) { w.gives("A", false) }, // a BACKUP was lost with the pipe
		"its process": func(w *testEnv, k *vrrp) {
			k.kill()
			w.keepalived()
		},
		"its boot": func(w *testEnv, _ *vrrp) { w.replace(w.stateFile.boot, "another") },
		"its FIFO": func(w *testEnv, _ *vrrp) { w.replace(w.opts.Path, "/another") },
		"its name": func(w *testEnv, _ *vrrp) { w.replace(`"A"`, `"NAMELESS"`) },
		"a sound file": func(w *testEnv, _ *vrrp) {
			if err := os.Truncate(w.opts.StateFile, 20); err != nil {
				w.t.Fatal(err)
			}
		},
		"a file of its own": func(w *testEnv, _ *vrrp) {
			if err := os.Chmod(w.opts.StateFile, 0o666); err != nil { //nolint:gosec // that is the point
				w.t.Fatal(err)
			}
		},
		"a file at all": func(w *testEnv, _ *vrrp) {
			if err := os.Rename(w.opts.StateFile, w.opts.StateFile+".old"); err != nil {
				w.t.Fatal(err)
			}
			if err := os.Symlink(w.opts.StateFile+".old", w.opts.StateFile); err != nil {
				w.t.Fatal(err)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := newEnvWithState(t)
			k := w.keepalived()
			k.say(`INSTANCE "A" MASTER 100`)
			w.look(0)
			w.is("writer: A MASTER")
			w.die()
			meanwhile(w, k)
			w.begin()
			w.seen = nil
			for range 15 {
				w.look(settleTime)
			}
			w.never("A", Master)
			w.never("NAMELESS", Master)
			if inst := w.last().Instances["A"]; inst.State != Unknown {
				t.Errorf("got %+v in the end, want it forgotten", inst)
			}
		})
	}
}

// replace changes the saved states.
func (w *testEnv) replace(old, fresh string) {
	w.t.Helper()
	text := w.saved()
	if !strings.Contains(text, old) {
		w.t.Fatalf("%q is not in %s", old, text)
	}
	if err := os.WriteFile(w.opts.StateFile, []byte(strings.ReplaceAll(text, old, fresh)), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func TestWithoutAWriterNothingSavedCounts(t *testing.T) {
	w := newEnvWithState(t)
	wr := w.writer() // nobody knows its process
	wr.say(`INSTANCE "A" MASTER 100`)
	w.look(0)
	w.die()
	wr.close()
	w.begin()
	w.seen = nil
	w.look(time.Second)
	w.look(awayAtMost)
	w.look(awayAtMost)
	w.never("A", Master)
	w.is("no writer: A unknown")
	if strings.Contains(w.saved(), "MASTER") {
		t.Errorf("got %s, want no MASTER in it", w.saved())
	}
}

func TestWhatLeavesMasterIsSavedWhileItIsActedOnAndWhatBecomesMasterAfter(t *testing.T) {
	w := newEnvWithState(t)
	k := w.keepalived()
	saved := func(state string) bool {
		data, _ := os.ReadFile(w.opts.StateFile) // there may be none yet
		return strings.Contains(string(data), state)
	}
	w.opts.Changed = func(s Snapshot) {
		if s.Instances["A"].State == Master && saved("MASTER") {
			t.Error("got MASTER saved before it was acted on")
		}
		if s.Instances["A"].State == Backup { // this call takes until it is saved
			eventually(t, func() (string, bool) { return "BACKUP is not saved", saved("BACKUP") })
		}
	}
	k.say(`INSTANCE "A" MASTER 100`)
	w.look(0)
	if !saved("MASTER") {
		t.Errorf("got %s, want MASTER in it", w.saved())
	}
	k.say(`INSTANCE "A" BACKUP 100`)
	w.look(0)
}

// hangs stands for a disk that does not answer: the state file's goroutine does nothing more.
func (w *testEnv) hangs() { w.stateFile.done = make(chan struct{}) }

func TestAHangingDiskHoldsUpNobody(t *testing.T) {
	w := newEnvWithState(t)
	w.hangs()
	k := w.keepalived()
	w.run()
	for _, state := range []string{"MASTER", "BACKUP", "MASTER", "FAULT"} {
		k.say(`INSTANCE "A" ` + state + ` 100`)
		if got, want := w.settles(), "writer: A "+state; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTheEndWaitsASecondForAHangingDisk(t *testing.T) {
	w := newEnvWithState(t)
	w.hangs()
	stop := w.run()
	begun := time.Now()
	stop()
	if took := time.Since(begun); took < saveAtEnd || took > 10*saveAtEnd {
		t.Errorf("got the end after %v, want it after %v", took, saveAtEnd)
	}
	w.said("saving the states takes too long", 1)
}

func TestASecondDaemonLeavesTheSavedStatesAlone(t *testing.T) {
	w := newEnvWithState(t)
	k := w.keepalived()
	k.say(`INSTANCE "A" MASTER 100`)
	w.look(0)
	before := w.saved()
	second := New(w.opts)
	second.pass(w.now)
	second.pass(w.now.Add(2 * awayAtMost))
	if got := w.saved(); got != before {
		t.Errorf("got %s, want %s", got, before)
	}
	if len(second.trust.states) != 0 {
		t.Errorf("got %v, want no states without the FIFO", second.trust.states)
	}
}

// umasked is the environment variable that tells the child process of a test to set its umask.
const umasked = "FLOATY_TEST_UMASKED"

// A umask belongs to the whole process. Set here, it would make directories of the other tests that only root may enter.
func TestTheSavedStatesAreTheOwnersAlone(t *testing.T) {
	if os.Getenv(umasked) == "" {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$") //nolint:gosec // this test
		child.Env = append(os.Environ(), umasked+"=1")
		out, err := child.CombinedOutput()
		if passed := "--- PASS: " + t.Name(); err != nil || !strings.Contains(string(out), passed) {
			t.Errorf("got %v and\n%s\nwant %q", err, out, passed)
		}
		return
	}
	w := newEnvWithState(t)
	k := w.keepalived()
	syscall.Umask(0o177) // that of Keepalived's children
	k.say(`INSTANCE "A" MASTER 100`)
	w.look(0)
	k.say(`INSTANCE "A" BACKUP 100`)
	w.look(0)
	for path, want := range map[string]os.FileMode{w.opts.StateFile: 0o600, filepath.Dir(w.opts.StateFile): 0o700 | os.ModeDir} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode(); got != want {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
}

func TestADirectoryThatCannotBeWrittenIsSaidOnceAndForgivenWhenItCan(t *testing.T) {
	w := newEnvWithState(t)
	dir := filepath.Dir(w.opts.StateFile)
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // a file in the directory's place stops root, too
		t.Fatal(err)
	}
	k := w.keepalived()
	for _, state := range []string{"MASTER", "BACKUP", "MASTER"} {
		k.say(`INSTANCE "A" ` + state + ` 100`)
		w.look(0)
		w.is("writer: A " + state)
	}
	w.said("saving the states failed", 1)
	w.said("saved again", 0)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	k.say(`INSTANCE "A" BACKUP 100`)
	w.look(0)
	if !strings.Contains(w.saved(), "BACKUP") {
		t.Errorf("got %s, want BACKUP in it", w.saved())
	}
	w.said("saved again", 1)
}

func TestAQuietTimeSavesNothing(t *testing.T) {
	w := newEnvWithState(t)
	k := w.keepalived()
	k.say(`INSTANCE "A" MASTER 100`)
	w.look(0)
	if err := os.Remove(w.opts.StateFile); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		w.look(time.Second)
	}
	if _, err := os.Stat(w.opts.StateFile); err == nil {
		t.Error("it was written again, though nothing changed")
	}
}
