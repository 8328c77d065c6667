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

// refuses asserts that nothing is locked at the path, with an error that names it and says why.
func (w *world) refuses(why string) {
	w.t.Helper()
	lock, err := w.take(w.t.Context(), 0)
	if err == nil || lock != nil || !strings.Contains(err.Error(), w.path) || !strings.Contains(err.Error(), why) {
		w.t.Errorf("got %v, %v, want no lock and an error with %q and %q", lock, err, w.path, why)
	}
}

func TestASymbolicLinkIsRefused(t *testing.T) {
	w := newWorld(t)
	target := filepath.Join(w.dir, "target")
	w.must(os.WriteFile(target, []byte("precious\n"), 0o600))
	w.must(os.Chmod(target, 0o400)) // not the mode that a lock file gets
	for _, to := range []string{target, "target", filepath.Join(w.dir, "nothing"), w.dir, w.path} {
		w.must(os.Symlink(to, w.path))
		w.refuses("symbolic link")
		w.must(os.Remove(w.path))
	}
	w.still(target, "precious\n")
	info, err := os.Stat(target)
	if err != nil || info.Mode() != 0o400 {
		t.Errorf("got %v, %v of the target, want it as it was", info, err)
	}
	if _, err := os.Lstat(filepath.Join(w.dir, "nothing")); err == nil {
		t.Error("got a file where the link led to nothing, want none")
	}
}

func TestASymbolicLinkThatComesInBetweenIsNotFollowed(t *testing.T) {
	w := newWorld(t)
	target, link, file := filepath.Join(w.dir, "target"), filepath.Join(w.dir, "link"), filepath.Join(w.dir, "file")
	w.must(os.WriteFile(target, []byte("precious\n"), 0o600))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			_, _ = os.Symlink(target, link), os.Rename(link, w.path)
			_, _ = os.WriteFile(file, nil, 0o600), os.Rename(file, w.path)
		}
	}()
	var taken, refused int
	for i := 0; i < 1000 || taken == 0 || refused == 0; i++ {
		lock, err := w.take(t.Context(), 0)
		if err == nil {
			taken++
			lock.Release()
		} else if strings.Contains(err.Error(), "symbolic link") {
			refused++
		}
	}
	close(stop)
	<-stopped
	w.still(target, "precious\n")
}

func TestAFileOfAnotherUserIsRefused(t *testing.T) {
	w := newWorld(t)
	if os.Geteuid() != 0 {
		t.Skip("only root makes a file of another user")
	}
	w.must(os.WriteFile(w.path, []byte("theirs\n"), 0o600))
	w.must(os.Chmod(w.path, 0o666)) //nolint:gosec // it could be written, and is not
	w.must(os.Chown(w.path, 4711, -1))
	w.refuses("belongs to user 4711, not to user 0")
	w.still(w.path, "theirs\n")
}

func TestAFileWithTwoNamesIsRefused(t *testing.T) {
	w := newWorld(t)
	other := filepath.Join(w.dir, "other")
	w.must(os.WriteFile(other, []byte("precious\n"), 0o600))
	w.must(os.Link(other, w.path))
	w.refuses("2 names")
	w.still(other, "precious\n")
}

func TestWhatIsNoRegularFileIsRefused(t *testing.T) {
	w := newWorld(t)
	w.must(os.Mkdir(w.path, 0o700))
	w.refuses("not a regular file")
	w.must(os.Remove(w.path))

	w.must(unix.Mkfifo(w.path, 0o600))
	w.refuses("not a regular file")
	w.must(os.Remove(w.path))

	l, err := net.Listen("unix", w.path)
	if err != nil {
		t.Skip("no socket here: ", err) // a path may be too long for one
	}
	defer func() { _ = l.Close() }()
	w.refuses("not a regular file")
}

func TestAMissingDirectoryIsNamed(t *testing.T) {
	w := newWorld(t)
	w.path = filepath.Join(w.dir, "missing", "floaty-VI_1.lock")
	w.refuses("there is no directory " + filepath.Join(w.dir, "missing") + ":")
}

func TestADirectoryMayBeASymbolicLink(t *testing.T) {
	w := newWorld(t)
	w.must(os.Mkdir(filepath.Join(w.dir, "run"), 0o700))
	w.must(os.Symlink("run", filepath.Join(w.dir, "var"))) // as /var/lock is one to /run/lock
	w.path = filepath.Join(w.dir, "var", "floaty-VI_1.lock")
	lock, err := w.take(t.Context(), patience)
	w.must(err)
	lock.Release()
}

