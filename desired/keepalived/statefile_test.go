package keepalived

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// heardMaster is a host that has saved MASTER, and what says its lines.
func heardMaster(t *testing.T) (*testEnv, *vrrp) {
	t.Helper()
	w := newEnvWithState(t)
	k := w.keepalived()
	k.say(`INSTANCE "A" MASTER 100`)
	w.look(0)
	if !strings.Contains(w.saved(), "MASTER") {
		t.Fatalf("got %s, want MASTER in it", w.saved())
	}
	return w, k
}

// restarts ends the Listener as kill -9 does and asserts that the next one does not take A for a MASTER.
func (w *testEnv) restarts() {
	w.t.Helper()
	w.die()
	w.begin()
	w.seen = nil
	for range 5 {
		w.look(settleTime)
	}
	w.never("A", Master)
}

// What cannot be saved must not leave an earlier MASTER behind: the address would be another host's.
func TestABackupThatCannotBeSavedLeavesNoMasterBehind(t *testing.T) {
	for name, obstruct := range map[string]func(w *testEnv) (undo func()){
		"the new file cannot be made": func(w *testEnv) func() { // no space, no descriptors
			path := filepath.Join(w.opts.StateFile+".new", "x")
			if err := os.MkdirAll(path, 0o700); err != nil {
				w.t.Fatal(err)
			}
			return func() { _ = os.RemoveAll(w.opts.StateFile + ".new") }
		},
		"another process holds the lock": func(w *testEnv) func() {
			w.stateFile.close()
			f := newStateFile(w.opts.StateFile, w.opts.Path, w.opts.Log)
			lock, err := os.OpenFile(w.opts.StateFile+".lock", os.O_RDWR, 0)
			if err == nil {
				err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
			}
			if err != nil {
				w.t.Fatal(err)
			}
			w.stateFile = f
			f.open(func() {})
			return func() { _ = lock.Close() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, k := heardMaster(t)
			undo := obstruct(w)
			k.say(`INSTANCE "A" BACKUP 100`)
			w.look(0)
			w.is("writer: A BACKUP")
			eventually(t, func() (string, bool) {
				data, _ := os.ReadFile(w.opts.StateFile) // it may be removed
				return "MASTER is still in the file", !strings.Contains(string(data), "MASTER")
			})
			w.said("saving the states failed", 1)
			undo()
			w.restarts()
		})
	}
}

func TestWhatWasSaidIsSavedAtTheEnd(t *testing.T) {
	w, k := heardMaster(t)
	w.die()
	w.begin()
	k.say(`INSTANCE "A" BACKUP 100`)
	w.pass(w.now.Add(time.Second)) // and the end comes before what the last run left is read
	w.die()
	if saved := w.saved(); strings.Contains(saved, "MASTER") {
		t.Errorf("got %s, want no MASTER in it", saved)
	}
}

// A file system that has become read-only keeps what it held: nobody knows what should have been saved since.
func TestAFileThatCannotBeWrittenIsNotBelieved(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write every file")
	}
	w, _ := heardMaster(t)
	if err := os.Chmod(w.opts.StateFile, 0o400); err != nil {
		t.Fatal(err)
	}
	w.restarts()
	w.said("cannot use the saved states", 1)
}

func TestAnEmptiedFileIsNothingToSpeakOf(t *testing.T) {
	w, _ := heardMaster(t)
	w.die()
	if err := os.Truncate(w.opts.StateFile, 0); err != nil {
		t.Fatal(err)
	}
	w.begin()
	w.look(time.Second)
	w.said("cannot use the saved states", 0)
	w.is("writer:")
}

func TestWhatMayNotBeRemovedIsEmptied(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may remove every file")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "states")
	if err := os.WriteFile(path, []byte("MASTER"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o500); err != nil { //nolint:gosec // a directory
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(dir, 0o700) }() //nolint:gosec // a directory
	if err := discard(path); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	if data, err := os.ReadFile(path); err != nil || len(data) > 0 { //nolint:gosec // our own
		t.Errorf("got %q, %v, want an empty file", data, err)
	}
}
