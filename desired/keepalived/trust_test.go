package keepalived

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"

	"floaty/providers/providertest"
)

var vip = netip.MustParseAddr("192.0.2.7")

// setVIP gives the instance the address vip in keepalived.conf, and sets whether a local interface has it.
func (env *testEnv) setVIP(instance string, local bool) {
	env.vips[instance] = []netip.Addr{netip.MustParseAddr("192.0.2.250"), vip}
	env.mu.Lock()
	defer env.mu.Unlock()
	env.local[vip] = local
}

// wantApart checks that two reports are at least this far apart. On a busy machine the first report may be late, so callers want only
// half of the real time. Tests that call step check the exact times.
func wantApart(t *testing.T, from, to report, least time.Duration) {
	t.Helper()
	if got := to.at.Sub(from.at); got < least {
		t.Errorf("from %q to %q: got %v, want at least %v", from.text, to.text, got, least)
	}
}

func TestAReloadKeepsMaster(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.setVIP("A", false) // this does not matter, because the process is identified
	k := env.keepalived()
	env.run()
	k.say(`INSTANCE "A" MASTER 100`)
	before := env.waitFor("writer: A MASTER")

	k.closeFIFO()
	env.waitFor("no writer: A MASTER?")
	k.openFIFO() // Keepalived does not repeat MASTER
	back := env.waitFor("writer: A MASTER?")
	after := env.waitFor("writer: A MASTER")
	wantApart(t, back, after, settleTime/2)
	if before.Instances["A"] != after.Instances["A"] {
		t.Errorf("got %+v, want it as before, %+v", after.Instances["A"], before.Instances["A"])
	}
}

func TestALineWithAnUnknownStateIsLoggedWithItsName(t *testing.T) {
	var log providertest.Log
	debug := funcr.New(func(_, line string) { log.Add(line) }, funcr.Options{Verbosity: 1})
	tr := newTrust(&Options{Log: debug, Conf: Conf{Members: func(string) []string { return nil }}})
	tr.event(Event{Type: typeInstance, Name: "A", State: "SLEEPING"}, time.Now())
	tr.event(Event{Type: typeGroup, Name: "G", State: "SLEEPING"}, time.Now())
	log.Want(t, `"level"=1 "msg"="ignoring a line with an unknown state" "instance"="A" "state"="SLEEPING"`,
		`"level"=1 "msg"="ignoring a line with an unknown state" "group"="G" "state"="SLEEPING"`)
}

func TestAReloadThatRecreatesTheFIFOKeepsMaster(t *testing.T) {
	env := newEnvWithFIFO(t)
	k := env.keepalived()
	env.run()
	k.say(`INSTANCE "A" MASTER 100`)
	env.waitFor("writer: A MASTER")
	env.removeFIFO() // Keepalived 2.2.7 unlinks first, and then closes
	k.closeFIFO()
	env.waitFor("no writer: A MASTER?")
	env.makeFIFO()
	k.openFIFO()
	env.waitFor("writer: A MASTER?")
	env.waitFor("writer: A MASTER")
	env.wantLogged("FIFO made", 0)
}

func TestALongReloadKeepsMasterWhileTheProcessLives(t *testing.T) {
	const on, off, none = 1, 0, -1
	for what, c := range map[string]struct {
		local  int
		want   string
		logged int
	}{
		"if its address is local":        {on, "writer: A MASTER, B BACKUP", 0},
		"but not if its address is gone": {off, "writer: A unknown, B BACKUP", 0}, // lines may have been lost
		"but not if it has no address":   {none, "writer: A unknown, B BACKUP", 1},
	} {
		t.Run(what, func(t *testing.T) {
			env := newEnvWithFIFO(t)
			if c.local != none {
				env.setVIP("A", c.local == on)
			}
			k := env.keepalived()
			k.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" BACKUP 100`)
			env.step(0)
			k.closeFIFO()
			env.step(0)
			env.step(time.Hour)
			env.wantLast("no writer: A MASTER?, B BACKUP?")
			k.openFIFO()
			env.step(probeEvery)
			env.step(settleTime)
			env.wantLast(c.want)
			env.wantLogged("Keepalived was gone for too long", c.logged)
		})
	}
}

func TestAnUnnoticedReloadChangesNothing(t *testing.T) {
	env := newEnvWithFIFO(t)
	k := env.keepalived()
	k.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	k.closeFIFO()
	k.openFIFO()
	env.step(0)
	env.step(time.Hour)
	if got := len(env.reports()); got != 1 {
		t.Errorf("got %d changes, want only the first", got)
	}
	env.wantLast("writer: A MASTER")
}

