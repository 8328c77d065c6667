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
func (env *testEnv) wantFIFO() {
	env.t.Helper()
	info, err := os.Lstat(env.opts.Path)
	if err != nil {
		env.t.Fatalf("got %v, want a FIFO", err)
	}
	if want := os.ModeNamedPipe | 0o600; info.Mode() != want {
		env.t.Fatalf("got mode %v, want %v", info.Mode(), want)
	}
}

func (env *testEnv) wantNothing() {
	env.t.Helper()
	if _, err := os.Lstat(env.opts.Path); !os.IsNotExist(err) {
		env.t.Fatalf("got %v, want nothing at the path", err)
	}
}

func TestAMissingFIFOIsMadeAtOnceAtTheStart(t *testing.T) {
	env := newEnv(t)
	env.step(0)
	env.wantFIFO()
	env.wantLogged("FIFO made", 1)

	wr := env.writer()
	wr.say(`INSTANCE "A" BACKUP 100`)
	env.step(probeEvery)
	env.wantLast("writer: A BACKUP")
}

func TestARemovedFIFOIsMadeAgainAfterTwoSeconds(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.step(0)
	env.removeFIFO()
	env.step(probeEvery)
	env.step(1990 * time.Millisecond)
	env.wantNothing() // Keepalived may be about to make it
	env.step(10 * time.Millisecond)
	env.wantFIFO()

	env.removeFIFO() // the time starts again
	env.step(time.Minute)
	env.wantNothing()
	env.step(missingFor)
	env.wantFIFO()
	env.wantLogged("FIFO made", 2)
}

func TestAFIFOThatKeepalivedMakesAgainIsFollowed(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.step(0)
	env.removeFIFO()
	env.step(probeEvery)
	env.makeFIFO()
	env.writer().say(`INSTANCE "A" MASTER 100`)
	env.step(probeEvery)
	env.wantLast("writer: A MASTER")
	env.wantLogged("FIFO made", 0)
}

func TestTheDirectoryOfTheFIFOMayAppearLate(t *testing.T) {
	env := newEnv(t)
	dir := filepath.Join(filepath.Dir(env.opts.Path), "late")
	env.opts.Path = filepath.Join(dir, "fifo")
	env.step(0)
	env.step(time.Hour)
	env.wantLogged("cannot read the FIFO", 2) // with a reminder
	env.wantLogged("no such file or directory", 2)

	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	env.step(probeEvery)
	env.wantFIFO()
	env.step(probeEvery)
	env.wantLogged("the FIFO can be read now", 1)
}

func TestAFileThatIsNotAFIFOIsLeftAloneAndLoggedOnce(t *testing.T) {
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
			env := newEnv(t)
			if err := c.put(env.opts.Path); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(env.opts.Path)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				env.step(15 * time.Second)
			}
			if after, err := os.Lstat(env.opts.Path); err != nil || after.Mode() != before.Mode() || after.Size() != before.Size() {
				t.Errorf("got %v, %v at the path, want it left alone", after, err)
			}
			env.wantLogged(c.says, 1)
			env.wantLast("no writer:")

			env.remakeFIFO()
			env.writer().say(`INSTANCE "A" MASTER 1`)
			env.step(probeEvery)
			env.wantLast("writer: A MASTER")
			env.wantLogged("the FIFO can be read now", 1)
		})
	}
}

func TestASecondReaderWaits(t *testing.T) {
	first := newEnvWithFIFO(t)
	wr := first.writer()
	first.step(0)

	second := first.secondListener()
	second.step(0)
	wr.say(`INSTANCE "A" MASTER 100`)
	for range 5 {
		second.step(probeEvery)
	}
	second.wantLast("no writer:")
	second.wantLogged("another process is reading it", 1)
	first.step(0)
	first.wantLast("writer: A MASTER")

	first.fifo.current.close() // as its end does
	first.waitUnlocked()
	wr.say(`INSTANCE "A" BACKUP 100`)
	second.step(probeEvery)
	second.wantLast("writer: A BACKUP")
	second.wantLogged("the FIFO can be read now", 1)
}

// secondListener returns a host with another Listener on the same FIFO.
func (env *testEnv) secondListener() *testEnv {
	second := &testEnv{t: env.t, now: env.now}
	opts := env.opts
	opts.Changed = func(s Snapshot) { second.reported = append(second.reported, report{second.now, format(s), s}) }
	opts.Log = logTo(func(line string) { second.log = append(second.log, line) })
	second.Listener = New(opts)
	return second
}

func TestTheOldFIFOIsReadWhileItHasAWriter(t *testing.T) {
	env := newEnvWithFIFO(t)
	old := env.writer()
	old.say(`INSTANCE "A" BACKUP 100`)
	env.step(0)
	env.remakeFIFO()
	env.step(lookEvery)
	old.say(`INSTANCE "A" MASTER 100`)
	env.step(lookEvery)
	env.wantLast("writer: A MASTER")

	old.say(`INSTANCE "B" FAULT 100`)
	fresh := env.writer()
	fresh.say(`INSTANCE "A" BACKUP 100`)
	env.step(lookEvery)
	env.wantLast("writer: A BACKUP, B FAULT?") // what the old one still held was written earlier
	old.say(`INSTANCE "A" MASTER 100`)         // nobody reads it any more
	env.step(lookEvery)
	env.wantLast("writer: A BACKUP, B FAULT")
	env.wantOpen(3) // both writers, and one to read
}

func TestANewFIFOWinsEvenIfItsWriterIsSilent(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.setVIP("A", true)
	env.writer().say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	env.remakeFIFO()
	fresh := env.writer()
	env.step(lookEvery)
	env.wantLast("writer: A MASTER?") // as after any reload
	env.step(settleTime)
	env.wantLast("writer: A MASTER")
	fresh.close()
	env.step(0)
	env.wantLast("no writer: A MASTER?")
}

