package keepalived

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// keepalivedWithoutPIDFile starts a fakeVRRP that opens the FIFO but writes no pid file.
func (env *testEnv) keepalivedWithoutPIDFile() *fakeVRRP {
	env.t.Helper()
	k := env.process("keepalived")
	k.openFIFO()
	return k
}

func TestTheWriterOfTheFIFOIsIdentifiedWithoutAPIDFile(t *testing.T) {
	env := newEnvWithFIFO(t)
	k := env.keepalivedWithoutPIDFile()
	k.say(`INSTANCE "A" MASTER 100`)
	env.step(0) // the search begins
	env.step(probeEvery)
	k.closeFIFO()
	env.step(0)
	k.openFIFO()
	env.step(probeEvery)
	env.wantLast("writer: A MASTER?")
	env.step(settleTime)
	env.wantLast("writer: A MASTER") // it has no local address, but it is the same process
	k.kill()
	env.step(0)
	env.wantLast("no writer: A unknown")
	env.wantLogged("has ended", 1)
	env.wantLogged("cannot identify", 0)
}

// Keepalived's parent process restarts the VRRP process after 1 ms. The new process writes nothing while a track script is running (seen
// on 2.2.7).
func TestASilentSuccessorStartsWithUnknownStates(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.setVIP("A", true) // a kill leaves the address where it is
	k := env.keepalivedWithoutPIDFile()
	k.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	env.step(probeEvery)
	k.kill()
	env.keepalivedWithoutPIDFile()
	env.step(probeEvery)
	env.step(settleTime)
	env.wantLast("writer: A unknown")
}

// A shell that keeps the FIFO open is not Keepalived, even if its lines look the same.
func TestAWriterThatIsNotKeepalivedIsNotIdentified(t *testing.T) {
	env := newEnvWithFIFO(t)
	shell := env.process("bash")
	shell.openFIFO()
	shell.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	env.step(probeEvery)
	shell.closeFIFO()
	env.step(0)
	shell.openFIFO()
	env.step(probeEvery)
	env.step(settleTime)
	env.wantLast("writer: A unknown")
	env.wantLogged("cannot identify Keepalived's process", 1)
}

func TestThePIDFileDecidesBetweenSeveralWriters(t *testing.T) {
	env := newEnvWithFIFO(t)
	reader, err := openFIFO(env.opts.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reader.close)
	found := func(want *fakeVRRP) {
		t.Helper()
		p := reader.findWriter(t.Context(), env.pidPath)
		defer p.Close()
		switch {
		case p == nil && want != nil:
			t.Errorf("got none, want process %d", want.cmd.Process.Pid)
		case p != nil && (want == nil || p.PID != want.cmd.Process.Pid):
			t.Errorf("got process %d, want %+v", p.PID, want)
		}
	}
	env.writer() // the test's own process: floaty may be a writer, too
	found(nil)
	checker := env.keepalivedWithoutPIDFile() // the checker process opens the FIFO if notify_fifo is set
	found(checker)
	checker.do("child")
	found(checker)
	env.process("other").openFIFO()
	found(checker)
	k := env.keepalivedWithoutPIDFile()
	found(nil)
	k.writePIDFile()
	found(k)
	if err := os.Remove(env.pidPath); err != nil {
		t.Fatal(err)
	}
	checker.kill()
	eventually(t, func() (string, bool) { // its child ends a moment later
		p := reader.findWriter(t.Context(), env.pidPath)
		defer p.Close()
		return "the VRRP process is not found", p != nil && p.PID == k.cmd.Process.Pid
	})
	k.closeFIFO()
	found(nil)
}

func TestIdentified(t *testing.T) {
	env := newEnvWithFIFO(t)
	identified := func(path string, want bool) {
		t.Helper()
		if err := Identified(t.Context(), path, env.pidPath); (err == nil) != want {
			t.Errorf("with FIFO %q: got %v, want it identified: %v", path, err, want)
		}
	}
	k := env.process("keepalived")
	identified(env.opts.Path, false)
	k.openFIFO()
	identified(env.opts.Path, true)
	identified("", false)
	identified(env.opts.Path+".none", false)
	k.writePIDFile()
	identified("", true)
}

// The checker process may open the FIFO before the VRRP process does.
func TestALatePIDFileCorrectsTheResultOfASearch(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.setVIP("A", true)
	checker := env.keepalivedWithoutPIDFile()
	env.step(0)
	env.step(probeEvery)
	k := env.keepalived()
	k.say(`INSTANCE "A" MASTER 100`)
	env.step(identifyEvery)
	k.kill()
	env.step(0)
	env.wantLast("writer: A unknown")
	checker.closeFIFO()
}

func TestTheEndOfRunEndsASearch(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.keepalivedWithoutPIDFile()
	env.run()()
	if env.trust.vrrp.search.found != nil {
		t.Error("got a search after the end of Run, want none")
	}
}