func TestAfterAReloadTheLatestStatesCount(t *testing.T) {
	env := newEnvWithFIFO(t)
	k := env.keepalived()
	k.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" MASTER 100`, `INSTANCE "C" MASTER 100`)
	env.step(0)
	k.say(`INSTANCE "A" BACKUP 100`)
	k.closeFIFO()
	env.step(0)
	env.wantLast("no writer: A BACKUP?, B MASTER?, C MASTER?")
	k.openFIFO()
	k.say(`INSTANCE "C" BACKUP_PRIORITY 90`) // 2.2.7 writes this for a MASTER on a reload
	env.step(probeEvery)
	env.wantLast("writer: A BACKUP?, B MASTER?, C MASTER?")
	env.step(settleTime - time.Millisecond)
	env.wantLast("writer: A BACKUP?, B MASTER?, C MASTER?")
	k.say(`INSTANCE "B" BACKUP 100`)
	env.step(time.Millisecond)
	env.wantLast("writer: A BACKUP, B BACKUP, C MASTER")
	if got := env.last().Instances["B"].Claims; got != 1 {
		t.Errorf("B: got %d claims, want 1", got)
	}
}

func TestALineFromTheNewWriterCountsAtOnce(t *testing.T) {
	env := newEnvWithFIFO(t)
	k := env.keepalived()
	k.say(`INSTANCE "A" BACKUP 100`, `INSTANCE "B" BACKUP 100`)
	env.step(0)
	k.closeFIFO()
	env.step(0)
	k.openFIFO()
	k.say(`INSTANCE "A" MASTER 100`)
	env.step(probeEvery)
	env.wantLast("writer: A MASTER, B BACKUP?")
}

func TestEachReloadRestartsTheWait(t *testing.T) {
	env := newEnvWithFIFO(t)
	k := env.keepalived()
	k.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	for range 5 {
		k.closeFIFO()
		env.step(probeEvery)
		k.openFIFO()
		env.step(probeEvery)
		env.step(settleTime - time.Millisecond)
		env.wantLast("writer: A MASTER?")
	}
	env.step(time.Millisecond)
	env.wantLast("writer: A MASTER")
}

func TestMasterOfAnUnidentifiedProcessSurvivesAShortReloadIfItsAddressIsLocal(t *testing.T) {
	const on, off, none = 1, 0, -1
	for _, c := range []struct {
		what     string
		away     time.Duration
		local    int
		localErr error
		want     string
		logged   int // how often it is logged that there is no evidence
	}{
		{what: "its address is local", away: time.Second, local: on, want: "writer: A MASTER, B BACKUP"},
		{what: "its writer is back just in time", away: awayAtMost - time.Millisecond, local: on, want: "writer: A MASTER, B BACKUP"},
		{what: "its address is gone", away: time.Second, local: off, want: "writer: A unknown, B BACKUP"},
		{what: "it has no address", away: time.Second, local: none, want: "writer: A unknown, B BACKUP", logged: 1},
		{what: "the local addresses cannot be listed", away: time.Second, local: on, localErr: errors.New("no netlink"), want: "writer: A unknown, B BACKUP"},
		{what: "its writer is back too late", away: awayAtMost + time.Millisecond, local: on, want: "writer: A unknown, B unknown"},
		{what: "its writer is back too late, and it has no address", away: awayAtMost + time.Millisecond, local: none, want: "writer: A unknown, B unknown"},
	} {
		t.Run(c.what, func(t *testing.T) {
			env := newEnvWithFIFO(t)
			env.localErr = c.localErr
			if c.local != none {
				env.setVIP("A", c.local == on)
				env.vips["B"] = []netip.Addr{netip.MustParseAddr("192.0.2.8")} // a BACKUP holds no address
			}
			wr := env.writer()
			wr.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" BACKUP 100`)
			env.step(0)
			wr.close()
			env.step(0)
			env.wantLast("no writer: A MASTER?, B BACKUP?")
			env.writer()
			env.step(c.away) // a long time without a pass means that the machine was busy or suspended
			env.wantLast("writer: A MASTER?, B BACKUP?")
			env.step(settleTime)
			env.wantLast(c.want)
			env.wantLogged("share the PID namespace or set keepalived-pid-file", c.logged)
		})
	}
}

func TestMissingEvidenceIsNotLoggedForAnInstanceThatIsNotConfigured(t *testing.T) {
	env := newEnvWithFIFO(t)
	wr := env.writer()
	wr.say(`INSTANCE "NAMELESS" MASTER 100`)
	env.step(0)
	wr.close()
	env.step(0)
	env.writer()
	env.step(probeEvery)
	env.step(settleTime)
	env.wantLast("writer: NAMELESS unknown")
	env.wantLogged("share the PID namespace or set keepalived-pid-file", 0)
}

// A host may have hundreds of instances and thousands of addresses.
func TestLocalAddressesAreListedOnceForAllInstances(t *testing.T) {
	env := newEnvWithFIFO(t)
	calls, local := 0, env.opts.Local
	env.opts.Local = func() (map[netip.Addr]bool, error) {
		calls++
		return local()
	}
	wr := env.writer()
	for i := range 20 {
		env.setVIP(fmt.Sprint("I", i), true)
		wr.say(fmt.Sprintf(`INSTANCE "I%d" MASTER 100`, i))
	}
	env.step(0)
	wr.close()
	env.step(0)
	env.writer()
	env.step(0)
	env.step(settleTime)
	if got := env.last().Instances["I0"]; got.State != Master || got.Suspended || calls != 1 {
		t.Errorf("got %+v after %d calls of Local, want it MASTER and not suspended after 1", got, calls)
	}
}

