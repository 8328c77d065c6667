package keepalived

import (
	"net/netip"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// anonymous starts a Keepalived that has no pid file, and opens the FIFO.
func (w *testEnv) anonymous() *vrrp {
	w.t.Helper()
	k := w.process("keepalived")
	k.open()
	return k
}

func TestWhoWritesTheFIFOIsKnownWithoutAPIDFile(t *testing.T) {
	w := newEnvWithFIFO(t)
	k := w.anonymous()
	k.say(`INSTANCE "A" MASTER 100`)
	w.look(0) // the search begins
	w.look(probeEvery)
	k.shut()
	w.look(0)
	k.open()
	w.look(probeEvery)
	w.is("writer: A MASTER?")
	w.look(settleTime)
	w.is("writer: A MASTER") // no address shows it, but it is the same process
	k.kill()
	w.look(0)
	w.is("no writer: A unknown")
	w.said("has ended", 1)
	w.said("cannot identify", 0)
}

// Its parent starts it anew after 1 ms, and a track script keeps it silent (seen on 2.2.7).
func TestASilentSuccessorOfWhoWroteTheFIFOStartsFromNothing(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.gives("A", true) // a kill leaves the address where it is
	k := w.anonymous()
	k.say(`INSTANCE "A" MASTER 100`)
	w.look(0)
	w.look(probeEvery)
	k.kill()
	w.anonymous()
	w.look(probeEvery)
	w.look(settleTime)
	w.is("writer: A unknown")
}

// A shell that keeps the FIFO open plays several Keepalived one after the other, and none of them.
func TestAWriterThatIsNoKeepalivedIsNoEvidence(t *testing.T) {
	w := newEnvWithFIFO(t)
	shell := w.process("bash")
	shell.open()
	shell.say(`INSTANCE "A" MASTER 100`)
	w.look(0)
	w.look(probeEvery)
	shell.shut()
	w.look(0)
	shell.open()
	w.look(probeEvery)
	w.look(settleTime)
	w.is("writer: A unknown")
	w.said("cannot identify Keepalived's process", 1)
}

func TestOfSeveralWritersThePIDFileDecides(t *testing.T) {
	w := newEnvWithFIFO(t)
	reader, err := openFIFO(w.opts.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reader.close)
	found := func(want *vrrp) {
		t.Helper()
		p := reader.findWriter(t.Context(), w.pidPath)
		defer p.Close()
		switch {
		case p == nil && want != nil:
			t.Errorf("got none, want process %d", want.cmd.Process.Pid)
		case p != nil && (want == nil || p.PID != want.cmd.Process.Pid):
			t.Errorf("got process %d, want %+v", p.PID, want)
		}
	}
	w.writer() // the test itself, as floaty may be one
	found(nil)
	checker := w.anonymous() // where notify_fifo serves both
	found(checker)
	checker.order("child")
	found(checker)
	w.process("other").open()
	found(checker)
	k := w.anonymous()
	found(nil)
	k.registers()
	found(k)
	if err := os.Remove(w.pidPath); err != nil {
		t.Fatal(err)
	}
	checker.kill()
	eventually(t, func() (string, bool) { // its child ends a moment later
		p := reader.findWriter(t.Context(), w.pidPath)
		defer p.Close()
		return "the VRRP process is not found", p != nil && p.PID == k.cmd.Process.Pid
	})
	k.shut()
	found(nil)
}

func TestWhetherTheProcessIsIdentifiedIsToldBeforehand(t *testing.T) {
	w := newEnvWithFIFO(t)
	tells := func(path string, want bool) {
		t.Helper()
		if err := Identified(t.Context(), path, w.pidPath); (err == nil) != want {
			t.Errorf("with FIFO %q: got %v, want it identified: %v", path, err, want)
		}
	}
	k := w.process("keepalived")
	tells(w.opts.Path, false)
	k.open()
	tells(w.opts.Path, true)
	tells("", false)
	tells(w.opts.Path+".none", false)
	k.registers()
	tells("", true)
}

// The checker process may open the FIFO first.
func TestALatePIDFileCorrectsWhatASearchFound(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.gives("A", true)
	checker := w.anonymous()
	w.look(0)
	w.look(probeEvery)
	k := w.keepalived()
	k.say(`INSTANCE "A" MASTER 100`)
	w.look(identifyEvery)
	k.kill()
	w.look(0)
	w.is("writer: A unknown")
	checker.shut()
}

func TestAnEndedSearchLeavesNothing(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.anonymous()
	w.run()()
	if w.trust.vrrp.search.found != nil {
		t.Error("got a search after the end of Run, want none")
	}
}

// Where the VRRP process lives in a network namespace of its own (net_namespace, a container), its addresses are there.
func TestTheAddressesOfAnotherNetworkNamespaceCount(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root makes a network namespace")
	}
	for want, local := range map[string]bool{"writer: A MASTER": true, "writer: A unknown": false} {
		t.Run(want, func(t *testing.T) {
			w := newEnvWithFIFO(t)
			w.gives("A", false)
			k := w.keepalivedApart()
			if local {
				k.order("ip addr add 192.0.2.7/32 dev lo")
			}
			k.say(`INSTANCE "A" MASTER 100`)
			w.look(0)
			k.shut()
			w.look(0)
			w.look(2 * awayAtMost) // lines may have been lost: the same process is not enough
			k.open()
			w.look(probeEvery)
			w.look(settleTime)
			w.is(want)
		})
	}
}

