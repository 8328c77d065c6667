package keepalived

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
)

var vip = netip.MustParseAddr("192.0.2.7")

// gives says that keepalived.conf gives the instance an address, and whether that is on a local interface.
func (w *testEnv) gives(instance string, local bool) {
	w.vips[instance] = []netip.Addr{netip.MustParseAddr("192.0.2.250"), vip}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.local[vip] = local
}

// mustBeApart asserts that at least so long passed between two sights. On a busy machine the first may have come late, so
// half of what is promised is asked for; the exact times are tested with looks.
func mustBeApart(t *testing.T, from, to sight, least time.Duration) {
	t.Helper()
	if got := to.at.Sub(from.at); got < least {
		t.Errorf("from %q to %q: got %v, want at least %v", from.text, to.text, got, least)
	}
}

func TestAReloadKeepsMaster(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.gives("A", false) // the process is known, so that says nothing
	k := w.keepalived()
	w.run()
	k.say(`INSTANCE "A" MASTER 100`)
	before := w.becomes("writer: A MASTER")

	k.shut()
	w.becomes("no writer: A MASTER?")
	k.open() // Keepalived does not repeat MASTER
	back := w.becomes("writer: A MASTER?")
	after := w.becomes("writer: A MASTER")
	mustBeApart(t, back, after, settleTime/2)
	if before.Instances["A"] != after.Instances["A"] {
		t.Errorf("got %+v, want it as before, %+v", after.Instances["A"], before.Instances["A"])
	}
}

func TestAReloadWithAFIFOOfKeepalivedsOwnKeepsMaster(t *testing.T) {
	w := newEnvWithFIFO(t)
	k := w.keepalived()
	w.run()
	k.say(`INSTANCE "A" MASTER 100`)
	w.becomes("writer: A MASTER")
	w.removeFIFO() // Keepalived 2.2.7 unlinks first, and then closes
	k.shut()
	w.becomes("no writer: A MASTER?")
	w.makeFIFO()
	k.open()
	w.becomes("writer: A MASTER?")
	w.becomes("writer: A MASTER")
	w.said("FIFO made", 0)
}

func TestAReloadThatTakesLongKeepsMasterWhileTheProcessLives(t *testing.T) {
	const on, off, none = 1, 0, -1
	for what, c := range map[string]struct {
		local int
		want  string
		said  int
	}{
		"and its address is here":     {on, "writer: A MASTER, B BACKUP", 0},
		"but not if it is gone":       {off, "writer: A unknown, B BACKUP", 0}, // lines may have been lost
		"nor if there is no evidence": {none, "writer: A unknown, B BACKUP", 1},
	} {
		t.Run(what, func(t *testing.T) {
			w := newEnvWithFIFO(t)
			if c.local != none {
				w.gives("A", c.local == on)
			}
			k := w.keepalived()
			k.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" BACKUP 100`)
			w.look(0)
			k.shut()
			w.look(0)
			w.look(time.Hour)
			w.is("no writer: A MASTER?, B BACKUP?")
			k.open()
			w.look(probeEvery)
			w.look(settleTime)
			w.is(c.want)
			w.said("Keepalived was gone for too long", c.said)
		})
	}
}

func TestAReloadTooShortToBeSeenChangesNothing(t *testing.T) {
	w := newEnvWithFIFO(t)
	k := w.keepalived()
	k.say(`INSTANCE "A" MASTER 100`)
	w.look(0)
	k.shut()
	k.open()
	w.look(0)
	w.look(time.Hour)
	if got := len(w.history()); got != 1 {
		t.Errorf("got %d changes, want only the first", got)
	}
	w.is("writer: A MASTER")
}

func TestAfterAReloadTheStatesGoOnAsTheyAreThen(t *testing.T) {
	w := newEnvWithFIFO(t)
	k := w.keepalived()
	k.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" MASTER 100`, `INSTANCE "C" MASTER 100`)
	w.look(0)
	k.say(`INSTANCE "A" BACKUP 100`)
	k.shut()
	w.look(0)
	w.is("no writer: A BACKUP?, B MASTER?, C MASTER?")
	k.open()
	k.say(`INSTANCE "C" BACKUP_PRIORITY 90`) // of a MASTER on a reload (seen on 2.2.7)
	w.look(probeEvery)
	w.is("writer: A BACKUP?, B MASTER?, C MASTER?")
	w.look(settleTime - time.Millisecond)
	w.is("writer: A BACKUP?, B MASTER?, C MASTER?")
	k.say(`INSTANCE "B" BACKUP 100`)
	w.look(time.Millisecond)
	w.is("writer: A BACKUP, B BACKUP, C MASTER")
	if got := w.last().Instances["B"].Claims; got != 1 {
		t.Errorf("B: got %d claims, want 1", got)
	}
}

