package keepalived

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// wantFIFO asserts that there is a FIFO at the path that only its owner may open.
func (w *testEnv) wantFIFO() {
	w.t.Helper()
	info, err := os.Lstat(w.opts.Path)
	if err != nil {
		w.t.Fatalf("got %v, want a FIFO", err)
	}
	if want := os.ModeNamedPipe | 0o600; info.Mode() != want {
		w.t.Fatalf("got mode %v, want %v", info.Mode(), want)
	}
}

func (w *testEnv) wantNothing() {
	w.t.Helper()
	if _, err := os.Lstat(w.opts.Path); !os.IsNotExist(err) {
		w.t.Fatalf("got %v, want nothing at the path", err)
	}
}

func TestAMissingFIFOIsMadeAtOnceAtTheStart(t *testing.T) {
	w := newEnv(t)
	w.look(0)
	w.wantFIFO()
	w.said("FIFO made", 1)

	wr := w.writer()
	wr.say(`INSTANCE "A" BACKUP 100`)
	w.look(probeEvery)
	w.is("writer: A BACKUP")
}

func TestARemovedFIFOIsMadeAnewOnlyAfterTwoSeconds(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.look(0)
	w.removeFIFO()
	w.look(probeEvery)
	w.look(1990 * time.Millisecond)
	w.wantNothing() // Keepalived may be about to make it
	w.look(10 * time.Millisecond)
	w.wantFIFO()

	w.removeFIFO() // the time counts anew
	w.look(time.Minute)
	w.wantNothing()
	w.look(missingFor)
	w.wantFIFO()
	w.said("FIFO made", 2)
}

func TestAFIFOThatKeepalivedMakesWithinTwoSecondsIsFollowed(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.look(0)
	w.removeFIFO()
	w.look(probeEvery)
	w.makeFIFO()
	w.writer().say(`INSTANCE "A" MASTER 100`)
	w.look(probeEvery)
	w.is("writer: A MASTER")
	w.said("FIFO made", 0)
}

func TestADirectoryMayComeLate(t *testing.T) {
	w := newEnv(t)
	dir := filepath.Join(filepath.Dir(w.opts.Path), "late")
	w.opts.Path = filepath.Join(dir, "fifo")
	w.look(0)
	w.look(time.Hour)
	w.said("cannot read the FIFO", 2) // with a reminder
	w.said("no such file or directory", 2)

	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w.look(probeEvery)
	w.wantFIFO()
	w.look(probeEvery)
	w.said("the FIFO can be read now", 1)
}

func TestWhatIsNoFIFOIsLeftAloneAndSaidOnce(t *testing.T) {
	for _, c := range []struct {
		what, says string
		put        func(path string) error
	}{
		{"a file", "it is not a FIFO", func(path string) error { return os.WriteFile(path, []byte("INSTANCE \"A\" MASTER 1\n"), 0o600) }},
		{"a directory", "it is not a FIFO", func(path string) error { return os.Mkdir(path, 0o700) }},
		{"a link to a FIFO", "it is a symbolic link", func(path string) error {
			if err := unix.Mkfifo(path+"2", 0o600); err != nil {
				return err
			}
			return os.Symlink(path+"2", path)
		}},
		{"a link to nothing", "it is a symbolic link", func(path string) error { return os.Symlink(path+"2", path) }},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := newEnv(t)
			if err := c.put(w.opts.Path); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(w.opts.Path)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				w.look(firstReminder / 4)
			}
			if after, err := os.Lstat(w.opts.Path); err != nil || after.Mode() != before.Mode() || after.Size() != before.Size() {
				t.Errorf("got %v, %v at the path, want it left alone", after, err)
			}
			w.said(c.says, 1)
			w.is("no writer:")

			w.remakeFIFO()
			w.writer().say(`INSTANCE "A" MASTER 1`)
			w.look(probeEvery)
			w.is("writer: A MASTER")
			w.said("the FIFO can be read now", 1)
		})
	}
}