func TestAProcessThatTheFileNamesLives(t *testing.T) {
	w := newWorld(t)
	bystander := w.master("bystander")
	bystander.Path = filepath.Join(w.dir, "floaty-VI_2.lock")
	pid := w.holds(bystander)
	for _, text := range []string{"%d", "%d\n", " %d \n", "unknown 1 %d 1 %[1]d\n", boot() + " 1 %d 1 %[1]d\n"} {
		w.must(os.WriteFile(w.path, fmt.Appendf(nil, text, pid), 0o600))
		lock, err := w.take(t.Context(), patience)
		w.must(err)
		lock.Release()
	}
	w.silent("bystander told")
	if got := w.holder(bystander.Path); got != pid {
		t.Errorf("got %d as the holder of the other lock, want %d", got, pid)
	}
}

func TestContentThatIsNoOrderCountsForNothing(t *testing.T) {
	w := newWorld(t)
	later := fmt.Sprintf("%s %d 1 1 1\n", boot(), uptime()+1e6)
	for _, text := range []string{
		"", "\n", "0\n", "-1\n", "garbage", "\x00\xff\n\n", later,
		"00000000-0000-0000-0000-000000000000 99999999999 1 99999999999 1\n", strings.Repeat(boot()+" ", 5) + "\n",
		boot() + " 18446744073709551616 1 1 1\n", boot() + " -1 1 1 1\n", boot() + " 1 0 1 1\n", boot() + " 1 1 1 -1\n", boot() + " 1 4194305 1 1\n",
		boot() + " 1 1 1\n", boot() + " 1 1 1 1 1\n", boot() + " 1 1  1 1\n",
		strings.TrimSuffix(later, "\n"), strings.Repeat("x", 1<<20) + "\n", strings.Repeat(later, 1<<12),
	} {
		w.must(os.WriteFile(w.path, []byte(text), 0o600))
		lock, err := w.take(t.Context(), patience)
		if err != nil {
			t.Errorf("%.50q: got error %v, want the lock", text, err)
			continue
		}
		lock.Release()
		ours, err := thisEvent(lineage())
		w.must(err)
		w.still(w.path, ours.String()+"\n")
	}
}

func TestAHugeFileIsNotRead(t *testing.T) {
	w := newWorld(t)
	w.must(os.WriteFile(w.path, nil, 0o600))
	w.must(os.Truncate(w.path, 1<<40))
	lock, err := w.take(t.Context(), patience)
	w.must(err)
	lock.Release()
	w.recorded(os.Getpid())
}

func TestTheModeIsOursAlone(t *testing.T) {
	for _, umask := range []int{0o177, 0o777, 0} {
		t.Run(fmt.Sprintf("umask %04o", umask), func(t *testing.T) {
			w := newWorld(t)
			for _, name := range []string{"made", "found"} {
				r := w.master(name)
				r.Umask = umask
				w.holds(r)
				if info, err := os.Lstat(w.path); err != nil || info.Mode() != 0o600 {
					t.Errorf("%s: got %v, %v, want mode 0600", name, info.Mode(), err)
				}
				w.must(os.Chmod(w.path, 0o666)) //nolint:gosec // as another program may have left it
			}
		})
	}
}

func TestAFullDiskKeepsNobodyFromTheLock(t *testing.T) {
	w := newWorld(t)
	w.holds(w.master("first"))
	w.must(os.Truncate(w.path, 0))
	second := w.master("second")
	second.FullDisk = true
	pid := w.holds(second)
	w.held(pid)
	var errs []string
	for _, line := range w.heard("second log: ") {
		if strings.Contains(line, "order of events cannot be kept") {
			errs = append(errs, line)
		}
	}
	if len(errs) != 1 || !strings.Contains(errs[0], w.path) {
		t.Errorf("got %q of the order, want one line that names the path", errs)
	}
}

func TestAFileThatIsRemovedWhileWaitedForIsMadeAnew(t *testing.T) {
	w := newWorld(t)
	slow := w.master("slow")
	slow.Stubborn = w.gate("gate")
	w.holds(slow)
	next := w.start(w.master("next"))
	w.hears("slow told")
	w.must(os.Remove(w.path))
	w.hears("next holds")
	w.held(next)
}

func TestReleasingTwice(t *testing.T) {
	w := newWorld(t)
	lock, err := w.take(t.Context(), time.Second)
	w.must(err)
	lock.Release()
	f, err := os.Open(w.path) // most likely the number that the lock had
	w.must(err)
	lock.Release()
	w.must(f.Close())
}
