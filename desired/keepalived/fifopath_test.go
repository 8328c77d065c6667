package keepalived

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// wantFIFO checks that there is a FIFO at the path, and that only its owner may open it.
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

func TestAMissingFIFOIsCreatedAtOnceAtTheStart(t *testing.T) {
	env := newEnv(t)
	env.step(0)
	env.wantFIFO()
	env.wantLogged("FIFO made", 1)

	wr := env.writer()
	wr.say(`INSTANCE "A" BACKUP 100`)
	env.step(probeEvery)
	env.wantLast("writer: A BACKUP")
}

func TestARemovedFIFOIsCreatedAgainAfterTwoSeconds(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.step(0)
	env.removeFIFO()
	env.step(probeEvery)
	env.step(1990 * time.Millisecond)
	env.wantNothing() // Keepalived may be about to create it
	env.step(10 * time.Millisecond)
	env.wantFIFO()

	env.removeFIFO() // the wait starts again
	env.step(time.Minute)
	env.wantNothing()
	env.step(missingFor)
	env.wantFIFO()
	env.wantLogged("FIFO made", 2)
}

func TestAFIFOThatKeepalivedCreatesAgainIsRead(t *testing.T) {
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
	env.wantLogged("cannot read the FIFO", 2) // the second one is a reminder
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
		what, logged string
		put          func(path string) error
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
			env.wantLogged(c.logged, 1)
			env.wantLast("no writer:")

			env.remakeFIFO()
			env.writer().say(`INSTANCE "A" MASTER 1`)
			env.step(probeEvery)
			env.wantLast("writer: A MASTER")
			env.wantLogged("the FIFO can be read now", 1)
		})
	}
}

// A user who may write to the FIFO can decide what this host writes to the cloud.
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
	env.wantOpen(2) // the writer and our reader
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
