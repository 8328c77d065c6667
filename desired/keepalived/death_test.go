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
	env.writer() // the checker process is such a writer if notify_fifo is set
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
	env.writer() // an unidentified process
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
	env.step(0) // sees the end of file
	fresh.openFIFO()
	env.step(probeEvery)
	env.wantLast("writer: A unknown, B unknown")
	env.step(time.Hour) // while a track script is running, Keepalived may write nothing for a long time
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
	env.writer().say(`INSTANCE "A" MASTER 255`) // the pid file still names the dead process
	env.step(probeEvery)
	env.wantLast("writer: A MASTER, B unknown")
}

// If only the VRRP process dies, its successor writes after 1 ms (seen on 2.2.7). If the listener did not run in between, because the
// machine was busy, it sees no end of file, and unread lines may come from either process.
func TestLinesOfASuccessorCountEvenIfNoEndOfFileWasSeen(t *testing.T) {
	for _, c := range []struct {
		what   string
		local  bool
		before []string // unread lines of the process that died
		after  []string // unread lines of its successor
		want   string
		settle string
	}{
		{
			what: "the successor writes BACKUP", local: true, after: []string{`INSTANCE "A" BACKUP 100`, `INSTANCE "B" BACKUP 100`},
			want: "writer: A BACKUP?, B BACKUP?", settle: "writer: A BACKUP, B BACKUP",
		},
		{
			what: "the successor is MASTER at once", local: true, after: []string{`INSTANCE "A" MASTER 255`},
			want: "writer: A MASTER?, B unknown", settle: "writer: A MASTER, B unknown",
		},
		{
			what: "the successor is silent", local: true,
			want: "writer: A unknown, B unknown", settle: "writer: A unknown, B unknown",
		},
		{ // within 0.2 s the successor removes the addresses that it finds (seen on 2.2.7)
			what: "the successor is silent, after an unread MASTER", local: false, before: []string{`INSTANCE "A" MASTER 100`},
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

			// From now on the successor is identified.
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
	old.closeFIFO() // its process lives on, as that of a Keepalived that is being stopped does for a second
	env.step(0)
	env.keepalived()
	env.step(probeEvery)
	env.wantLast("writer: A unknown")
	old.kill()
	env.step(probeEvery)
	env.wantLogged("has ended", 0) // the old process no longer counts
}

// If the checker process also has the FIFO open (notify_fifo), only the pidfd shows the end of the VRRP process. The successor writes its
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
