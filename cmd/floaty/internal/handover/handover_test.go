package handover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAMasterEndsTheOneBeforeIt(t *testing.T) {
	w := newWorld(t)
	first := w.holds(w.master("first"))
	w.held(first)
	second := w.holds(w.master("second"))
	w.hears("first ended")
	w.held(second)
	line := `second log: "level"=0 "msg"="asked the process of an earlier event to end" `
	if got, want := w.hears(line), line+fmt.Sprintf(`"path"=%q "pid"=%d`, w.path, first); got != want {
		t.Errorf("got line %q, want %q", got, want)
	}
}

func TestABackupEndsTheHolderAndLeaves(t *testing.T) {
	w := newWorld(t)
	w.holds(w.master("master"))
	w.start(w.backup("backup"))
	w.hears("backup let go")
	w.hears("master ended")
	w.held(0)
	w.recorded(w.pidOf("backup"))
}

func TestAnOlderEventThatComesLateStepsBack(t *testing.T) {
	for _, states := range [][2]string{{"MASTER", "BACKUP"}, {"BACKUP", "MASTER"}, {"MASTER", "MASTER"}, {"BACKUP", "BACKUP"}} {
		t.Run(states[0]+" before "+states[1], func(t *testing.T) {
			w := newWorld(t)
			older, newer := w.master("older"), w.master("newer")
			older.State, newer.State = states[0], states[1]
			older.Gate = w.gate("gate")
			w.start(older)
			holder := w.start(newer)
			if newer.State == "MASTER" {
				w.hears("newer holds")
			} else {
				holder = 0
				w.hears("newer let go")
			}
			w.open(older.Gate)
			w.hears("older newer")
			w.held(holder)
			w.silent("newer told")
		})
	}
}

func TestTheOrderIsThatOfTheProcessBelowKeepalived(t *testing.T) {
	w := newWorld(t)
	k := w.keepalived("keepalived")
	older := w.wrap(w.master("older"))
	older.Gate = w.gate("gate") // its script dawdles: the process that comes to the lock is started last
	k.start(older, w.wrap(w.backup("newer")))
	w.hears("newer let go")
	w.open(older.Gate)
	w.hears("older newer")
	w.held(0)
}

func TestEventsOfOneProcessBelowKeepalivedAreInOrderToo(t *testing.T) {
	w := newWorld(t)
	older := w.master("older")
	older.Gate = w.gate("gate")
	w.keepalived("keepalived").start(w.wrap(older, w.backup("newer")))
	w.hears("newer let go")
	w.open(older.Gate)
	w.hears("older newer")
	w.held(0)
}

func TestAnOlderOneThatWaitsStepsBackForANewerOne(t *testing.T) {
	w := newWorld(t)
	slow := w.master("slow")
	slow.Stubborn = w.gate("gate")
	holder := w.holds(slow)
	w.start(w.master("older"))
	w.hears("slow told")
	newer := w.start(w.master("newer"))
	w.hears("older newer")
	w.held(holder)
	w.silent("newer holds")
	w.open(slow.Stubborn)
	w.hears("newer holds")
	w.held(newer)
}

func TestAHolderThatDoesNotGo(t *testing.T) {
	w := newWorld(t)
	slow := w.master("slow")
	slow.Stubborn = w.gate("gate")
	holder := w.holds(slow)
	next := w.master("next")
	next.Timeout = 50 * time.Millisecond
	w.start(next)
	want := fmt.Sprintf("next error: lock file %s: not ours after 50ms: process %d holds it", w.path, holder)
	if got := w.hears("next error"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	w.held(holder) // nobody killed it
	if got := w.heard(`next log: "level"=0 "msg"="asked the process of an earlier event to end"`); len(got) != 1 {
		t.Errorf("got %q, want it told once", got)
	}
	w.open(slow.Stubborn)
	w.hears("slow ended")
}

func TestASignalEndsTheWaiting(t *testing.T) {
	w := newWorld(t)
	slow := w.master("slow")
	slow.Stubborn = w.gate("gate")
	w.holds(slow)
	next := w.master("next")
	next.Timeout = time.Hour
	pid := w.start(next)
	w.hears("slow told")
	w.kill(pid, unix.SIGTERM)
	if got := w.hears("next error"); !strings.Contains(got, w.path) || !strings.Contains(got, "terminated") {
		t.Errorf("got %q, want the path and the signal in it", got)
	}
}

func TestAContextThatIsDoneEndsTheWaitingButNotTheRecording(t *testing.T) {
	w := newWorld(t)
	slow := w.master("slow")
	slow.Stubborn = w.gate("gate")
	w.holds(slow)
	w.must(os.Truncate(w.path, 0)) // or the test's own process would be the older one
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if lock, err := w.take(ctx, time.Hour); !errors.Is(err, why) || lock != nil {
		t.Errorf("got %v, %v, want no lock and the context's cause", lock, err)
	}
	w.hears("slow told")
	w.recorded(os.Getpid())
}

func TestAHolderThatIsKilledLeavesTheLock(t *testing.T) {
	w := newWorld(t)
	w.kill(w.holds(w.master("first")), unix.SIGKILL)
	w.held(0) // it may take a moment to die
	w.holds(w.master("second"))
	w.silent("second log: \"level\"=0 \"msg\"=\"the process of an earlier event")
}

func TestAHolderOfAnotherPIDNamespaceIsNotSignalled(t *testing.T) {
	w := newWorld(t)
	if os.Geteuid() != 0 {
		t.Skip("only root makes a PID namespace")
	}
	holder := w.holds(w.master("holder"))
	w.must(os.Truncate(w.path, 0)) // process IDs of two namespaces are in no order
	next := w.master("next")
	next.Apart, next.Timeout = true, 50*time.Millisecond
	w.run(apart(next.command(w.binary, w.out, w.life)))
	if got := w.hears("next error"); !strings.Contains(got, "another PID namespace") || !strings.Contains(got, w.path) {
		t.Errorf("got %q, want the path and the reason in it", got)
	}
	w.held(holder)
	w.silent("holder told")
}

func TestOneThatIsStoppedAtTheFileIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	f, err := os.Create(w.path)
	w.must(err)
	w.must(unix.Flock(int(f.Fd()), unix.LOCK_EX))
	first := w.backup("first")
	first.Timeout = 50 * time.Millisecond
	w.start(first)
	if got := w.hears("first error"); !strings.Contains(got, w.path) {
		t.Errorf("got %q, want the path in it", got)
	}
	second := w.start(w.master("second"))
	w.hears("second pid")
	w.must(f.Close())
	w.held(second)
}
