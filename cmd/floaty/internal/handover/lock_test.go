package handover

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// wantRejected asserts that the lock cannot be acquired, and that the error names the path and the reason.
func (env *testEnv) wantRejected(why string) {
	env.t.Helper()
	lock, err := env.acquire(env.t.Context(), 0)
	if err == nil || lock != nil || !strings.Contains(err.Error(), env.path) || !strings.Contains(err.Error(), why) {
		env.t.Errorf("got %v, %v, want no lock and an error with %q and %q", lock, err, env.path, why)
	}
}

func TestASymbolicLinkIsRejected(t *testing.T) {
	env := newEnv(t)
	target := filepath.Join(env.dir, "target")
	env.must(os.WriteFile(target, []byte("precious\n"), 0o600))
	env.must(os.Chmod(target, 0o400)) // not the mode that a lock file gets
	for _, to := range []string{target, "target", filepath.Join(env.dir, "nothing"), env.dir, env.path} {
		env.must(os.Symlink(to, env.path))
		env.wantRejected("symbolic link")
		env.must(os.Remove(env.path))
	}
	env.wantContent(target, "precious\n")
	info, err := os.Stat(target)
	if err != nil || info.Mode() != 0o400 {
		t.Errorf("got %v, %v for the target, want it unchanged", info, err)
	}
	if _, err := os.Lstat(filepath.Join(env.dir, "nothing")); err == nil {
		t.Error("got the missing target of a link created, want it still missing")
	}
}

func TestASymbolicLinkThatAppearsMeanwhileIsNotFollowed(t *testing.T) {
	env := newEnv(t)
	target, link, file := filepath.Join(env.dir, "target"), filepath.Join(env.dir, "link"), filepath.Join(env.dir, "file")
	env.must(os.WriteFile(target, []byte("precious\n"), 0o600))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			_, _ = os.Symlink(target, link), os.Rename(link, env.path)
			_, _ = os.WriteFile(file, nil, 0o600), os.Rename(file, env.path)
		}
	}()
	var acquired, rejected int
	deadline := time.Now().Add(30 * time.Second)
	for i := 0; i < 1000 || acquired == 0 || rejected == 0; i++ {
		if time.Now().After(deadline) {
			t.Errorf("got the lock %d times, and a rejected link %d times, within 30 s, want both of them", acquired, rejected)
			break
		}
		lock, err := env.acquire(t.Context(), 0)
		if err == nil {
			acquired++
			lock.Release()
		} else if strings.Contains(err.Error(), "symbolic link") {
			rejected++
		}
	}
	close(stop)
	<-stopped
	env.wantContent(target, "precious\n")
}

func TestAFileOfAnotherUserIsRejected(t *testing.T) {
	env := newEnv(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can create a file of another user")
	}
	env.must(os.WriteFile(env.path, []byte("theirs\n"), 0o600))
	env.must(os.Chmod(env.path, 0o666)) //nolint:gosec // it can be written, but must not be
	env.must(os.Chown(env.path, 4711, -1))
	env.wantRejected("belongs to user 4711 (want user 0)")
	env.wantContent(env.path, "theirs\n")
}

func TestAFileWithTwoHardLinksIsRejected(t *testing.T) {
	env := newEnv(t)
	other := filepath.Join(env.dir, "other")
	env.must(os.WriteFile(other, []byte("precious\n"), 0o600))
	env.must(os.Link(other, env.path))
	env.wantRejected("2 names")
	env.wantContent(other, "precious\n")
}

func TestAFileThatIsNotRegularIsRejected(t *testing.T) {
	env := newEnv(t)
	env.must(os.Mkdir(env.path, 0o700))
	env.wantRejected("not a regular file")
	env.must(os.Remove(env.path))

	env.must(unix.Mkfifo(env.path, 0o600))
	env.wantRejected("not a regular file")
	env.must(os.Remove(env.path))

	l, err := net.Listen("unix", env.path)
	if err != nil {
		t.Skip("no socket here: ", err) // the path may be too long for a socket
	}
	defer func() { _ = l.Close() }()
	env.wantRejected("not a regular file")
}

func TestTheErrorNamesAMissingDirectory(t *testing.T) {
	env := newEnv(t)
	env.path = filepath.Join(env.dir, "missing", "floaty-VI_1.lock")
	env.wantRejected("directory " + filepath.Join(env.dir, "missing") + " does not exist:")
}

func TestADirectoryMayBeASymbolicLink(t *testing.T) {
	env := newEnv(t)
	env.must(os.Mkdir(filepath.Join(env.dir, "run"), 0o700))
	env.must(os.Symlink("run", filepath.Join(env.dir, "var"))) // as /var/lock is a link to /run/lock
	env.path = filepath.Join(env.dir, "var", "floaty-VI_1.lock")
	lock, err := env.acquire(t.Context(), patience)
	env.must(err)
	lock.Release()
}

