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

func TestAMasterEndsTheEarlierOne(t *testing.T) {
	env := newEnv(t)
	first := env.startHolder(env.master("first"))
	env.wantHolder(first)
	second := env.startHolder(env.master("second"))
	env.waitFor("first ended")
	env.wantHolder(second)
	line := `second log: "level"=0 "msg"="told the process of an earlier event to end" `
	if got, want := env.waitFor(line), line+fmt.Sprintf(`"path"=%q "pid"=%d`, env.path, first); got != want {
		t.Errorf("got line %q, want %q", got, want)
	}
}

func TestABackupEndsTheHolderAndReleasesTheLock(t *testing.T) {
	env := newEnv(t)
	env.startHolder(env.master("master"))
	env.start(env.backup("backup"))
	env.waitFor("backup released")
	env.waitFor("master ended")
	env.wantHolder(0)
	env.wantRecorded(env.pidOf("backup"))
}

func TestAnOlderEventThatArrivesLateGivesUp(t *testing.T) {
	for _, states := range [][2]string{{"MASTER", "BACKUP"}, {"BACKUP", "MASTER"}, {"MASTER", "MASTER"}, {"BACKUP", "BACKUP"}} {
		t.Run(states[0]+" before "+states[1], func(t *testing.T) {
			env := newEnv(t)
			older, newer := env.master("older"), env.master("newer")
			older.State, newer.State = states[0], states[1]
			older.Gate = env.gate("gate")
			env.start(older)
			holder := env.start(newer)
			if newer.State == "MASTER" {
				env.waitFor("newer holds")
			} else {
				holder = 0
				env.waitFor("newer released")
			}
			env.open(older.Gate)
			env.waitFor("older newer")
			env.wantHolder(holder)
			env.wantNothing("newer told")
		})
	}
}

func TestTheProcessBelowKeepalivedDecidesTheOrder(t *testing.T) {
	env := newEnv(t)
	k := env.keepalived("keepalived")
	older := env.wrap(env.master("older"))
	older.Gate = env.gate("gate") // its script is slow, so its process that acquires the lock is started last
	k.start(older, env.wrap(env.backup("newer")))
	env.waitFor("newer released")
	env.open(older.Gate)
	env.waitFor("older newer")
	env.wantHolder(0)
}

func TestEventsOfOneProcessBelowKeepalivedAreOrdered(t *testing.T) {
	env := newEnv(t)
	older := env.master("older")
	older.Gate = env.gate("gate")
	env.keepalived("keepalived").start(env.wrap(older, env.backup("newer")))
	env.waitFor("newer released")
	env.open(older.Gate)
	env.waitFor("older newer")
	env.wantHolder(0)
}

func TestAWaitingEventGivesUpWhenANewerOneArrives(t *testing.T) {
	env := newEnv(t)
	slow := env.master("slow")
	slow.EndGate = env.gate("gate")
	holder := env.startHolder(slow)
	env.start(env.master("older"))
	env.waitFor("slow told")
	newer := env.start(env.master("newer"))
	env.waitFor("older newer")
	env.wantHolder(holder)
	env.wantNothing("newer holds")
	env.open(slow.EndGate)
	env.waitFor("newer holds")
	env.wantHolder(newer)
}

func TestAHolderThatDoesNotEndKeepsTheLock(t *testing.T) {
	env := newEnv(t)
	slow := env.master("slow")
	slow.EndGate = env.gate("gate")
	holder := env.startHolder(slow)
	next := env.master("next")
	next.Timeout = 50 * time.Millisecond
	env.start(next)
	want := fmt.Sprintf("next error: lock file %s: not acquired within 50ms: process %d holds it", env.path, holder)
	if got := env.waitFor("next error"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	env.wantHolder(holder) // it was not killed
	if got := env.output(`next log: "level"=0 "msg"="told the process of an earlier event to end"`); len(got) != 1 {
		t.Errorf("got %q, want one line", got)
	}
	env.open(slow.EndGate)
	env.waitFor("slow ended")
}

func TestASignalEndsTheWait(t *testing.T) {
	env := newEnv(t)
	slow := env.master("slow")
	slow.EndGate = env.gate("gate")
	env.startHolder(slow)
	next := env.master("next")
	next.Timeout = time.Hour
	pid := env.start(next)
	env.waitFor("slow told")
	env.kill(pid, unix.SIGTERM)
	if got := env.waitFor("next error"); !strings.Contains(got, env.path) || !strings.Contains(got, "terminated") {
		t.Errorf("got %q, want the path and the signal in it", got)
	}
}

func TestAnEndedContextEndsTheWaitButTheEventIsRecorded(t *testing.T) {
	env := newEnv(t)
	slow := env.master("slow")
	slow.EndGate = env.gate("gate")
	env.startHolder(slow)
	env.must(os.Truncate(env.path, 0)) // otherwise the test's own process would be the older one
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if lock, err := env.acquire(ctx, time.Hour); !errors.Is(err, why) || lock != nil {
		t.Errorf("got %v, %v, want no lock and the context's cause", lock, err)
	}
	env.waitFor("slow told")
	env.wantRecorded(os.Getpid())
}

func TestTheLockOfAKilledHolderIsFree(t *testing.T) {
	env := newEnv(t)
	env.kill(env.startHolder(env.master("first")), unix.SIGKILL)
	env.wantHolder(0) // it may take a moment to die
	env.startHolder(env.master("second"))
	env.wantNothing("second log: \"level\"=0 \"msg\"=\"the process of an earlier event")
}

func TestAHolderInAnotherPIDNamespaceIsNotSignalled(t *testing.T) {
	env := newEnv(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can create a PID namespace")
	}
	holder := env.startHolder(env.master("holder"))
	env.must(os.Truncate(env.path, 0)) // process IDs of two namespaces cannot be compared
	next := env.master("next")
	next.PIDNamespace, next.Timeout = true, 50*time.Millisecond
	env.run(inPIDNamespace(next.command(env.binary, env.out, env.life)))
	if got := env.waitFor("next error"); !strings.Contains(got, "another PID namespace") || !strings.Contains(got, env.path) {
		t.Errorf("got %q, want the path and the reason in it", got)
	}
	env.wantHolder(holder)
	env.wantNothing("holder told")
}

func TestAnEventWaitsForAProcessThatIsStoppedWithTheShortLock(t *testing.T) {
	env := newEnv(t)
	f, err := os.Create(env.path)
	env.must(err)
	env.must(unix.Flock(int(f.Fd()), unix.LOCK_EX))
	first := env.backup("first")
	first.Timeout = 50 * time.Millisecond
	env.start(first)
	if got := env.waitFor("first error"); !strings.Contains(got, env.path) {
		t.Errorf("got %q, want the path in it", got)
	}
	second := env.start(env.master("second"))
	env.waitFor("second pid")
	env.must(f.Close())
	env.wantHolder(second)
}
