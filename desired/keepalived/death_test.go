package keepalived

import (
	"testing"
	"time"
)

func TestStatesAreForgottenWhenKeepalivedDies(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.setVIP("A", true) // a kill leaves the address where it is
	k := env.keepalived()
	env.run()
	k.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" BACKUP 100`)
	env.waitFor("writer: A MASTER, B BACKUP")
	k.kill()
	env.waitFor("no writer: A unknown, B unknown")
	env.wantLogged("has ended", 1)
}

func TestStatesAreForgottenWhenKeepalivedDiesEvenIfTheFIFOHasAnotherWriter(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.setVIP("A", true)
	k := env.keepalived()
	env.writer() // as the checker process is one where notify_fifo serves both
	env.run()
	k.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" BACKUP 100`)
	env.waitFor("writer: A MASTER, B BACKUP")
	k.kill()
	env.waitFor("writer: A unknown, B unknown")
	env.wantLogged("has ended", 1)
}

func TestUnreadLinesOfADeadKeepalivedDoNotCount(t *testing.T) {
	env := newEnvWithFIFO(t)
	k := env.keepalived()
	k.say(`INSTANCE "A" BACKUP 100`)
	env.step(0)
	k.say(`INSTANCE "A" MASTER 100`)
	k.kill()
	env.step(0)
	env.wantLast("no writer: A unknown")
	env.wantNever("A", Master)
	env.step(probeEvery)
	env.writer() // whoever that is
	env.step(probeEvery)
	env.step(settleTime)
	env.wantLast("writer: A unknown")
	env.wantNever("A", Master)
}

func TestARestartedKeepalivedStartsWithUnknownStates(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.setVIP("A", true)
	old := env.keepalived()
	old.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" BACKUP 100`)
	env.step(0)
	old.kill()
	fresh := env.process("keepalived")
	fresh.writePIDFile()
	env.step(0) // the end of file is seen
	fresh.openFIFO()
	env.step(probeEvery)
	env.wantLast("writer: A unknown, B unknown")
	env.step(time.Hour) // a track script runs: it says nothing for long
	env.wantLast("writer: A unknown, B unknown")
	fresh.say(`INSTANCE "A" BACKUP 100`)
	env.step(0)
	env.wantLast("writer: A BACKUP, B unknown")
}

func TestLinesOfASuccessorCountIfTheEndOfFileWasSeen(t *testing.T) {
	env := newEnvWithFIFO(t)
	old := env.keepalived()
	old.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" MASTER 100`)
	env.step(0)
	old.closeFIFO()
	env.step(0)
	old.kill()
	fresh := env.keepalived()
	fresh.say(`INSTANCE "A" MASTER 255`)
	env.step(probeEvery)
	env.wantLast("writer: A MASTER, B unknown")
	if got := env.last().Instances["A"].Claims; got != 2 {
		t.Errorf("A: got %d claims, want 2", got)
	}
}

func TestAnUnidentifiedSuccessorStartsWithUnknownStates(t *testing.T) {
	env := newEnvWithFIFO(t)
	old := env.keepalived()
	old.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" MASTER 100`)
	env.step(0)
	old.closeFIFO()
	env.step(0)
	old.kill()
	env.writer().say(`INSTANCE "A" MASTER 255`) // and the pid file still names the dead one
	env.step(probeEvery)
	env.wantLast("writer: A MASTER, B unknown")
}

// If only the VRRP process dies, its successor writes after 1 ms (seen on 2.2.7). If the listener did not run in between, because the
// machine was busy, it sees no end of file, and what is unread may be from either process.
func TestLinesOfASuccessorCountEvenIfNoEndOfFileWasSeen(t *testing.T) {
	for _, c := range []struct {
		what   string
		local  bool
		before []string // unread, by the one that died
		after  []string // unread, by its successor
		want   string
		settle string
	}{
		{
			what: "it says BACKUP", local: true, after: []string{`INSTANCE "A" BACKUP 100`, `INSTANCE "B" BACKUP 100`},
			want: "writer: A BACKUP?, B BACKUP?", settle: "writer: A BACKUP, B BACKUP",
		},
		{
			what: "it is MASTER at once", local: true, after: []string{`INSTANCE "A" MASTER 255`},
			want: "writer: A MASTER?, B unknown", settle: "writer: A MASTER, B unknown",
		},
		{
			what: "it is silent", local: true,
			want: "writer: A unknown, B unknown", settle: "writer: A unknown, B unknown",
		},
		{ // it takes off the addresses that it finds within 0.2 s (seen on 2.2.7)
			what: "it is silent, after a last MASTER", local: false, before: []string{`INSTANCE "A" MASTER 100`},
			want: "writer: A MASTER?, B unknown", settle: "writer: A unknown, B unknown",
		},
	} {
		t.Run(c.what, func(t *testing.T) {
			env := newEnvWithFIFO(t)
			env.setVIP("A", c.local)
			old := env.keepalived()
			old.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" BACKUP 100`)
			env.step(0)
			old.say(c.before...)
			old.kill()
			fresh := env.keepalived()
			fresh.say(c.after...)
			env.step(0)
			env.wantLast(c.want)
			env.step(settleTime)
			env.wantLast(c.settle)
			env.step(checkEvery)

			// The successor is known from now on.
			fresh.say(`INSTANCE "A" MASTER 100`)
			env.step(0)
			fresh.closeFIFO()
			env.step(0)
			fresh.openFIFO()
			env.step(probeEvery)
			fresh.kill()
			env.step(0)
			if got := env.last().Instances["A"].State; got != Unknown {
				t.Errorf("A: got %v after the successor's end, want unknown", got)
			}
		})
	}
}

func TestAnotherKeepalivedStartsWithUnknownStates(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.setVIP("A", true)
	old := env.keepalived()
	old.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	old.closeFIFO() // it lives on, as one that is being stopped does for a second
	env.step(0)
	env.keepalived()
	env.step(probeEvery)
	env.wantLast("writer: A unknown")
	old.kill()
	env.step(probeEvery)
	env.wantLogged("has ended", 0) // of the one that counts
}

// If the checker process also has the FIFO open (notify_fifo), only the pidfd shows the end of the VRRP process. Its successor writes its
// pid file a moment later.
func TestASuccessorIsIdentifiedSoonEvenIfTheFIFOAlwaysHasAWriter(t *testing.T) {
	env := newEnvWithFIFO(t)
	k := env.keepalived()
	env.writer()
	k.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	env.wantLast("writer: A MASTER")
	env.step(time.Hour)
	k.kill()
	env.step(0)
	env.wantLast("writer: A unknown")
	next := env.keepalived()
	next.say(`INSTANCE "A" MASTER 100`)
	env.step(identifyEvery)
	env.step(identifyEvery)
	env.wantLast("writer: A MASTER")
	next.kill()
	env.step(identifyEvery)
	env.wantLast("writer: A unknown")
}