func TestAProcessThatOnlyTheFileNamesAsHolderIsNotSignalled(t *testing.T) {
	env := newEnv(t)
	bystander := env.master("bystander")
	bystander.Path = filepath.Join(env.dir, "floaty-VI_2.lock")
	pid := env.startHolder(bystander)
	for _, text := range []string{"%d", "%d\n", " %d \n", "unknown 1 %d 1 %[1]d\n", boot() + " 1 %d 1 %[1]d\n"} {
		env.must(os.WriteFile(env.path, fmt.Appendf(nil, text, pid), 0o600))
		lock, err := env.acquire(t.Context(), patience)
		env.must(err)
		lock.Release()
	}
	env.wantNothing("bystander told")
	if got := env.holder(bystander.Path); got != pid {
		t.Errorf("got %d as the holder of the other lock, want %d", got, pid)
	}
}

func TestMalformedContentIsIgnored(t *testing.T) {
	env := newEnv(t)
	later := fmt.Sprintf("%s %d 1 1 1\n", boot(), uptime()+1e6)
	for _, text := range []string{
		"", "\n", "0\n", "-1\n", "garbage", "\x00\xff\n\n", later,
		"00000000-0000-0000-0000-000000000000 99999999999 1 99999999999 1\n", strings.Repeat(boot()+" ", 5) + "\n",
		boot() + " 18446744073709551616 1 1 1\n", boot() + " -1 1 1 1\n", boot() + " 1 0 1 1\n", boot() + " 1 1 1 -1\n", boot() + " 1 4194305 1 1\n",
		boot() + " 1 1 1\n", boot() + " 1 1 1 1 1\n", boot() + " 1 1  1 1\n",
		strings.TrimSuffix(later, "\n"), strings.Repeat("x", 1<<20) + "\n", strings.Repeat(later, 1<<12),
	} {
		env.must(os.WriteFile(env.path, []byte(text), 0o600))
		lock, err := env.acquire(t.Context(), patience)
		if err != nil {
			t.Errorf("%.50q: got error %v, want the lock", text, err)
			continue
		}
		lock.Release()
		ours, err := thisEvent(ownAncestry())
		env.must(err)
		env.wantContent(env.path, ours.String()+"\n")
	}
}

func TestAHugeFileIsNotRead(t *testing.T) {
	env := newEnv(t)
	env.must(os.WriteFile(env.path, nil, 0o600))
	env.must(os.Truncate(env.path, 1<<40))
	lock, err := env.acquire(t.Context(), patience)
	env.must(err)
	lock.Release()
	env.wantRecorded(os.Getpid())
}

func TestOnlyTheOwnerMayOpenTheFile(t *testing.T) {
	for _, umask := range []int{0o177, 0o777, 0} {
		t.Run(fmt.Sprintf("umask %04o", umask), func(t *testing.T) {
			env := newEnv(t)
			for _, name := range []string{"made", "found"} {
				r := env.master(name)
				r.Umask = umask
				env.startHolder(r)
				if info, err := os.Lstat(env.path); err != nil || info.Mode() != 0o600 {
					t.Errorf("%s: got %v, %v, want mode 0600", name, info.Mode(), err)
				}
				env.must(os.Chmod(env.path, 0o666)) //nolint:gosec // as if another program had changed it
			}
		})
	}
}

func TestTheLockIsAcquiredOnAFullDisk(t *testing.T) {
	env := newEnv(t)
	env.startHolder(env.master("first"))
	env.must(os.Truncate(env.path, 0))
	second := env.master("second")
	second.FullDisk = true
	pid := env.startHolder(second)
	env.wantHolder(pid)
	var errs []string
	for _, line := range env.output("second log: ") {
		if strings.Contains(line, "cannot record the order of events") {
			errs = append(errs, line)
		}
	}
	if len(errs) != 1 || !strings.Contains(errs[0], env.path) {
		t.Errorf("got %q about the order, want one line that names the path", errs)
	}
}

func TestAFileThatIsRemovedDuringTheWaitIsCreatedAgain(t *testing.T) {
	env := newEnv(t)
	slow := env.master("slow")
	slow.EndGate = env.gate("gate")
	env.startHolder(slow)
	next := env.start(env.master("next"))
	env.waitFor("slow told")
	env.must(os.Remove(env.path))
	env.waitFor("next holds")
	env.wantHolder(next)
}

func TestASecondReleaseDoesNothing(t *testing.T) {
	env := newEnv(t)
	lock, err := env.acquire(t.Context(), time.Second)
	env.must(err)
	lock.Release()
	var files []*os.File
	for range 10 { // one of them gets the descriptor number that the lock had
		f, err := os.Open(env.path)
		env.must(err)
		files = append(files, f)
	}
	lock.Release()
	for _, f := range files {
		env.must(f.Close())
	}
}
