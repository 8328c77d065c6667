package keepalived

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

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

	first.fifo.current.close() // as the end of its process would
	first.waitUnlocked()
	wr.say(`INSTANCE "A" BACKUP 100`)
	second.step(probeEvery)
	second.wantLast("writer: A BACKUP")
	second.wantLogged("the FIFO can be read now", 1)
}

// secondListener returns a testEnv with another Listener on the same FIFO.
func (env *testEnv) secondListener() *testEnv {
	second := &testEnv{t: env.t, now: env.now}
	opts := env.opts
	opts.Changed = func(s Snapshot) { second.reported = append(second.reported, report{second.now, format(s), s}) }
	opts.Log = second.log.Logger()
	second.Listener = New(opts)
	return second
}

func TestTheOldFIFOIsReadWhileItHasAWriter(t *testing.T) {
	env := newEnvWithFIFO(t)
	old := env.writer()
	old.say(`INSTANCE "A" BACKUP 100`)
	env.step(0)
	env.remakeFIFO()
	env.step(checkEvery)
	old.say(`INSTANCE "A" MASTER 100`)
	env.step(checkEvery)
	env.wantLast("writer: A MASTER")

	old.say(`INSTANCE "B" FAULT 100`)
	fresh := env.writer()
	fresh.say(`INSTANCE "A" BACKUP 100`)
	env.step(checkEvery)
	env.wantLast("writer: A BACKUP, B FAULT?") // the lines left in the old one are earlier
	old.say(`INSTANCE "A" MASTER 100`)         // it is no longer read
	env.step(checkEvery)
	env.wantLast("writer: A BACKUP, B FAULT")
	env.wantOpen(3) // both writers and our reader
}

func TestANewFIFOWinsEvenIfItsWriterIsSilent(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.setVIP("A", true)
	env.writer().say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	env.remakeFIFO()
	fresh := env.writer()
	env.step(checkEvery)
	env.wantLast("writer: A MASTER?") // as after any reload
	env.step(settleTime)
	env.wantLast("writer: A MASTER")
	fresh.close()
	env.step(0)
	env.wantLast("no writer: A MASTER?")
}

// While the FIFO has a writer, a change in its directory is what makes the listener check the path at once. Only the fastest of several
// tries counts, because the machine may be busy.
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
	if most := checkEvery / 4; best > most {
		t.Errorf("got the line after %v, want it within %v", best, most)
	}
}

// A change of a symbolic link to the directory, such as /var/run, causes no inotify event.
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
		t.Errorf("got the line after %v, want it within about %v", took, checkEvery)
	}
}

func TestTheNewFIFOWinsOnceTheOldOneHasNoWriter(t *testing.T) {
	env := newEnvWithFIFO(t)
	old := env.writer()
	old.say(`INSTANCE "A" BACKUP 100`)
	env.step(0)
	env.remakeFIFO()
	env.step(checkEvery)
	old.close()
	env.step(0)
	env.wantLast("no writer: A BACKUP?")
	env.step(probeEvery)
	env.writer().say(`INSTANCE "A" MASTER 100`)
	env.step(probeEvery)
	env.wantLast("writer: A MASTER")
}

func TestRecreatingTheFIFOLeaksNoDescriptors(t *testing.T) {
	env := newEnvWithFIFO(t)
	wr := env.writer()
	env.step(0)
	for range 5 { // the first FIFO still has its writer
		env.remakeFIFO()
		env.step(checkEvery)
	}
	env.wantOpen(3) // the first FIFO, its writer, and the last FIFO
	wr.close()
	env.step(0)
	env.step(probeEvery)
	env.wantOpen(1)
}

// openFiles returns the open files of this process that are, or were, at the FIFO's path.
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
	// Between two probes Keepalived starts, becomes MASTER and is reloaded. It does not repeat MASTER.
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

// Another process keeps the first FIFO open, while Keepalived is reloaded twice.
func TestLinesInANextFIFOThatIsRemovedInTurnAreNotLost(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.writer().say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	env.remakeFIFO()
	env.step(checkEvery) // opens the second FIFO
	second := env.writer()
	second.say(`INSTANCE "A" BACKUP 100`)
	env.remakeFIFO()
	env.step(checkEvery)
	env.wantLast("writer: A BACKUP")
	env.writer().say(`INSTANCE "A" FAULT 100`)
	second.close()
	env.step(checkEvery)
	env.step(probeEvery)
	env.wantLast("writer: A FAULT")
	env.wantOpen(3) // the first FIFO's writer, and the third FIFO with its writer
}