func TestALineFromTheNewWriterCountsAtOnce(t *testing.T) {
	w := newEnvWithFIFO(t)
	k := w.keepalived()
	k.say(`INSTANCE "A" BACKUP 100`, `INSTANCE "B" BACKUP 100`)
	w.look(0)
	k.shut()
	w.look(0)
	k.open()
	k.say(`INSTANCE "A" MASTER 100`)
	w.look(probeEvery)
	w.is("writer: A MASTER, B BACKUP?")
}

func TestEachReloadWaitsAnew(t *testing.T) {
	w := newEnvWithFIFO(t)
	k := w.keepalived()
	k.say(`INSTANCE "A" MASTER 100`)
	w.look(0)
	for range 5 {
		k.shut()
		w.look(probeEvery)
		k.open()
		w.look(probeEvery)
		w.look(settleTime - time.Millisecond)
		w.is("writer: A MASTER?")
	}
	w.look(time.Millisecond)
	w.is("writer: A MASTER")
}

func TestAProcessThatNobodyKnowsIsTrustedWithinThreeSecondsAndWithItsAddress(t *testing.T) {
	const on, off, none = 1, 0, -1
	for _, c := range []struct {
		what  string
		away  time.Duration
		local int
		deaf  error
		want  string
		said  int // how often that there is no evidence
	}{
		{what: "its address is here", away: time.Second, local: on, want: "writer: A MASTER, B BACKUP"},
		{what: "to the last moment", away: awayAtMost - time.Millisecond, local: on, want: "writer: A MASTER, B BACKUP"},
		{what: "its address is gone", away: time.Second, local: off, want: "writer: A unknown, B BACKUP"},
		{what: "it has none", away: time.Second, local: none, want: "writer: A unknown, B BACKUP", said: 1},
		{what: "nobody can tell", away: time.Second, local: on, deaf: errors.New("no netlink"), want: "writer: A unknown, B BACKUP"},
		{what: "it comes too late", away: awayAtMost + time.Millisecond, local: on, want: "writer: A unknown, B unknown"},
		{what: "too late, and it has none", away: awayAtMost + time.Millisecond, local: none, want: "writer: A unknown, B unknown"},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := newEnvWithFIFO(t)
			w.deaf = c.deaf
			if c.local != none {
				w.gives("A", c.local == on)
				w.vips["B"] = []netip.Addr{netip.MustParseAddr("192.0.2.8")} // a BACKUP holds no address
			}
			wr := w.writer()
			wr.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" BACKUP 100`)
			w.look(0)
			wr.close()
			w.look(0)
			w.is("no writer: A MASTER?, B BACKUP?")
			w.writer()
			w.look(c.away) // where this is long, nobody looked in between: the machine was busy, or suspended
			w.is("writer: A MASTER?, B BACKUP?")
			w.look(settleTime)
			w.is(c.want)
			w.said("share the PID namespace or set keepalived-pid-file", c.said)
		})
	}
}

func TestNothingIsSaidOfTheEvidenceForAnInstanceThatIsNone(t *testing.T) {
	w := newEnvWithFIFO(t)
	wr := w.writer()
	wr.say(`INSTANCE "NAMELESS" MASTER 100`)
	w.look(0)
	wr.close()
	w.look(0)
	w.writer()
	w.look(probeEvery)
	w.look(settleTime)
	w.is("writer: NAMELESS unknown")
	w.said("share the PID namespace or set keepalived-pid-file", 0)
}

// A host may have hundreds of instances, and thousands of addresses.
func TestTheKernelIsAskedOnceForAllInstances(t *testing.T) {
	w := newEnvWithFIFO(t)
	asked, local := 0, w.opts.Local
	w.opts.Local = func() (map[netip.Addr]bool, error) {
		asked++
		return local()
	}
	wr := w.writer()
	for i := range 20 {
		w.gives(fmt.Sprint("I", i), true)
		wr.say(fmt.Sprintf(`INSTANCE "I%d" MASTER 100`, i))
	}
	w.look(0)
	wr.close()
	w.look(0)
	w.writer()
	w.look(0)
	w.look(settleTime)
	if got := w.last().Instances["I0"]; got.State != Master || got.Suspended || asked != 1 {
		t.Errorf("got %+v after %d questions, want it MASTER beyond doubt after 1", got, asked)
	}
}

func TestAProcessThatNobodyKnowsIsForgottenAfterThreeSeconds(t *testing.T) {
	w := newEnvWithFIFO(t)
	stop := w.run()
	wr := w.writer()
	wr.say(`INSTANCE "A" MASTER 100`)
	w.becomes("writer: A MASTER")
	wr.close()
	gone := w.becomes("no writer: A MASTER?")
	forgotten := w.becomes("no writer: A unknown")
	mustBeApart(t, gone, forgotten, awayAtMost/2)
	stop() // lines come after what they tell of
	w.said("Keepalived has gone", 1)
	w.said("instance changed", 2)
}