func TestASecondReaderSaysSoAndWaits(t *testing.T) {
	first := newEnvWithFIFO(t)
	wr := first.writer()
	first.look(0)

	second := first.another()
	second.look(0)
	wr.say(`INSTANCE "A" MASTER 100`)
	for range 5 {
		second.look(probeEvery)
	}
	second.is("no writer:")
	second.said("another process is reading it", 1)
	first.look(0)
	first.is("writer: A MASTER")

	first.fifo.current.close() // as its end does
	first.isFree()
	wr.say(`INSTANCE "A" BACKUP 100`)
	second.look(probeEvery)
	second.is("writer: A BACKUP")
	second.said("the FIFO can be read now", 1)
}

// another is a second host program beside w's, on the same FIFO.
func (w *testEnv) another() *testEnv {
	second := &testEnv{t: w.t, now: w.now}
	opts := w.opts
	opts.Changed = func(s Snapshot) { second.seen = append(second.seen, sight{second.now, text(s), s}) }
	opts.Log = logTo(func(line string) { second.log = append(second.log, line) })
	second.Listener = New(opts)
	return second
}

func TestTheOldFIFOCountsWhileItHasAWriter(t *testing.T) {
	w := newEnvWithFIFO(t)
	old := w.writer()
	old.say(`INSTANCE "A" BACKUP 100`)
	w.look(0)
	w.remakeFIFO()
	w.look(lookEvery)
	old.say(`INSTANCE "A" MASTER 100`)
	w.look(lookEvery)
	w.is("writer: A MASTER")

	old.say(`INSTANCE "B" FAULT 100`)
	fresh := w.writer()
	fresh.say(`INSTANCE "A" BACKUP 100`)
	w.look(lookEvery)
	w.is("writer: A BACKUP, B FAULT?") // what the old one still held was said earlier
	old.say(`INSTANCE "A" MASTER 100`) // nobody listens any more
	w.look(lookEvery)
	w.is("writer: A BACKUP, B FAULT")
	w.areOpen(3) // both writers, and one to read
}

func TestANewFIFOWinsThoughItsWriterIsSilent(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.gives("A", true)
	w.writer().say(`INSTANCE "A" MASTER 100`)
	w.look(0)
	w.remakeFIFO()
	fresh := w.writer()
	w.look(lookEvery)
	w.is("writer: A MASTER?") // as after any reload
	w.look(settleTime)
	w.is("writer: A MASTER")
	fresh.close()
	w.look(0)
	w.is("no writer: A MASTER?")
}

// Nobody looks at the path while all is well: that something is made there must be an event. The best of several tries counts,
// for the machine may be busy.
func TestANewFIFOIsSeenAtOnce(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.writer()
	defer w.run()()
	w.becomes("writer:")
	best := patience
	for _, state := range []string{"BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER"} {
		fresh := w.opts.Path + ".fresh"
		if err := unix.Mkfifo(fresh, 0o600); err != nil {
			t.Fatal(err)
		}
		fd, err := openAsKeepalived(fresh)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Close(fd) }()
		began := time.Now()
		if err := os.Rename(fresh, w.opts.Path); err != nil {
			t.Fatal(err)
		}
		(&writer{t: t, fd: fd}).say(`INSTANCE "A" ` + state + ` 100`)
		w.becomes("writer: A " + state)
		best = min(best, time.Since(began))
	}
	if most := lookEvery / 4; best > most {
		t.Errorf("got the line after %v, want it within %v", best, most)
	}
}