// A fifoLog is a fifo that records which handlers it calls.
type fifoLog struct {
	*fifo
	calls []string
}

// newFIFOLog returns a fifoLog that works without a Listener.
func newFIFOLog(t *testing.T, opts *Options) *fifoLog {
	t.Helper()
	l := &fifoLog{}
	l.fifo = newFIFO(opts, &eventCounters{}, fifoHandlers{
		connected: func(time.Time) { l.calls = append(l.calls, "connected") },
		event:     func(e Event, _ time.Time) { l.calls = append(l.calls, e.Name+" "+e.State) },
		gone:      func(time.Time) { l.calls = append(l.calls, "gone") },
	})
	t.Cleanup(l.close)
	return l
}

// wants checks which handlers have been called since it was last called.
func (l *fifoLog) wants(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(l.calls, want) {
		t.Errorf("calls: got %q, want %q", l.calls, want)
	}
	l.calls = nil
}

func TestFIFOHandlersAreCalledInTheOrderOfEvents(t *testing.T) {
	env := newEnvWithFIFO(t)
	l := newFIFOLog(t, &env.opts)
	l.follow(env.now)
	l.read(env.now)
	l.wants(t)

	wr := env.writer()
	l.read(env.now)
	l.wants(t, "connected")
	wr.say(`INSTANCE "A" MASTER 100`, `INSTANCE "A" BACKUP 100`)
	wr.close()
	l.read(env.now)
	l.wants(t, "A MASTER", "A BACKUP", "gone")
	if l.connected {
		t.Error("got connected after the writer has gone, want not")
	}

	wr = env.writer() // it comes and goes between two reads
	wr.say(`INSTANCE "A" FAULT 100`)
	wr.close()
	l.read(env.now)
	l.wants(t, "connected", "A FAULT", "gone")
}

func TestAReplacedFIFOIsReadToItsEndBeforeTheNewOne(t *testing.T) {
	env := newEnvWithFIFO(t)
	l := newFIFOLog(t, &env.opts)
	l.follow(env.now)
	old := env.writer()
	l.read(env.now)
	l.wants(t, "connected")

	env.remakeFIFO()
	l.follow(env.now.Add(checkEvery))
	l.wants(t)
	if l.next == nil {
		t.Fatal("got no next FIFO, want the FIFO at the path opened")
	}
	old.say(`INSTANCE "A" MASTER 100`)
	env.writer().say(`INSTANCE "A" BACKUP 100`)
	l.follow(env.now.Add(2 * checkEvery))
	l.wants(t, "A MASTER", "gone", "connected", "A BACKUP")
	if l.next != nil || !l.connected {
		t.Errorf("got next FIFO %v and connected %v, want none and true", l.next, l.connected)
	}
}

func TestHowLongAFIFOMayWait(t *testing.T) {
	env := newEnvWithFIFO(t)
	l := newFIFOLog(t, &env.opts)
	l.at.dir = newDirWatch(filepath.Dir(env.opts.Path))
	t.Cleanup(l.at.dir.close)
	now := env.now
	is := func(what string, want time.Duration, wantFDs ...int) {
		t.Helper()
		if got, fds := l.wait(now, nil); got != want || !slices.Equal(fds, wantFDs) {
			t.Errorf("%s: got %v and descriptors %v, want %v and %v", what, got, fds, want, wantFDs)
		}
	}
	l.follow(now)
	is("no writer", probeEvery, l.at.dir.fd)
	env.writer()
	l.read(now)
	is("a writer", restEvery, l.current.fd, l.at.dir.fd)
	env.remakeFIFO()
	now = now.Add(time.Second)
	l.follow(now)
	is("a change in the directory just now", newsEvery, l.current.fd)
	now = now.Add(newsEvery)
	is("a FIFO without a writer at the path", checkEvery-newsEvery, l.current.fd, l.at.dir.fd)
}