// While all is well, the path is looked at only when the directory changes. The best of several tries counts, because the machine may be
// busy.
func TestANewFIFOIsNoticedAtOnce(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.writer()
	defer env.run()()
	env.waitFor("writer:")
	best := patience
	for _, state := range []string{"BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER"} {
		fresh := env.opts.Path + ".fresh"
		if err := unix.Mkfifo(fresh, 0o600); err != nil {
			t.Fatal(err)
		}
		fd, err := openAsKeepalived(fresh)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Close(fd) }()
		began := time.Now()
		if err := os.Rename(fresh, env.opts.Path); err != nil {
			t.Fatal(err)
		}
		(&writer{t: t, fd: fd}).say(`INSTANCE "A" ` + state + ` 100`)
		env.waitFor("writer: A " + state)
		best = min(best, time.Since(began))
	}
	if most := lookEvery / 4; best > most {
		t.Errorf("got the line after %v, want it within %v", best, most)
	}
}

// No event tells that a symbolic link, such as /var/run, has changed.
func TestASymbolicLinkToTheDirectoryIsFollowed(t *testing.T) {
	env := newEnv(t)
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
	env.opts.Path = filepath.Join(base, "run", "fifo")
	env.makeFIFO()
	env.writer().say(`INSTANCE "A" BACKUP 100`)
	defer env.run()()
	env.waitFor("writer: A BACKUP")
	link("b")
	env.makeFIFO()
	env.writer().say(`INSTANCE "A" MASTER 100`)
	began := time.Now()
	env.waitFor("writer: A MASTER")
	if took := time.Since(began); took > restEvery/2 {
		t.Errorf("got the line after %v, want it within about %v", took, lookEvery)
	}
}

func TestTheNewFIFOWinsOnceTheOldOneHasNoWriter(t *testing.T) {
	env := newEnvWithFIFO(t)
	old := env.writer()
	old.say(`INSTANCE "A" BACKUP 100`)
	env.step(0)
	env.remakeFIFO()
	env.step(lookEvery)
	old.close()
	env.step(0)
	env.wantLast("no writer: A BACKUP?")
	env.step(probeEvery)
	env.writer().say(`INSTANCE "A" MASTER 100`)
	env.step(probeEvery)
	env.wantLast("writer: A MASTER")
}

func TestAFIFOMadeAgainManyTimesLeaksNoDescriptors(t *testing.T) {
	env := newEnvWithFIFO(t)
	wr := env.writer()
	env.step(0)
	for range 5 { // with a writer on the first one
		env.remakeFIFO()
		env.step(lookEvery)
	}
	env.wantOpen(3) // the first one, its writer, and the last one
	wr.close()
	env.step(0)
	env.step(probeEvery)
	env.wantOpen(1)
}

// openFiles returns the files that this process has open and that are, or were, at the path.
func (env *testEnv) openFiles() []string {
	env.t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		env.t.Fatal(err)
	}
	var got []string
	for _, fd := range fds {
		if file, err := os.Readlink(fd); err == nil && strings.HasPrefix(file, env.opts.Path) {
			got = append(got, file)
		}
	}
	return got
}

func (env *testEnv) wantOpen(want int) {
	env.t.Helper()
	if got := env.openFiles(); len(got) != want {
		env.t.Errorf("open: got %q, want %d", got, want)
	}
}

func TestLinesInARemovedFIFOAreNotLost(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.setVIP("A", true)
	env.step(0)
	// Within one probe Keepalived starts, becomes MASTER and is reloaded; it does not say MASTER again.
	wr := env.writer()
	wr.say(`INSTANCE "A" MASTER 255`)
	wr.close()
	env.remakeFIFO()
	env.writer()
	env.step(probeEvery)
	env.wantLast("writer: A MASTER?")
	env.step(settleTime)
	env.wantLast("writer: A MASTER")
}

// Whoever may write to the FIFO decides what this host writes to the cloud.
func TestAnUntrustedFIFOIsRefused(t *testing.T) {
	const stranger = 65534
	env := newEnvWithFIFO(t)
	env.writer().say(`INSTANCE "A" MASTER 100`)
	allowed := -1
	env.opts.Trusted = func(uid uint32) bool { return int(uid) == allowed }
	mode := func(mode os.FileMode) {
		if err := os.Chmod(env.opts.Path, mode); err != nil {
			t.Fatal(err)
		}
	}
	mode(0o602)
	env.step(0)
	env.step(30 * time.Second)
	env.wantLast("no writer:")
	env.wantLogged("everybody may write to it", 1)
	env.step(30 * time.Second)
	env.wantLogged("everybody may write to it", 2)
	env.step(time.Minute)
	env.wantLogged("everybody may write to it", 2)
	env.step(time.Minute)
	env.wantLogged("everybody may write to it", 3)
	mode(0o660)
	if os.Getuid() == 0 {
		if err := os.Chown(env.opts.Path, stranger, stranger); err != nil {
			t.Fatal(err)
		}
		env.step(probeEvery)
		env.wantLast("no writer:")
		env.wantLogged("it belongs to user 65534 (want root, floaty's own user 0, or the user that keepalived.conf names for it)", 1)
		allowed = stranger
	}
	env.step(probeEvery)
	env.step(probeEvery)
	env.wantLast("writer: A MASTER")
	env.wantLogged("the FIFO can be read now", 1)
	env.wantOpen(2) // the writer, and one to read
}

func TestCheckPath(t *testing.T) {
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
