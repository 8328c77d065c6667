package main_test

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"floaty/providers/simulator"
)

// ended waits until the floaty that was started last has ended on its own.
func (w *env) ended() {
	w.Helper()
	select {
	case <-w.FloatyEnded():
		if got := w.FloatyStatus(); got != 0 {
			w.Errorf("got a holder that ended with status %d, want 0", got)
		}
	case <-time.After(2 * time.Second):
		w.Fatal("got no end of the holder within 2 s, want one")
	}
}

// holder starts floaty as a notify script, with a MASTER event of the instance.
func (w *env) holder(args ...string) {
	w.Helper()
	w.must(w.StartFloaty(append(args, w.Path("floaty.yml"), "INSTANCE", "VI_1", "MASTER", "100")...))
}

func TestANotifyScriptHoldsUntilAnotherStateComes(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"BACKUP", "FAULT", "STOP", "DELETED"} {
		t.Run(state, func(t *testing.T) {
			w := newEnv(t, one, two)
			w.holder()
			w.holds(2*time.Second, one, two)
			w.Cloud.Move(one, stranger)
			w.holds(interval*12/10, one)
			status, _, stderr := run(t, w.Path("floaty.yml"), "INSTANCE", "VI_1", state, "100")
			if status != 0 {
				t.Errorf("got status %d, want 0: %s", status, stderr)
			}
			w.ended()
			w.Cloud.ForgetCalls()
			w.Cloud.Move(one, stranger)
			w.never("a call after "+state, interval*12/10, func() bool { return len(w.Cloud.Calls()) > 0 })
		})
	}
}

func TestATakeoverByANotifyScriptDoesNotWaitForARead(t *testing.T) {
	t.Parallel()
	for range 8 { // while there was a bug, half of them waited
		t.Run("", func(t *testing.T) {
			w := newEnv(t, one)
			w.Cloud.Fail(simulator.Fault{Method: http.MethodGet, Kind: simulator.Hang})
			w.holder()
			w.holds(2*time.Second, one)
		})
	}
}

func TestTheNextMASTERTakesOver(t *testing.T) {
	w := newEnv(t, one)
	w.holder()
	w.holds(2*time.Second, one)
	first := w.FloatyEnded()
	w.Cloud.Move(one, stranger)
	w.holder()
	w.holds(2*time.Second, one)
	select {
	case <-first:
	case <-time.After(2 * time.Second):
		t.Error("got no end of the first holder within 2 s, want one")
	}
}

func TestBACKUPStopsTheHolderDespiteABrokenConfiguration(t *testing.T) {
	w := newEnv(t, one)
	w.holder()
	w.holds(2*time.Second, one)
	w.must(w.Configure("floaty.yml", w.Floaty()+"nonsense: 1\n"))
	status, _, stderr := run(t, w.Path("floaty.yml"), "INSTANCE", "VI_1", "BACKUP", "100")
	if status != 1 || !strings.Contains(stderr, "nonsense") {
		t.Errorf("got status %d, want 1 and the key: %s", status, stderr)
	}
	w.ended()
}

func TestANotifyScriptReloads(t *testing.T) {
	w := newEnv(t, one, two)
	w.must(w.Configure("keepalived.conf", w.Keepalived(100, "", one)))
	w.holder()
	w.holds(2*time.Second, one)
	w.must(w.Configure("keepalived.conf", w.Keepalived(100, "", one, two)))
	w.holds(time.Second, two)
}

func TestAGroupHoldsTheAddressesOfItsMembers(t *testing.T) {
	w := newEnv(t, one, two, three)
	conf := "vrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n}\n"
	for _, vi := range []string{"1 198.51.100.1", "2 198.51.100.2", "3 2001:db8::3"} {
		n, vip, _ := strings.Cut(vi, " ")
		conf += "vrrp_instance VI_" + n + " {\n virtual_ipaddress {\n " + vip + "\n }\n}\n"
	}
	w.must(w.Configure("keepalived.conf", conf))
	w.must(w.StartFloaty(w.Path("floaty.yml"), "GROUP", "G", "MASTER", "0"))
	w.holds(2*time.Second, one, two)
	w.never("the address of another instance moved", interval, func() bool { return w.here(three) })
	if status, _, stderr := run(t, w.Path("floaty.yml"), "GROUP", "NOPE", "MASTER", "0"); status != 1 || !strings.Contains(stderr, "NOPE") {
		t.Errorf("got status %d, want 1 and the group: %s", status, stderr)
	}
	if status, _, stderr := run(t, w.Path("floaty.yml"), "GROUP", "G", "BACKUP", "0"); status != 0 {
		t.Errorf("got status %d, want 0: %s", status, stderr)
	}
	w.ended()
}

func TestADryRunNotifyScriptWritesNothingAndStopsNoHolder(t *testing.T) {
	w := newEnv(t, one)
	w.must(w.StartFloaty("--dry-run", w.Path("floaty.yml"), "INSTANCE", "VI_1", "MASTER", "100"))
	w.eventually("the difference is logged", 2*time.Second, func() bool { return w.logged("would be assigned") == 1 })
	w.holder()
	w.holds(2*time.Second, one)
	if status, _, _ := run(t, "--dry-run", w.Path("floaty.yml"), "INSTANCE", "VI_1", "BACKUP", "100"); status != 0 {
		t.Errorf("got status %d, want 0", status)
	}
	w.Cloud.Move(one, stranger)
	w.holds(interval*12/10, one)
}

