package handover

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"golang.org/x/sys/unix"
)

// newSticky is a world whose lock files are where everybody may put files, as in /tmp.
func newSticky(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	if os.Geteuid() != 0 {
		t.Skip("only root makes a file of another user")
	}
	w.dir = filepath.Join(w.dir, "sticky")
	w.must(os.Mkdir(w.dir, 0o700))
	w.must(os.Chmod(w.dir, 0o777|os.ModeSticky))
	w.path = filepath.Join(w.dir, "floaty-VI_1.lock")
	return w
}

func (w *world) plant() {
	w.t.Helper()
	w.must(os.WriteFile(w.path, []byte("theirs\n"), 0o600))
	w.must(os.Lchown(w.path, 4711, -1))
}

// replaces asserts that the lock can be had, and returns what was logged.
func (w *world) replaces() (lines []string) {
	w.t.Helper()
	log := funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{})
	lock, err := Take(w.t.Context(), Options{Path: w.path, Timeout: patience, Log: log})
	w.must(err)
	lock.Release()
	w.recorded(os.Getpid())
	return lines
}

func TestAPlantedLockFileIsReplacedByRoot(t *testing.T) {
	for what, plant := range map[string]func(w *world, precious string){
		"a file":                            func(w *world, _ string) { w.plant() },
		"a link":                            func(w *world, precious string) { w.must(os.Symlink(precious, w.path)) },
		"a FIFO":                            func(w *world, _ string) { w.must(unix.Mkfifo(w.path, 0o600)) },
		"a directory":                       func(w *world, _ string) { w.must(os.Mkdir(w.path, 0o700)) },
		"a second name of a file of root's": func(w *world, precious string) { w.must(os.Link(precious, w.path)) },
	} {
		t.Run(what, func(t *testing.T) {
			w := newSticky(t)
			precious := filepath.Join(filepath.Dir(w.dir), "precious")
			w.must(os.WriteFile(precious, []byte("precious\n"), 0o600))
			plant(w, precious)
			if what != "a second name of a file of root's" {
				w.must(os.Lchown(w.path, 4711, -1))
			}
			lines := w.replaces()
			if len(lines) != 1 || !strings.Contains(lines[0], w.path) || !strings.Contains(lines[0], "planted was replaced") {
				t.Errorf("got %q, want one line that names the path", lines)
			}
			w.still(precious, "precious\n")
			left, err := os.ReadDir(w.dir)
			if err != nil || len(left) != 1 {
				t.Errorf("got %v, %v in the directory, want the lock file only", left, err)
			}
			if lines := w.replaces(); len(lines) > 0 {
				t.Errorf("got %q the second time, want nothing", lines)
			}
		})
	}
}

func TestAForeignLockFileIsNotReplacedWhereThatIsOfNoUse(t *testing.T) {
	for what, change := range map[string]func(w *world) error{
		"everybody may take root's away, too": func(w *world) error { return os.Chmod(w.dir, 0o777) }, //nolint:gosec // that is the point
		"the directory's owner may":           func(w *world) error { return os.Chown(w.dir, 4711, -1) },
	} {
		t.Run(what, func(t *testing.T) {
			w := newSticky(t)
			w.plant()
			w.must(change(w))
			w.refuses("belongs to user 4711, not to user 0")
			w.still(w.path, "theirs\n")
		})
	}
}

func TestEventsThatMeetAPlantedFileEndAsTheLastOneSays(t *testing.T) {
	w := newSticky(t)
	k := w.keepalived("keepalived")
	for round := range 5 {
		_ = os.Remove(w.path) // of the last round
		w.plant()
		gate := w.gate(fmt.Sprintf("gate-%d", round))
		var all []role
		for i := range 8 {
			r := w.master(fmt.Sprintf("event-%d-%d", round, i))
			r.Gate = gate
			all = append(all, r)
		}
		shut, err := os.OpenFile(gate, os.O_RDWR, 0) //nolint:gosec // of the test's own directory
		w.must(err)
		k.start(all...)
		for _, r := range all {
			w.pidOf(r.Name)
		}
		w.must(shut.Close()) // they all run at once
		last := all[len(all)-1]
		eventually(t, func() (string, bool) {
			if fd, err := unix.Open(gate, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err == nil { // one that came late to the gate
				_ = unix.Close(fd)
			}
			return last.Name + " does not hold", len(w.heard(last.Name+" holds")) > 0
		})
		w.leaves(all, map[string]role{w.path: last})
		w.start(w.backup(fmt.Sprintf("end-%d", round)))
		w.hears(fmt.Sprintf("end-%d let go", round))
	}
}

func TestAStoppedHolderLearnsOfANewerEventBeforeItWrites(t *testing.T) {
	w := newWorld(t)
	pid := w.holds(w.master("master"))
	w.kill(pid, unix.SIGSTOP)
	backup := w.backup("backup")
	backup.Timeout = 20 * time.Millisecond
	w.start(backup)
	w.hears("backup error") // the holder cannot go
	w.kill(pid, unix.SIGCONT)
	if got, want := w.hears("master told"), "check: "+ErrNewer.Error(); !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want %q at its end", got, want)
	}
}

func TestARemovedLockFileIsMadeAnewWhileNoEventComes(t *testing.T) {
	w := newWorld(t)
	master := w.master("master")
	master.Check = w.gate("gate")
	pid := w.holds(master)
	w.must(os.Remove(w.path))
	w.open(master.Check)
	if got, want := w.hears("master check"), "master check: <nil>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	w.held(pid)
	w.recorded(pid)
	w.start(w.backup("backup"))
	w.hears("backup let go")
	w.hears("master ended")
}

func TestAHolderWhoseFileWasRemovedYieldsToAnEventThatMadeItAnew(t *testing.T) {
	w := newWorld(t)
	master := w.master("master")
	master.Check = w.gate("gate")
	w.holds(master)
	w.must(os.Remove(w.path))
	w.start(w.backup("backup"))
	w.hears("backup let go") // it found no holder
	w.open(master.Check)
	if got := w.hears("master check"); !strings.Contains(got, w.path) || !strings.Contains(got, ErrNewer.Error()) {
		t.Errorf("got %q, want the path and that there is a newer event", got)
	}
}

func TestAReleasedLockIsNotHeld(t *testing.T) {
	w := newWorld(t)
	lock, err := w.take(context.Background(), patience)
	w.must(err)
	if err := lock.Check(); err != nil {
		t.Errorf("got %v while it is held, want none", err)
	}
	lock.Release()
	if lock.Check() == nil {
		t.Error("got none after Release, want an error")
	}
}
