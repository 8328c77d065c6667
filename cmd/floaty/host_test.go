package main_test

import (
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ownHostName gives the test's thread its own UTS namespace, and so its own host name, until the test ends. The thread must not end: the
// kernel would then kill every process that was started from it (Pdeathsig), including those of other tests.
func (w *env) ownHostName() {
	w.Helper()
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/uts")
	w.must(err)
	if err := unix.Unshare(unix.CLONE_NEWUTS); err != nil {
		w.must(home.Close())
		runtime.UnlockOSThread()
		w.Skipf("cannot create a UTS namespace: %v", err)
	}
	w.Cleanup(func() {
		w.must(unix.Setns(int(home.Fd()), unix.CLONE_NEWUTS))
		w.must(home.Close())
		runtime.UnlockOSThread()
	})
}

// A host may get its name, or a corrected one, after floaty has started. The test changes the name in its thread's namespace only.
func TestARenamedHostIsTheServerOfItsNewName(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can change the host name")
	}
	for _, first := range []string{"localhost", "lb2"} {
		t.Run(first, func(t *testing.T) {
			w := newEnv(t, one)
			w.Cloud.AddServer("22222222-2222-4222-8222-222222222222", "lb2")
			w.must(w.Configure("floaty.yml", w.with("server-uuid: "+w.UUID,
				"hostname-to-server-uuid: {lb1: "+w.UUID+", lb2: 22222222-2222-4222-8222-222222222222}")))
			w.ownHostName()
			rename := func(name string) { w.must(syscall.Sethostname([]byte(name))) }
			rename(first)
			w.must(w.StartFloaty())
			w.eventually("floaty makes the FIFO", 5*time.Second, func() bool { _, err := os.Stat(w.FIFO); return err == nil })

			rename("lb1")
			w.says("MASTER")
			w.holds(5*time.Second, one)

			rename("nobody") // with a name that is not in the configuration, the server stays the same
			w.must(w.HangUpFloaty())
			w.eventually("the unknown name is logged", 2*time.Second, func() bool { return w.logged("err=nobody") == 1 })
			w.Cloud.Move(one, stranger)
			w.holds(interval*2, one)

			rename("lb2")
			w.must(w.HangUpFloaty())
			w.eventually("the host is the other server after SIGHUP", interval*2, func() bool {
				holders := w.Cloud.Holders(one)
				return len(holders) == 1 && strings.HasPrefix(holders[0], "2222")
			})
			if n := w.loggedInTotal("was renamed") + w.loggedInTotal("it is now known which server this is"); n == 0 { // the goroutine that notices first logs it
				t.Errorf("got %d lines about the new name, want at least one", n)
			}
		})
	}
}