// No event tells that a symbolic link is aimed elsewhere, as of /var/run.
func TestADirectoryBehindALinkIsFollowed(t *testing.T) {
	w := newEnv(t)
	base := t.TempDir()
	link := func(to string) {
		if err := os.Mkdir(filepath.Join(base, to), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, filepath.Join(base, "new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(base, "new"), filepath.Join(base, "run")); err != nil {
			t.Fatal(err)
		}
	}
	link("a")
	w.opts.Path = filepath.Join(base, "run", "fifo")
	w.makeFIFO()
	w.writer().say(`INSTANCE "A" BACKUP 100`)
	defer w.run()()
	w.becomes("writer: A BACKUP")
	link("b")
	w.makeFIFO()
	w.writer().say(`INSTANCE "A" MASTER 100`)
	began := time.Now()
	w.becomes("writer: A MASTER")
	if took := time.Since(began); took > restEvery/2 {
		t.Errorf("got the line after %v, want it within about %v", took, lookEvery)
	}
}

func TestTheNewFIFOWinsOnceTheOldOneIsLeft(t *testing.T) {
	w := newEnvWithFIFO(t)
	old := w.writer()
	old.say(`INSTANCE "A" BACKUP 100`)
	w.look(0)
	w.remakeFIFO()
	w.look(lookEvery)
	old.close()
	w.look(0)
	w.is("no writer: A BACKUP?")
	w.look(probeEvery)
	w.writer().say(`INSTANCE "A" MASTER 100`)
	w.look(probeEvery)
	w.is("writer: A MASTER")
}

func TestAFIFOMadeAnewManyTimesLeavesNothingOpen(t *testing.T) {
	w := newEnvWithFIFO(t)
	wr := w.writer()
	w.look(0)
	for range 5 { // with a writer on the first one
		w.remakeFIFO()
		w.look(lookEvery)
	}
	w.areOpen(3) // the first one, its writer, and the last one
	wr.close()
	w.look(0)
	w.look(probeEvery)
	w.areOpen(1)
}

// opened returns what this process has open of what is, or was, at the path.
func (w *testEnv) opened() []string {
	w.t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		w.t.Fatal(err)
	}
	var got []string
	for _, fd := range fds {
		if file, err := os.Readlink(fd); err == nil && strings.HasPrefix(file, w.opts.Path) {
			got = append(got, file)
		}
	}
	return got
}

func (w *testEnv) areOpen(want int) {
	w.t.Helper()
	if got := w.opened(); len(got) != want {
		w.t.Errorf("open: got %q, want %d", got, want)
	}
}

func TestWhatWasSaidBetweenTwoLooksIsNotLostWithItsFIFO(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.gives("A", true)
	w.look(0)
	// Within one probe Keepalived starts, becomes MASTER and is reloaded; it does not say MASTER again.
	wr := w.writer()
	wr.say(`INSTANCE "A" MASTER 255`)
	wr.close()
	w.remakeFIFO()
	w.writer()
	w.look(probeEvery)
	w.is("writer: A MASTER?")
	w.look(settleTime)
	w.is("writer: A MASTER")
}

// Whoever may write to the FIFO decides what this host writes to the cloud.
func TestAFIFOOfAnybodyIsRefusedUntilItIsOurs(t *testing.T) {
	const stranger = 65534
	w := newEnvWithFIFO(t)
	w.writer().say(`INSTANCE "A" MASTER 100`)
	allowed := -1
	w.opts.Trusted = func(uid uint32) bool { return int(uid) == allowed }
	mode := func(mode os.FileMode) {
		if err := os.Chmod(w.opts.Path, mode); err != nil {
			t.Fatal(err)
		}
	}
	mode(0o602)
	w.look(0)
	w.look(30 * time.Second)
	w.is("no writer:")
	w.said("everybody may write to it", 1)
	w.look(30 * time.Second)
	w.said("everybody may write to it", 2)
	w.look(time.Minute)
	w.said("everybody may write to it", 2)
	w.look(time.Minute)
	w.said("everybody may write to it", 3)
	mode(0o660)
	if os.Getuid() == 0 {
		if err := os.Chown(w.opts.Path, stranger, stranger); err != nil {
			t.Fatal(err)
		}
		w.look(probeEvery)
		w.is("no writer:")
		w.said("it belongs to user 65534 (want root, floaty's own user 0, or the user that keepalived.conf names for it)", 1)
		allowed = stranger
	}
	w.look(probeEvery)
	w.look(probeEvery)
	w.is("writer: A MASTER")
	w.said("the FIFO can be read now", 1)
	w.areOpen(2) // the writer, and one to read
}

func TestAPathThatNeverBecomesAFIFO(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"": "the path is empty", dir: "it is a directory", file: "it is a regular file", fifo: "", filepath.Join(dir, "none"): "", filepath.Join(dir, "none", "fifo"): "",
	} {
		got := ""
		if err := CheckPath(path); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", path, got, want)
		}
	}
}