func TestStatesOfAnUnidentifiedProcessAreForgottenAfterThreeSeconds(t *testing.T) {
	env := newEnvWithFIFO(t)
	stop := env.run()
	wr := env.writer()
	wr.say(`INSTANCE "A" MASTER 100`)
	env.waitFor("writer: A MASTER")
	wr.close()
	gone := env.waitFor("no writer: A MASTER?")
	forgotten := env.waitFor("no writer: A unknown")
	wantApart(t, gone, forgotten, awayAtMost/2)
	stop() // lines are logged after the report
	env.wantLogged("Keepalived has gone", 1)
	env.wantLogged("instance changed", 2)
}

func TestTheLimitOfThreeSecondsIsExact(t *testing.T) {
	env := newEnvWithFIFO(t)
	wr := env.writer()
	wr.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	wr.close()
	env.step(0)
	env.step(awayAtMost - time.Millisecond)
	env.wantLast("no writer: A MASTER?")
	env.step(time.Millisecond)
	env.wantLast("no writer: A unknown")
	env.writer()
	env.step(probeEvery)
	env.step(settleTime)
	env.wantLast("writer: A unknown")
}

// During the first reload the process is not identified. During the second it is, but it may not be the process that wrote MASTER.
func TestASecondReloadDoesNotConfirmStatesFromBeforeTheFirst(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.setVIP("A", false)
	wr := env.writer()
	wr.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	wr.close()
	env.step(0)
	k := env.keepalived()
	env.step(probeEvery)
	k.closeFIFO()
	env.step(probeEvery)
	k.openFIFO()
	env.step(probeEvery)
	env.wantLast("writer: A MASTER?")
	env.step(settleTime)
	env.wantLast("writer: A unknown")
}

// Some tools start Keepalived and reload it at once. The states that the new process has written are its own, even if the states of the
// process before it were suspended.
func TestAReloadRightAfterAStartKeepsTheNewStates(t *testing.T) {
	for what, restarts := range map[string]bool{"floaty keeps running": false, "floaty is restarted, too": true} {
		t.Run(what, func(t *testing.T) {
			env := newEnvWithState(t)
			old := env.keepalived()
			old.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" MASTER 100`)
			env.step(0)
			if restarts {
				env.kill()
				env.restart()
				env.step(probeEvery)
				env.wantLast("writer: A MASTER?, B MASTER?")
			}
			old.kill()
			env.step(probeEvery)
			fresh := env.keepalived()
			fresh.say(`INSTANCE "A" MASTER 255`, `INSTANCE "B" MASTER 255`)
			env.step(probeEvery)
			env.wantLast("writer: A MASTER, B MASTER")
			fresh.closeFIFO()
			env.step(probeEvery)
			fresh.openFIFO()
			env.step(probeEvery)
			env.wantLast("writer: A MASTER?, B MASTER?")
			env.step(settleTime)
			env.wantLast("writer: A MASTER, B MASTER")
		})
	}
}

func TestAPIDFileThatNamesAnotherProgramIsIgnored(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.setVIP("A", false)
	other := env.process("keepalive")
	other.writePIDFile()
	other.openFIFO()
	other.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	env.wantLast("writer: A MASTER")
	other.closeFIFO()
	env.step(0)
	other.openFIFO() // it is the same process, but floaty cannot know that
	env.step(probeEvery)
	env.step(settleTime)
	env.wantLast("writer: A unknown")
}

func TestAPIDFileThatAppearsLateIsUsed(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.setVIP("A", false)
	k := env.process("keepalived")
	k.openFIFO()
	k.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	k.writePIDFile()
	env.step(checkEvery)
	if err := os.Remove(env.pidPath); err != nil { // the process is identified by now
		t.Fatal(err)
	}
	k.closeFIFO()
	env.step(0)
	k.openFIFO()
	env.step(probeEvery)
	env.step(settleTime)
	env.wantLast("writer: A MASTER")
}

func TestLocalAddressesComeFromTheKernelByDefault(t *testing.T) {
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

// An edit of keepalived.conf may move the pid file. Keepalived writes it to the new path when it next starts.
func TestAPIDFileIsFoundAtItsNewPath(t *testing.T) {
	env := newEnvWithFIFO(t)
	first := env.keepalived()
	env.step(0)
	first.kill()
	env.pidPath += ".moved"
	next := env.keepalived()
	env.step(identifyEvery)
	env.step(identifyEvery)
	if got, want := env.last().PID, next.cmd.Process.Pid; got != want || !env.trust.vrrp.registered {
		t.Errorf("got process %d, want %d, which the pid file names", got, want)
	}
}
