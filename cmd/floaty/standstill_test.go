package main_test

import (
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"floaty/providers/simulator"
)

// stops sends SIGSTOP, and returns what sends SIGCONT.
func (w *env) stops() (goesOn func()) {
	w.Helper()
	pid := w.FloatyPID()
	w.must(syscall.Kill(pid, syscall.SIGSTOP))
	return func() { w.Helper(); w.must(syscall.Kill(pid, syscall.SIGCONT)) }
}

// backsOff makes floaty MASTER while every write fails. The next one is due in a fraction of a second.
func (w *env) backsOff() {
	w.Helper()
	for _, method := range []string{http.MethodPatch, http.MethodPut} {
		w.Cloud.Fail(simulator.Fault{Method: method, Kind: simulator.Status, Status: 500})
	}
	w.Cloud.ForgetCalls()
	w.says("MASTER")
	w.eventually("writes have failed", 5*time.Second, func() bool { return len(w.Writes()) >= 4 })
	time.Sleep(50 * time.Millisecond) // the answer is there
}

// many returns so many addresses that several timers are due when floaty continues.
func many() []netip.Addr {
	var addrs []netip.Addr
	for i := range 20 {
		addrs = append(addrs, netip.AddrFrom4([4]byte{203, 0, 113, byte(i + 1)}))
	}
	return addrs
}

// Lines that were in the FIFO before floaty continues count before anything is written, on both clouds.
func TestAfterAStandstillADemotedHostWritesNothing(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) *env{
		"cloudscale.ch": func(t *testing.T) *env { t.Helper(); return newEnv(t, many()...) },
		"Exoscale":      newExoscale,
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.start()
			for range 8 { // without the fence, a write comes first in some
				w.backsOff()
				goesOn := w.stops()
				w.says("BACKUP")
				w.Cloud.ClearFaults()
				time.Sleep(400 * time.Millisecond) // the back-off is over
				w.Cloud.ForgetCalls()
				goesOn()
				w.never("written as a BACKUP", 200*time.Millisecond, func() bool { return len(w.Writes()) > 0 })
			}
		})
	}
}

// The same, when Keepalived was killed meanwhile and nobody writes into the FIFO any more.
func TestAfterAStandstillAHostWithoutKeepalivedWritesNothing(t *testing.T) {
	w := newEnv(t, many()...)
	w.start()
	w.backsOff()
	goesOn := w.stops()
	w.CloseFIFO()
	w.Cloud.ClearFaults()
	time.Sleep(1300 * time.Millisecond)
	w.Cloud.ForgetCalls()
	goesOn()
	w.never("written without Keepalived", time.Second, func() bool { return len(w.Writes()) > 0 })
}

// An engine that was built by a reload checks the same FIFO.
func TestAfterAReloadAndAStandstillADemotedHostWritesNothing(t *testing.T) {
	w := newEnv(t, many()...)
	w.start()
	w.must(w.Configure("floaty.yml", w.with("refresh-interval: 2s", "refresh-interval: 3s")))
	w.eventually("the edit is taken over", 3*time.Second, func() bool { return w.logged("configuration changed") == 1 })
	w.backsOff()
	goesOn := w.stops()
	w.says("BACKUP")
	w.Cloud.ClearFaults()
	time.Sleep(1300 * time.Millisecond)
	w.Cloud.ForgetCalls()
	goesOn()
	w.never("written as a BACKUP", time.Second, func() bool { return len(w.Writes()) > 0 })
}

// Keepalived stood still as well and says nothing: another host has the address by now.
func TestAfterAStandstillAMasterWaitsForKeepalived(t *testing.T) {
	for _, dryRun := range []bool{false, true} {
		t.Run(map[bool]string{false: "daemon", true: "dry run"}[dryRun], func(t *testing.T) {
			w := newEnv(t, one)
			w.must(w.Configure("keepalived.conf", strings.Replace(w.Keepalived(100, "", one), "advert_int 0.2", "advert_int 1", 1)))
			if dryRun {
				w.Cloud.Move(one, w.UUID)
				w.start("--dry-run", "--fifo", w.Path("floaty.yml"), w.FIFO)
			} else {
				w.start()
			}
			w.says("MASTER")
			w.holds(3*time.Second, one)
			time.Sleep(1500 * time.Millisecond) // its heart beats
			goesOn := w.stops()
			w.Cloud.Move(one, stranger)
			time.Sleep(3 * time.Second)
			w.Cloud.ForgetCalls()
			goesOn()
			moves := func() bool { return len(w.Writes()) > 0 || w.logged("would be assigned") > 0 }
			w.never("written before Keepalived could notice", 3*time.Second, moves)
			if n := w.saidInAll("stood still"); n != 1 {
				t.Errorf("got %d lines about the standstill, want one", n)
			}
			w.eventually("what is still a MASTER goes on", 2*interval+2*time.Second, moves)
		})
	}
}

// A line ends the wait: Keepalived has noticed.
func TestAfterAStandstillALineResumesAMaster(t *testing.T) {
	w := newEnv(t, one)
	w.must(w.Configure("keepalived.conf", strings.Replace(w.Keepalived(100, "", one), "advert_int 0.2", "advert_int 1", 1)))
	w.start()
	w.says("MASTER")
	w.holds(3*time.Second, one)
	time.Sleep(1500 * time.Millisecond)
	goesOn := w.stops()
	w.Cloud.Move(one, stranger)
	time.Sleep(3 * time.Second)
	goesOn()
	w.eventually("it says so", time.Second, func() bool { return w.logged("stood still") == 1 })
	w.says("MASTER_RX_LOWER_PRI")
	w.holds(time.Second, one)
}

// The holder of a notify script receives no lines. Only its end, or time, tells what Keepalived has noticed.
func TestAfterAStandstillAHolderWaitsForKeepalived(t *testing.T) {
	w := newEnv(t, one)
	w.must(w.Configure("keepalived.conf", strings.Replace(w.Keepalived(100, "", one), "advert_int 0.2", "advert_int 1", 1)))
	w.holder()
	w.holds(3*time.Second, one)
	time.Sleep(3 * time.Second) // MASTER was said long ago
	goesOn := w.stops()
	w.Cloud.Move(one, stranger)
	time.Sleep(3 * time.Second)
	w.Cloud.ForgetCalls()
	goesOn()
	w.never("written before Keepalived could notice", 3*time.Second, func() bool { return len(w.Writes()) > 0 })
	if n := w.saidInAll("stood still"); n != 1 {
		t.Errorf("got %d lines about the standstill, want one", n)
	}
	w.holds(2*interval+3*time.Second, one)
}
