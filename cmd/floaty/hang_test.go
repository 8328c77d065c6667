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

// hangKeepalivedConf makes opening keepalived.conf block, as on a disk that hangs: the test holds a lease on it. opened waits until floaty
// tries to open it, and release lets floaty go on. The kernel would do so after 45 s (/proc/sys/fs/lease-break-time).
func (w *env) hangKeepalivedConf() (opened, release func()) {
	w.Helper()
	fresh := w.Path("keepalived.conf.new")
	w.must(os.WriteFile(fresh, []byte(w.Keepalived(100, "", one, two)), 0o600))
	f, err := os.OpenFile(fresh, os.O_RDWR, 0) //nolint:gosec // our own
	w.must(err)
	w.Cleanup(func() { _ = f.Close() }) // it may be closed already
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		w.Skipf("no leases on the file system of %s: %v", fresh, err)
	}
	w.must(os.Rename(fresh, w.Path("keepalived.conf")))
	opened = func() {
		w.Helper()
		w.eventually("keepalived.conf is opened", 5*time.Second, func() bool {
			lease, err := unix.FcntlInt(f.Fd(), unix.F_GETLEASE, 0)
			return err == nil && lease != unix.F_WRLCK // F_GETLEASE returns the type to which the lease is to change
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
	opened, release := w.hangKeepalivedConf()
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
		t.Error("got the new keepalived.conf in force, want reading it to hang")
	}
	w.must(w.Configure("keepalived.conf", w.Keepalived(100, "", one, two, three))) // takes effect once the read has ended
	w.must(w.HangUpFloaty())
	release()
	w.holds(5*time.Second, one, two, three)
}

func TestSIGTERMEndsAHangingReload(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	opened, _ := w.hangKeepalivedConf()
	opened()
	begun := time.Now()
	w.StopFloaty()
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("got the end %v after SIGTERM, want it within 3 s", took)
	}
}

func TestSIGTERMEndsAHangingStart(t *testing.T) {
	w := newEnv(t, one)
	opened, _ := w.hangKeepalivedConf()
	w.must(w.StartFloaty())
	opened()
	begun := time.Now()
	w.StopFloaty()
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("got the end %v after SIGTERM, want it within 3 s", took)
	}
}

// In its first milliseconds a process does not catch SIGHUP yet. A start whose read hangs takes longer than that.
func TestSIGHUPDuringTheStartIsHandledLater(t *testing.T) {
	w := newEnv(t, one)
	opened, release := w.hangKeepalivedConf()
	w.must(w.StartFloaty())
	opened()
	w.must(w.HangUpFloaty())
	release()
	w.eventually("floaty reads the configuration again", 5*time.Second, func() bool { return w.logged("read again: nothing has changed") == 1 })
	w.eventually("floaty makes the FIFO", 5*time.Second, func() bool { _, err := os.Stat(w.FIFO); return err == nil })
	w.says("MASTER")
	w.holds(3*time.Second, one)
}

func TestSIGHUPDoesNotEndAStartingHolder(t *testing.T) {
	w := newEnv(t, one)
	opened, release := w.hangKeepalivedConf()
	w.holder()
	opened()
	w.must(w.HangUpFloaty())
	release()
	w.holds(3*time.Second, one)
}

func TestBACKUPStopsTheHolderWhileKeepalivedConfHangs(t *testing.T) {
	w := newEnv(t, one)
	w.holder()
	w.holds(3*time.Second, one)
	w.hangKeepalivedConf()
	status, _, stderr := run(t, w.Path("floaty.yml"), "INSTANCE", "VI_1", "BACKUP", "100")
	if status != 1 {
		t.Errorf("got status %d and %s, want 1, because keepalived.conf cannot be read", status, stderr)
	}
	w.ended()
}

// saved reports whether the saved states contain text.
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

// Without a free descriptor, a BACKUP cannot be saved. The states saved before must not count after a restart.
func TestBACKUPWithoutFileDescriptorsLeavesNoSavedMaster(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	w.says("MASTER")
	w.holds(3*time.Second, one)
	w.eventually("MASTER is saved", 3*time.Second, func() bool { return w.saved("MASTER") })
	w.must(unix.Prlimit(w.FloatyPID(), unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: 3}, nil))
	w.says("BACKUP")
	w.eventually("the failure is logged", 3*time.Second, func() bool { return w.logged("saving the states failed") == 1 })
	if w.saved("MASTER") {
		t.Error("got MASTER in the file, want it gone")
	}
	w.must(syscall.Kill(w.FloatyPID(), syscall.SIGKILL))
	<-w.FloatyEnded()
	w.Cloud.Move(one, stranger)
	w.must(w.StartFloaty())
	w.never("written as a BACKUP", 2*interval, func() bool { return w.here(one) })
}
