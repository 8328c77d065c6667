package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// endless makes opening keepalived.conf block, as on a disk that hangs: the test holds a lease on it. opened waits until somebody
// opens it, and ends lets them go on. The kernel does so after 45 s (/proc/sys/fs/lease-break-time).
func (w *env) endless() (opened, ends func()) {
	w.Helper()
	fresh := w.Path("keepalived.conf.new")
	w.must(os.WriteFile(fresh, []byte(w.Keepalived(100, "", one, two)), 0o600))
	f, err := os.OpenFile(fresh, os.O_RDWR, 0) //nolint:gosec // our own
	w.must(err)
	w.Cleanup(func() { _ = f.Close() }) // it may be closed
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		w.Skipf("no leases on the file system of %s: %v", fresh, err)
	}
	w.must(os.Rename(fresh, w.Path("keepalived.conf")))
	opened = func() {
		w.Helper()
		w.eventually("keepalived.conf is opened", 5*time.Second, func() bool {
			lease, err := unix.FcntlInt(f.Fd(), unix.F_GETLEASE, 0)
			return err == nil && lease != unix.F_WRLCK // the type that it is downgraded to
		})
	}
	return opened, func() { w.Helper(); w.must(f.Close()) }
}

func TestAHangingReloadDelaysNothing(t *testing.T) {
	w := newEnv(t, one, two, three)
	w.must(w.Configure("keepalived.conf", w.Keepalived(100, "", one)))
	w.start()
	w.says("MASTER")
	w.holds(3*time.Second, one)
	opened, ends := w.endless()
	opened()
	for range 3 { // reloads of Keepalived
		w.CloseFIFO()
		time.Sleep(100 * time.Millisecond)
		w.says("BACKUP")
		w.Cloud.Move(one, stranger)
		w.says("MASTER")
		w.holds(3*time.Second, one)
	}
	if w.here(two) {
		t.Error("got keepalived.conf taken over, want its reading to hang")
	}
	w.must(w.Configure("keepalived.conf", w.Keepalived(100, "", one, two, three))) // counts when the reading has ended
	w.must(w.HangUpFloaty())
	ends()
	w.holds(5*time.Second, one, two, three)
}

func TestSIGTERMEndsAHangingReload(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	opened, _ := w.endless()
	opened()
	begun := time.Now()
	w.StopFloaty()
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("got the end after %v, want it within 3 s", took)
	}
}

func TestSIGTERMEndsAHangingStart(t *testing.T) {
	w := newEnv(t, one)
	opened, _ := w.endless()
	w.must(w.StartFloaty())
	opened()
	begun := time.Now()
	w.StopFloaty()
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("got the end after %v, want it within 3 s", took)
	}
}

// In the first milliseconds of a process nothing catches a SIGHUP. A read that hangs takes longer than that.
func TestSIGHUPDuringTheStartIsHandledLater(t *testing.T) {
	w := newEnv(t, one)
	opened, ends := w.endless()
	w.must(w.StartFloaty())
	opened()
	w.must(w.HangUpFloaty())
	ends()
	w.eventually("it reads again", 5*time.Second, func() bool { return w.logged("read again: nothing has changed") == 1 })
	w.eventually("it makes the FIFO", 5*time.Second, func() bool { _, err := os.Stat(w.FIFO); return err == nil })
	w.says("MASTER")
	w.holds(3*time.Second, one)
}

func TestSIGHUPDoesNotEndAStartingHolder(t *testing.T) {
	w := newEnv(t, one)
	opened, ends := w.endless()
	w.holder()
	opened()
	w.must(w.HangUpFloaty())
	ends()
	w.holds(3*time.Second, one)
}

func TestBACKUPStopsTheHolderWhileKeepalivedConfHangs(t *testing.T) {
	w := newEnv(t, one)
	w.holder()
	w.holds(3*time.Second, one)
	w.endless()
	status, _, stderr := run(t, w.Path("floaty.yml"), "INSTANCE", "VI_1", "BACKUP", "100")
	if status != 1 {
		t.Errorf("got status %d and %s, want 1, for it cannot be read", status, stderr)
	}
	w.ended()
}

// saved reports whether the saved states hold a text.
func (w *env) saved(text string) bool {
	w.Helper()
	files, err := filepath.Glob(w.Path("state/*.states"))
	w.must(err)
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil && strings.Contains(string(data), text) { //nolint:gosec // floaty's own
			return true
		}
	}
	return false
}

// With no descriptor left, a BACKUP cannot be saved: what was saved before must not count after a restart.
func TestBACKUPWithoutFileDescriptorsLeavesNoSavedMaster(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	w.says("MASTER")
	w.holds(3*time.Second, one)
	w.eventually("MASTER is saved", 3*time.Second, func() bool { return w.saved("MASTER") })
	w.must(unix.Prlimit(w.FloatyPID(), unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: 3}, nil))
	w.says("BACKUP")
	w.eventually("it is told", 3*time.Second, func() bool { return w.logged("saving the states failed") == 1 })
	if w.saved("MASTER") {
		t.Error("got MASTER in the file, want it gone")
	}
	w.must(syscall.Kill(w.FloatyPID(), syscall.SIGKILL))
	<-w.FloatyEnded()
	w.Cloud.Move(one, stranger)
	w.must(w.StartFloaty())
	w.never("written as a BACKUP", 2*interval, func() bool { return w.here(one) })
}