func TestThreeSecondsAreThreeSeconds(t *testing.T) {
	w := newEnvWithFIFO(t)
	wr := w.writer()
	wr.say(`INSTANCE "A" MASTER 100`)
	w.look(0)
	wr.close()
	w.look(0)
	w.look(awayAtMost - time.Millisecond)
	w.is("no writer: A MASTER?")
	w.look(time.Millisecond)
	w.is("no writer: A unknown")
	w.writer()
	w.look(probeEvery)
	w.look(settleTime)
	w.is("writer: A unknown")
}

// The first reload is of a process that nobody knew, the second of the one that followed it. That one is known, but it is
// not the one that said MASTER.
func TestASecondReloadProvesNothingAboutTheFirst(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.gives("A", false)
	wr := w.writer()
	wr.say(`INSTANCE "A" MASTER 100`)
	w.look(0)
	wr.close()
	w.look(0)
	k := w.keepalived()
	w.look(probeEvery)
	k.shut()
	w.look(probeEvery)
	k.open()
	w.look(probeEvery)
	w.is("writer: A MASTER?")
	w.look(settleTime)
	w.is("writer: A unknown")
}

// A tool that starts Keepalived and has it reload at once: what the process that came back first has said is its own, whatever was doubted of
// the one before.
func TestAReloadRightAfterAStartKeepsWhatTheNewProcessSaid(t *testing.T) {
	for what, restarts := range map[string]bool{"": false, "and floaty was restarted, too": true} {
		t.Run(what, func(t *testing.T) {
			w := newEnvWithState(t)
			old := w.keepalived()
			old.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" MASTER 100`)
			w.look(0)
			if restarts {
				w.die()
				w.begin()
				w.look(probeEvery)
				w.is("writer: A MASTER?, B MASTER?")
			}
			old.kill()
			w.look(probeEvery)
			fresh := w.keepalived()
			fresh.say(`INSTANCE "A" MASTER 255`, `INSTANCE "B" MASTER 255`)
			w.look(probeEvery)
			w.is("writer: A MASTER, B MASTER")
			fresh.shut()
			w.look(probeEvery)
			fresh.open()
			w.look(probeEvery)
			w.is("writer: A MASTER?, B MASTER?")
			w.look(settleTime)
			w.is("writer: A MASTER, B MASTER")
		})
	}
}

func TestAPIDFileThatNamesNoKeepalivedCountsForNothing(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.gives("A", false)
	other := w.process("keepalive")
	other.registers()
	other.open()
	other.say(`INSTANCE "A" MASTER 100`)
	w.look(0)
	w.is("writer: A MASTER")
	other.shut()
	w.look(0)
	other.open() // the same process, but who is it
	w.look(probeEvery)
	w.look(settleTime)
	w.is("writer: A unknown")
}

func TestAPIDFileMayComeLate(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.gives("A", false)
	k := w.process("keepalived")
	k.open()
	k.say(`INSTANCE "A" MASTER 100`)
	w.look(0)
	k.registers()
	w.look(lookEvery)
	if err := os.Remove(w.pidPath); err != nil { // it is known from now on
		t.Fatal(err)
	}
	k.shut()
	w.look(0)
	k.open()
	w.look(probeEvery)
	w.look(settleTime)
	w.is("writer: A MASTER")
}

func TestTheKernelIsAskedForLocalAddresses(t *testing.T) {
	t.Parallel()
	loopback, err := net.InterfaceByName("lo")
	if err != nil || loopback.Flags&net.FlagUp == 0 {
		t.Skip("no loopback interface that is up")
	}
	opts := New(Options{}).opts
	got, err := opts.Local()
	if err != nil || !got[netip.MustParseAddr("127.0.0.1")] || got[vip] {
		t.Errorf("got %v, %v, want 127.0.0.1 among them, and not %v", got, err, vip)
	}
}

// An edit of keepalived.conf may move it: Keepalived writes to the new place when it starts the next time.
func TestAPIDFileThatHasMovedIsLookedForThere(t *testing.T) {
	w := newEnvWithFIFO(t)
	first := w.keepalived()
	w.look(0)
	first.kill()
	w.pidPath += ".moved"
	next := w.keepalived()
	w.look(identifyEvery)
	w.look(identifyEvery)
	if got, want := w.last().PID, next.cmd.Process.Pid; got != want || !w.trust.vrrp.registered {
		t.Errorf("got process %d, want %d, as its pid file says", got, want)
	}
}
