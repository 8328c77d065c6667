package main_test

import (
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The host's name comes, or is put right, after the start. The name is changed in a namespace of the test's own thread, which ends with it.
func TestAHostThatIsRenamedIsTheServerOfItsNewName(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root may change a host's name")
	}
	for _, first := range []string{"localhost", "lb2"} {
		t.Run(first, func(t *testing.T) {
			w := newWorld(t, one)
			w.Cloud.AddServer("22222222-2222-4222-8222-222222222222", "lb2")
			w.must(w.Configure("floaty.yml", w.with("server-uuid: "+w.UUID,
				"hostname-to-server-uuid: {lb1: "+w.UUID+", lb2: 22222222-2222-4222-8222-222222222222}")))
			runtime.LockOSThread() // for good
			if err := syscall.Unshare(syscall.CLONE_NEWUTS); err != nil {
				t.Skipf("no namespace for the host's name: %v", err)
			}
			rename := func(name string) { w.must(syscall.Sethostname([]byte(name))) }
			rename(first)
			w.must(w.StartFloaty())
			w.eventually("floaty makes the FIFO", 5*time.Second, func() bool { _, err := os.Stat(w.FIFO); return err == nil })

			rename("lb1")
			w.says("MASTER")
			w.holds(5*time.Second, one)

			rename("nobody") // a name that the configuration lacks keeps the server
			w.must(w.HangUpFloaty())
			w.eventually("it is said", 2*time.Second, func() bool { return w.logged(`"nobody"`) == 1 })
			w.Cloud.Move(one, stranger)
			w.holds(interval*2, one)

			rename("lb2")
			w.must(w.HangUpFloaty())
			w.eventually("it is the other server on SIGHUP", interval*2, func() bool {
				holders := w.Cloud.Holders(one)
				return len(holders) == 1 && strings.HasPrefix(holders[0], "2222")
			})
			if n := w.logged("another name now"); n == 0 {
				t.Errorf("%d lines about the new name, want at least one", n)
			}
		})
	}
}
