package keepalived

import (
	"testing"
	"time"
)

func TestADeadKeepalivedIsForgotten(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.gives("A", true) // a kill leaves the address where it is
	k := w.keepalived()
	w.run()
	k.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" BACKUP 100`)
	w.becomes("writer: A MASTER, B BACKUP")
	k.kill()
	w.becomes("no writer: A unknown, B unknown")
	w.said("has ended", 1)
}

func TestADeadKeepalivedIsForgottenThoughTheFIFOHasAWriter(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.gives("A", true)
	k := w.keepalived()
	w.writer() // as the checker process is one where notify_fifo serves both
	w.run()
	k.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" BACKUP 100`)
	w.becomes("writer: A MASTER, B BACKUP")
	k.kill()
	w.becomes("writer: A unknown, B unknown")
	w.said("has ended", 1)
}

func TestTheLastWordsOfADeadKeepalivedCountForNothing(t *testing.T) {
	w := newEnvWithFIFO(t)
	k := w.keepalived()
	k.say(`INSTANCE "A" BACKUP 100`)
	w.look(0)
	k.say(`INSTANCE "A" MASTER 100`)
	k.kill()
	w.look(0)
	w.is("no writer: A unknown")
	w.never("A", Master)
	w.look(probeEvery)
	w.writer() // whoever that is
	w.look(probeEvery)
	w.look(settleTime)
	w.is("writer: A unknown")
	w.never("A", Master)
}

func TestARestartedKeepalivedStartsFromNothing(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.gives("A", true)
	old := w.keepalived()
	old.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" BACKUP 100`)
	w.look(0)
	old.kill()
	fresh := w.process("keepalived")
	fresh.registers()
	w.look(0) // the end of file is seen
	fresh.open()
	w.look(probeEvery)
	w.is("writer: A unknown, B unknown")
	w.look(time.Hour) // a track script runs: it says nothing for long
	w.is("writer: A unknown, B unknown")
	fresh.say(`INSTANCE "A" BACKUP 100`)
	w.look(0)
	w.is("writer: A BACKUP, B unknown")
}

func TestASuccessorOfWhichTheEndOfFileWasSeenIsHeard(t *testing.T) {
	w := newEnvWithFIFO(t)
	old := w.keepalived()
	old.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" MASTER 100`)
	w.look(0)
	old.shut()
	w.look(0)
	old.kill()
	fresh := w.keepalived()
	fresh.say(`INSTANCE "A" MASTER 255`)
	w.look(probeEvery)
	w.is("writer: A MASTER, B unknown")
	if got := w.last().Instances["A"].Claims; got != 2 {
		t.Errorf("A: got %d claims, want 2", got)
	}
}

func TestASuccessorThatNobodyKnowsStartsFromNothing(t *testing.T) {
	w := newEnvWithFIFO(t)
	old := w.keepalived()
	old.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" MASTER 100`)
	w.look(0)
	old.shut()
	w.look(0)
	old.kill()
	w.writer().say(`INSTANCE "A" MASTER 255`) // and the pid file still names the dead one
	w.look(probeEvery)
	w.is("writer: A MASTER, B unknown")
}

// Only the VRRP process dies, and its successor writes after 1 ms (seen on 2.2.7). Where nobody looked in between, for the
// machine was busy, there is no end of file, and what is unread may be by the one or the other.
func TestASuccessorThatCameUnseenIsHeard(t *testing.T) {
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
			w := newEnvWithFIFO(t)
			w.gives("A", c.local)
			old := w.keepalived()
			old.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" BACKUP 100`)
			w.look(0)
			old.say(c.before...)
			old.kill()
			fresh := w.keepalived()
			fresh.say(c.after...)
			w.look(0)
			w.is(c.want)
			w.look(settleTime)
			w.is(c.settle)
			w.look(lookEvery)

			// The successor is known from now on.
			fresh.say(`INSTANCE "A" MASTER 100`)
			w.look(0)
			fresh.shut()
			w.look(0)
			fresh.open()
			w.look(probeEvery)
			fresh.kill()
			w.look(0)
			if got := w.last().Instances["A"].State; got != Unknown {
				t.Errorf("A: got %v after the successor's end, want unknown", got)
			}
		})
	}
}

func TestAnotherKeepalivedThatTakesOverStartsFromNothing(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.gives("A", true)
	old := w.keepalived()
	old.say(`INSTANCE "A" MASTER 100`)
	w.look(0)
	old.shut() // it lives on, as one that is being stopped does for a second
	w.look(0)
	w.keepalived()
	w.look(probeEvery)
	w.is("writer: A unknown")
	old.kill()
	w.look(probeEvery)
	w.said("has ended", 0) // of the one that counts
}

// Where the checker process holds the FIFO open too (notify_fifo), nobody sees the end of a VRRP process but who holds its pidfd; its
// successor writes its pid file a moment later.
func TestASuccessorIsKnownSoonThoughTheWriterNeverWent(t *testing.T) {
	w := newEnvWithFIFO(t)
	k := w.keepalived()
	w.writer()
	k.say(`INSTANCE "A" MASTER 100`)
	w.look(0)
	w.is("writer: A MASTER")
	w.look(time.Hour)
	k.kill()
	w.look(0)
	w.is("writer: A unknown")
	next := w.keepalived()
	next.say(`INSTANCE "A" MASTER 100`)
	w.look(identifyEvery)
	w.look(identifyEvery)
	w.is("writer: A MASTER")
	next.kill()
	w.look(identifyEvery)
	w.is("writer: A unknown")
}