func TestEventsThatAreNotStatesChangeNothing(t *testing.T) {
	for _, state := range []string{"BACKUP_PRIORITY", "MASTER_PRIORITY", "MASTER_RX_LOWER_PRI"} {
		t.Run(state, func(t *testing.T) {
			w := newEnv(t, one)
			w.holder()
			w.holds(2*time.Second, one)
			before := w.FloatyEnded()
			if status, _, stderr := run(t, w.Path("floaty.yml"), "INSTANCE", "VI_1", state, "90"); status != 0 || stderr != "" {
				t.Errorf("got status %d, want 0 and no line: %s", status, stderr)
			}
			w.Cloud.Move(one, stranger)
			w.holds(interval*12/10, one)
			select {
			case <-before:
				t.Error("got the holder ended, want it to go on")
			default:
			}
		})
	}
}

func TestAnInvalidEventStopsTheHolder(t *testing.T) {
	for what, c := range map[string]struct {
		conf   string // replaces the instance's name in keepalived.conf
		state  string
		status int
		want   string // in standard error
	}{
		"an unknown state":             {"VI_1", "GARBAGE", 2, "GARBAGE"},
		"a state in lower case":        {"VI_1", "master", 2, "master"},
		"an empty state":               {"VI_1", "", 2, "not a VRRP state"},
		"BACKUP of a renamed instance": {"VI_RENAMED", "BACKUP", 1, "does not name the instance"},
		"MASTER of a renamed instance": {"VI_RENAMED", "MASTER", 1, "does not name the instance"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newEnv(t, one)
			w.must(w.Configure("keepalived.conf", w.Keepalived(100, "", one)))
			w.holder()
			w.holds(2*time.Second, one)
			w.must(w.Configure("keepalived.conf", strings.Replace(w.Keepalived(100, "", one), "VI_1", c.conf, 1)))
			status, _, stderr := run(t, w.Path("floaty.yml"), "INSTANCE", "VI_1", c.state, "100")
			if status != c.status || !strings.Contains(stderr, c.want) {
				t.Errorf("got status %d, want %d and %q: %s", status, c.status, c.want, stderr)
			}
			w.ended()
		})
	}
}

// If the lock file is removed, the process of the next event cannot find the holder and end it.
func TestAHolderThatCouldNotBeStoppedWritesNothingMore(t *testing.T) {
	w := newEnv(t, one)
	w.holder()
	w.holds(2*time.Second, one)
	w.must(os.Remove(w.Path("VI_1.lock")))
	if status, _, stderr := run(t, w.Path("floaty.yml"), "INSTANCE", "VI_1", "BACKUP", "100"); status != 0 {
		t.Errorf("got status %d, want 0: %s", status, stderr)
	}
	w.Cloud.ForgetCalls()
	w.Cloud.Move(one, stranger)
	w.ended()
	if got := w.Writes(); len(got) > 0 {
		t.Errorf("got writes %v, want none", got)
	}
}

// SIGSTOP has stopped the holder, so it cannot end when it is told to. Its next write is due when it continues.
func TestASuspendedHolderThatWasSupersededWritesNothing(t *testing.T) {
	w := newEnv(t, one)
	w.must(w.Configure("floaty.yml", w.Floaty()+"lock-timeout: 50ms\n"))
	w.holder()
	w.holds(2*time.Second, one)
	w.Cloud.Fail(simulator.Fault{Method: http.MethodPatch, Kind: simulator.Status, Status: 503})
	w.Cloud.Move(one, stranger)
	w.eventually("a write fails", 2*time.Second, func() bool { return len(w.Writes()) > 2 })
	w.must(syscall.Kill(w.FloatyPID(), syscall.SIGSTOP))
	if status, _, stderr := run(t, w.Path("floaty.yml"), "INSTANCE", "VI_1", "BACKUP", "100"); status != 1 {
		t.Errorf("got status %d, want 1, because the holder does not end: %s", status, stderr)
	}
	w.Cloud.ForgetCalls()
	w.never("a stopped holder writes", 1300*time.Millisecond, func() bool { return len(w.Writes()) > 0 }) // by then its back-off is over
	w.must(syscall.Kill(w.FloatyPID(), syscall.SIGCONT))
	w.ended()
	if got := w.Writes(); len(got) > 0 {
		t.Errorf("got writes %v, want none", got)
	}
}

func TestANameWithASlashHasItsOwnLock(t *testing.T) {
	w := newEnv(t)
	conf := strings.ReplaceAll(w.Keepalived(100, "", one), "vrrp_instance VI_1", `vrrp_instance "../a b"`)
	w.AddAddresses(stranger, one)
	w.must(w.Configure("keepalived.conf", conf))
	w.must(w.StartFloaty(w.Path("floaty.yml"), "INSTANCE", "../a b", "MASTER", "100"))
	w.holds(2*time.Second, one)
	if _, err := os.Stat(w.Path("..%2Fa%20b.lock")); err != nil {
		t.Error(err)
	}
}

func TestAMissingParentKeepalivedIsLoggedOnce(t *testing.T) {
	w := newEnv(t, one)
	w.holder()
	w.holds(2*time.Second, one)
	if n := w.loggedInTotal("cannot find the Keepalived"); n != 1 {
		t.Errorf("got %d lines, want one", n)
	}
}