// keepalivedApart is one in a network namespace of its own.
func (w *testEnv) keepalivedApart() *vrrp {
	w.t.Helper()
	k := w.processWith("keepalived", &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET})
	k.order("ip link set lo up")
	k.registers()
	k.open()
	return k
}

func TestWhatTheKernelShowsOfANamespace(t *testing.T) {
	t.Parallel()
	addrs := map[netip.Addr]bool{}
	readTrie(`Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.99.0.0/24 2 0 2
        |-- 10.99.0.0
           /24 link UNICAST
        |-- 10.99.0.9
           /32 host LOCAL
Local:
        |-- 192.0.2.7
           /32 host LOCAL
        |-- 10.99.0.255
           /32 link BROADCAST
        |-- garbage
           /32 host LOCAL
`, addrs)
	readInet6("20010db8000000000000000000000003 02 40 00 80     eth0\nxyz\n\n00 01\n", addrs)
	want := []string{"10.99.0.9", "192.0.2.7", "2001:db8::3"}
	for _, text := range want {
		if !addrs[netip.MustParseAddr(text)] {
			t.Errorf("got %v, want %s among them", addrs, text)
		}
	}
	if len(addrs) != len(want) {
		t.Errorf("got %v, want %v", addrs, want)
	}
	if got, err := otherNamespaceAddrs(os.Getpid()); got != nil || err != nil {
		t.Errorf("got %v, %v of our own namespace, want nothing", got, err)
	}
}

func TestADescriptorsFlagsTellWhoWrites(t *testing.T) {
	t.Parallel()
	for info, want := range map[string]bool{
		"pos:\t0\nflags:\t02004002\nmnt_id:\t15\n": true,  // as Keepalived opens it
		"pos:\t0\nflags:\t0100001\n":               true,  // echo
		"pos:\t0\nflags:\t02004000\n":              false, // as floaty does
		"pos:\t0\n":                                false,
		"flags:\tnone\n":                           false,
	} {
		if got := writable(info); got != want {
			t.Errorf("%q: got %v, want %v", info, got, want)
		}
	}
}

func TestASavedMasterOfAnUnknownProcessNeedsItsAddress(t *testing.T) {
	for what, c := range map[string]struct {
		vips bool
		want string
		said int
	}{
		"which is there": {true, "writer: A MASTER", 0},
		"and has none":   {false, "writer: A unknown", 1},
	} {
		t.Run(what, func(t *testing.T) {
			w := newEnvWithState(t)
			if !c.vips {
				delete(w.vips, "A")
			}
			w.writer().say(`INSTANCE "A" MASTER 100`)
			w.look(0)
			w.die()
			w.begin()
			w.look(0)
			w.look(settleTime)
			w.is(c.want)
			w.said("cannot identify Keepalived's process", c.said)
		})
	}
}

// What a search finds is saved too, and found again.
func TestASavedMasterOfWhoWritesTheFIFOCounts(t *testing.T) {
	w := newEnvWithState(t)
	delete(w.vips, "A")
	k := w.anonymous()
	k.say(`INSTANCE "A" MASTER 100`)
	w.look(0)
	w.look(probeEvery)
	w.die()
	w.begin()
	w.look(0)
	w.look(settleTime)
	w.is("writer: A MASTER")
	w.die()
	w.gives("A", true)
	k.shut()
	w.anonymous() // another one, while the first lives on
	w.begin()
	w.seen = nil
	for range 3 {
		w.look(settleTime)
	}
	w.never("A", Master)
}
