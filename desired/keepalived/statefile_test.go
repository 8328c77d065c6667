package keepalived

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"
)

// newEnvWithSavedMaster returns a host that has saved MASTER for A, and its Keepalived.
func newEnvWithSavedMaster(t *testing.T) (*testEnv, *fakeVRRP) {
	t.Helper()
	env := newEnvWithState(t)
	k := env.keepalived()
	k.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	if !strings.Contains(env.saved(), "MASTER") {
		t.Fatalf("got %s, want MASTER in it", env.saved())
	}
	return env, k
}

// wantNoMasterAfterRestart ends the Listener as kill -9 would and checks that the next one never reports A as MASTER.
func (env *testEnv) wantNoMasterAfterRestart() {
	env.t.Helper()
	env.kill()
	env.restart()
	env.reported = nil
	for range 5 {
		env.step(settleTime)
	}
	env.wantNever("A", Master)
}

// If a state cannot be saved, an earlier MASTER must not remain in the file: another host may have the address by now.
func TestABackupThatCannotBeSavedLeavesNoMasterInTheFile(t *testing.T) {
	for name, obstruct := range map[string]func(env *testEnv) (undo func()){
		"the new file cannot be created": func(env *testEnv) func() { // as without free space or descriptors
			path := filepath.Join(env.opts.StateFile+".new", "x")
			if err := os.MkdirAll(path, 0o700); err != nil {
				env.t.Fatal(err)
			}
			return func() { _ = os.RemoveAll(env.opts.StateFile + ".new") }
		},
		"another process holds the lock": func(env *testEnv) func() {
			env.stateFile.close()
			f := newStateFile(env.opts.StateFile, env.opts.Path, env.opts.Log)
			lock, err := os.OpenFile(env.opts.StateFile+".lock", os.O_RDWR, 0)
			if err == nil {
				err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
			}
			if err != nil {
				env.t.Fatal(err)
			}
			env.stateFile = f
			f.open(func() {})
			return func() { _ = lock.Close() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			env, k := newEnvWithSavedMaster(t)
			undo := obstruct(env)
			k.say(`INSTANCE "A" BACKUP 100`)
			env.step(0)
			env.wantLast("writer: A BACKUP")
			eventually(t, func() (string, bool) {
				data, _ := os.ReadFile(env.opts.StateFile) // it may be removed
				return "MASTER is still in the file", !strings.Contains(string(data), "MASTER")
			})
			env.wantLogged("saving the states failed", 1)
			undo()
			env.wantNoMasterAfterRestart()
		})
	}
}

func TestTheLatestStatesAreSavedAtTheEnd(t *testing.T) {
	env, k := newEnvWithSavedMaster(t)
	env.kill()
	env.restart()
	k.say(`INSTANCE "A" BACKUP 100`)
	env.pass(env.now.Add(time.Second)) // this run ends before it has read the states of the earlier run
	env.kill()
	if saved := env.saved(); strings.Contains(saved, "MASTER") {
		t.Errorf("got %s, want no MASTER in it", saved)
	}
}

// A file system that has become read-only still has the old states, while the changes since then could not be saved.
func TestAReadOnlyStateFileIsNotTrusted(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write every file")
	}
	env, _ := newEnvWithSavedMaster(t)
	if err := os.Chmod(env.opts.StateFile, 0o400); err != nil {
		t.Fatal(err)
	}
	env.wantNoMasterAfterRestart()
	env.wantLogged("cannot use the saved states", 1)
}

func TestAnEmptyStateFileIsNotLogged(t *testing.T) {
	env, _ := newEnvWithSavedMaster(t)
	env.kill()
	if err := os.Truncate(env.opts.StateFile, 0); err != nil {
		t.Fatal(err)
	}
	env.restart()
	env.step(time.Second)
	env.wantLogged("cannot use the saved states", 0)
	env.wantLast("writer:")
}

func TestAFileThatCannotBeRemovedIsEmptied(t *testing.T) {
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

// loadFrom returns the record that the next run loads.
func loadFrom(t *testing.T, path, fifo string) record {
	t.Helper()
	s := newStateFile(path, fifo, logr.Discard())
	loaded := make(chan struct{})
	s.open(func() { close(loaded) })
	defer s.close()
	select {
	case <-loaded:
	case <-time.After(patience):
		t.Fatalf("got nothing loaded after %v", patience)
	}
	r, ok := s.load()
	if _, again := s.load(); !ok || again {
		t.Errorf("got a record: %v, and on a second call: %v, want it only once", ok, again)
	}
	return r
}

func TestAStateFileKeepsTheLatestStatesOfItsFIFO(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state", "floaty.states")
	since := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	s := newStateFile(path, "/run/fifo", logr.Discard())
	s.open(func() {})
	p := &Process{Stat: Stat{PID: 7, Start: 42}, fd: -1}
	s.save(nil, map[string]Status{"A": {State: Master, Since: since}})
	s.save(p, map[string]Status{"A": {State: Backup, Since: since}, "B": {}})
	s.close()
	got := loadFrom(t, path, "/run/fifo")
	want := map[string]savedInstance{"A": {State: "BACKUP", Since: since}}
	if !maps.Equal(got.Instances, want) || got.PID != 7 || got.Start != "42" {
		t.Errorf("got %+v, want process 7, started at 42, and %v", got, want)
	}
	if got := loadFrom(t, path, "/run/another"); len(got.Instances) != 0 {
		t.Errorf("for another FIFO: got %+v, want nothing", got)
	}
}