// If the VRRP process runs in its own network namespace (net_namespace, a container), its addresses are there.
func TestLocalAddressesAreThoseOfKeepalivedsNetworkNamespace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can create a network namespace")
	}
	for want, local := range map[string]bool{"writer: A MASTER": true, "writer: A unknown": false} {
		t.Run(want, func(t *testing.T) {
			env := newEnvWithFIFO(t)
			env.setVIP("A", false)
			k := env.keepalivedInNetNamespace()
			if local {
				k.do("ip addr add 192.0.2.7/32 dev lo")
			}
			k.say(`INSTANCE "A" MASTER 100`)
			env.step(0)
			k.closeFIFO()
			env.step(0)
			env.step(2 * awayAtMost) // lines may have been lost, so the same process is not enough
			k.openFIFO()
			env.step(probeEvery)
			env.step(settleTime)
			env.wantLast(want)
		})
	}
}

// keepalivedInNetNamespace starts a fakeVRRP in its own network namespace.
func (env *testEnv) keepalivedInNetNamespace() *fakeVRRP {
	env.t.Helper()
	k := env.processWith("keepalived", &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET})
	k.do("ip link set lo up")
	k.writePIDFile()
	k.openFIFO()
	return k
}

func TestParsingTheAddressesOfANetworkNamespace(t *testing.T) {
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
		t.Errorf("got %v, %v for our own namespace, want nothing", got, err)
	}
}

func TestWhetherADescriptorIsOpenForWriting(t *testing.T) {
	t.Parallel()
	for info, want := range map[string]bool{
		"pos:\t0\nflags:\t02004002\nmnt_id:\t15\n": true,  // opened by Keepalived
		"pos:\t0\nflags:\t0100001\n":               true,  // opened by echo
		"pos:\t0\nflags:\t02004000\n":              false, // opened by floaty
		"pos:\t0\n":                                false,
		"flags:\tnone\n":                           false,
	} {
		if got := writable(info); got != want {
			t.Errorf("%q: got %v, want %v", info, got, want)
		}
	}
}

func TestASavedMasterOfAnUnidentifiedProcessNeedsALocalAddress(t *testing.T) {
	for what, c := range map[string]struct {
		vips   bool
		want   string
		logged int
	}{
		"which exists":         {true, "writer: A MASTER", 0},
		"but has no addresses": {false, "writer: A unknown", 1},
	} {
		t.Run(what, func(t *testing.T) {
			env := newEnvWithState(t)
			if !c.vips {
				delete(env.vips, "A")
			}
			env.writer().say(`INSTANCE "A" MASTER 100`)
			env.step(0)
			env.kill()
			env.restart()
			env.step(0)
			env.step(settleTime)
			env.wantLast(c.want)
			env.wantLogged("cannot identify Keepalived's process", c.logged)
		})
	}
}

// A process that a search has found is saved, too.
func TestASavedMasterCountsForTheSameWriterOfTheFIFO(t *testing.T) {
	env := newEnvWithState(t)
	delete(env.vips, "A")
	k := env.keepalivedWithoutPIDFile()
	k.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	env.step(probeEvery)
	env.kill()
	env.restart()
	env.step(0)
	env.step(settleTime)
	env.wantLast("writer: A MASTER")
	env.kill()
	env.setVIP("A", true)
	k.closeFIFO()
	env.keepalivedWithoutPIDFile() // another process, while the first one lives on
	env.restart()
	env.reported = nil
	for range 3 {
		env.step(settleTime)
	}
	env.wantNever("A", Master)
}

// A service that may read every file but is not root can list the descriptors of a root process, but cannot see which files they are.
// Such a list does not prove that the process has not opened the FIFO, so the pid file decides, as it does if there is no list either.
func TestDescriptorsThatMayOnlyBeListedAreAnError(t *testing.T) {
	if pid, err := strconv.Atoi(os.Getenv("FLOATY_TEST_LISTS")); err == nil {
		holds, err := (&fifoFile{fd: -1}).writtenBy(pid)
		fmt.Printf("holds %v, may see: %v\n", holds, !errors.Is(err, os.ErrPermission))
		return
	}
	if os.Getuid() != 0 {
		t.Skip("only root can start a process as another user with a capability")
	}
	program, err := os.ReadFile("/proc/self/exe") // for a copy that another user can execute
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "test")
	if err := os.WriteFile(path, program, 0o755); err != nil { //nolint:gosec // to be run by another user
		t.Fatal(err)
	}
	for dir := filepath.Dir(path); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // to be run by another user
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), path, "-test.run=^"+t.Name()+"$") //nolint:gosec // our own program
	cmd.Env, cmd.Dir = append(os.Environ(), fmt.Sprint("FLOATY_TEST_LISTS=", os.Getpid())), "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, AmbientCaps: []uintptr{unix.CAP_DAC_READ_SEARCH}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "holds false, may see: false\n") {
		t.Errorf("got %v and %q, want \"holds false, may see: false\"", err, out)
	}
}
