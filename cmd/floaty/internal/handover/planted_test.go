package handover

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"floaty/providers/providertest"

	"golang.org/x/sys/unix"
)

// newSticky is like newEnv, but its lock files are in a directory that every user may write to, like /tmp.
func newSticky(t *testing.T) *testEnv {
	t.Helper()
	env := newEnv(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can create a file of another user")
	}
	env.dir = filepath.Join(env.dir, "sticky")
	env.must(os.Mkdir(env.dir, 0o700))
	env.must(os.Chmod(env.dir, 0o777|os.ModeSticky))
	env.path = filepath.Join(env.dir, "floaty-VI_1.lock")
	return env
}

// plant creates a file of another user at the path of the lock file.
func (env *testEnv) plant() {
	env.t.Helper()
	env.must(os.WriteFile(env.path, []byte("theirs\n"), 0o600))
	env.must(os.Lchown(env.path, 4711, -1))
}

// wantReplaced asserts that the lock can be acquired, and returns what was logged.
func (env *testEnv) wantReplaced() []string {
	env.t.Helper()
	var log providertest.Log
	lock, err := Acquire(env.t.Context(), Options{Path: env.path, Timeout: patience, Log: log.Logger()})
	env.must(err)
	lock.Release()
	env.wantRecorded(os.Getpid())
	return log.Lines("")
}

func TestAPlantedLockFileIsReplacedByRoot(t *testing.T) {
	for what, plant := range map[string]func(env *testEnv, precious string){
		"a file":                     func(env *testEnv, _ string) { env.plant() },
		"a symbolic link":            func(env *testEnv, precious string) { env.must(os.Symlink(precious, env.path)) },
		"a FIFO":                     func(env *testEnv, _ string) { env.must(unix.Mkfifo(env.path, 0o600)) },
		"a directory":                func(env *testEnv, _ string) { env.must(os.Mkdir(env.path, 0o700)) },
		"a hard link to root's file": func(env *testEnv, precious string) { env.must(os.Link(precious, env.path)) },
	} {
		t.Run(what, func(t *testing.T) {
			env := newSticky(t)
			precious := filepath.Join(filepath.Dir(env.dir), "precious")
			env.must(os.WriteFile(precious, []byte("precious\n"), 0o600))
			plant(env, precious)
			if what != "a hard link to root's file" {
				env.must(os.Lchown(env.path, 4711, -1))
			}
			lines := env.wantReplaced()
			if len(lines) != 1 || !strings.Contains(lines[0], env.path) || !strings.Contains(lines[0], "replaced a lock file that another user may have planted") {
				t.Errorf("got %q, want one line that names the path", lines)
			}
			env.wantContent(precious, "precious\n")
			left, err := os.ReadDir(env.dir)
			if err != nil || len(left) != 1 {
				t.Errorf("got %v, %v in the directory, want only the lock file", left, err)
			}
			if lines := env.wantReplaced(); len(lines) > 0 {
				t.Errorf("got %q the second time, want nothing", lines)
			}
		})
	}
}

func TestALockFileIsNotReplacedIfAnotherUserCouldReplaceItAgain(t *testing.T) {
	for what, change := range map[string]func(env *testEnv) error{
		"every user may remove root's files":            func(env *testEnv) error { return os.Chmod(env.dir, 0o777) }, //nolint:gosec // the mode under test
		"the directory's owner may remove root's files": func(env *testEnv) error { return os.Chown(env.dir, 4711, -1) },
	} {
		t.Run(what, func(t *testing.T) {
			env := newSticky(t)
			env.plant()
			env.must(change(env))
			env.wantRejected("belongs to user 4711 (want user 0)")
			env.wantContent(env.path, "theirs\n")
		})
	}
}

func TestTheLastEventWinsDespiteAPlantedFile(t *testing.T) {
	env := newSticky(t)
	k := env.keepalived("keepalived")
	for round := range 5 {
		_ = os.Remove(env.path) // left by the last round
		env.plant()
		gate := env.gate(fmt.Sprintf("gate-%d", round))
		var all []role
		for i := range 8 {
			r := env.master(fmt.Sprintf("event-%d-%d", round, i))
			r.Gate = gate
			all = append(all, r)
		}
		shut, err := os.OpenFile(gate, os.O_RDWR, 0) //nolint:gosec // of the test's own directory
		env.must(err)
		k.start(all...)
		for _, r := range all {
			env.pidOf(r.Name)
		}
		env.must(shut.Close()) // lets all of them go on at once
		last := all[len(all)-1]
		eventually(t, func() (string, bool) {
			if fd, err := unix.Open(gate, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err == nil { // some may reach the gate late
				_ = unix.Close(fd)
			}
			for _, r := range all {
				if len(env.output(r.Name+" ")) < 2 {
					return r.Name + " is still waiting, at the gate or for the lock", false
				}
			}
			return last.Name + " does not hold the lock", len(env.output(last.Name+" holds")) > 0
		})
		env.wantOnlyLast(all, map[string]role{env.path: last})
		env.start(env.backup(fmt.Sprintf("end-%d", round)))
		env.waitFor(fmt.Sprintf("end-%d released", round))
	}
}

func TestCheckFindsANewerEventAfterAStop(t *testing.T) {
	env := newEnv(t)
	pid := env.startHolder(env.master("master"))
	env.kill(pid, unix.SIGSTOP)
	backup := env.backup("backup")
	backup.Timeout = 20 * time.Millisecond
	env.start(backup)
	env.waitFor("backup error") // the holder cannot end
	env.kill(pid, unix.SIGCONT)
	if got, want := env.waitFor("master told"), "check: "+ErrNewer.Error(); !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want %q at its end", got, want)
	}
}

func TestCheckCreatesARemovedLockFileAgain(t *testing.T) {
	env := newEnv(t)
	master := env.master("master")
	master.Check = env.gate("gate")
	pid := env.startHolder(master)
	env.must(os.Remove(env.path))
	env.open(master.Check)
	if got, want := env.waitFor("master check"), "master check: <nil>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	env.wantHolder(pid)
	env.wantRecorded(pid)
	env.start(env.backup("backup"))
	env.waitFor("backup released")
	env.waitFor("master ended")
}

func TestCheckFindsANewerEventInANewLockFile(t *testing.T) {
	env := newEnv(t)
	master := env.master("master")
	master.Check = env.gate("gate")
	env.startHolder(master)
	env.must(os.Remove(env.path))
	env.start(env.backup("backup"))
	env.waitFor("backup released") // it has found no holder
	env.open(master.Check)
	if got := env.waitFor("master check"); !strings.Contains(got, env.path) || !strings.Contains(got, ErrNewer.Error()) {
		t.Errorf("got %q, want the path and the newer event in it", got)
	}
}

func TestCheckFailsAfterRelease(t *testing.T) {
	env := newEnv(t)
	lock, err := env.acquire(context.Background(), patience)
	env.must(err)
	if err := lock.Check(); err != nil {
		t.Errorf("got %v while the lock is held, want no error", err)
	}
	lock.Release()
	if lock.Check() == nil {
		t.Error("got no error after Release, want one")
	}
}
