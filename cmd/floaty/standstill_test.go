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

// pause stops floaty with SIGSTOP, and resume continues it with SIGCONT.
func (w *env) pause() (resume func()) {
	w.Helper()
	pid := w.FloatyPID()
	w.must(syscall.Kill(pid, syscall.SIGSTOP))
	return func() { w.Helper(); w.must(syscall.Kill(pid, syscall.SIGCONT)) }
}

// backOff makes floaty MASTER while every write fails. Its next write is due in a fraction of a second.
func (w *env) backOff() {
	w.Helper()
	for _, method := range []string{http.MethodPatch, http.MethodPut} {
		w.Cloud.Fail(simulator.Fault{Method: method, Kind: simulator.Status, Status: 500})
	}
	w.Cloud.ForgetCalls()
	w.says("MASTER")
	w.eventually("writes have failed", 5*time.Second, func() bool { return len(w.Writes()) >= 4 })
	time.Sleep(50 * time.Millisecond) // floaty has received the last answer
}

// many returns so many addresses that several timers are due when floaty continues.
func many() []netip.Addr {
	var addrs []netip.Addr
	for i := range 20 {
		addrs = append(addrs, netip.AddrFrom4([4]byte{203, 0, 113, byte(i + 1)}))
	}
	return addrs
}

// Lines that are in the FIFO when floaty continues are handled before anything is written, on both clouds.
func TestAfterAStandstillADemotedHostWritesNothing(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) *env{
		"cloudscale.ch": func(t *testing.T) *env { t.Helper(); return newEnv(t, many()...) },
		"Exoscale":      newExoscale,
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.start()
			for range 8 { // without the fence, a write comes first in some of them
				w.backOff()
				resume := w.pause()
				w.says("BACKUP")
				w.Cloud.ClearFaults()
				time.Sleep(400 * time.Millisecond) // the back-off is over
				w.Cloud.ForgetCalls()
				resume()
				w.never("written as a BACKUP", 200*time.Millisecond, func() bool { return len(w.Writes()) > 0 })
			}
		})
	}
}

// The same if Keepalived was killed in the meantime, and no process has the FIFO open for writing any more.
func TestAfterAStandstillAHostWithoutKeepalivedWritesNothing(t *testing.T) {
	w := newEnv(t, many()...)
	w.start()
	w.backOff()
	resume := w.pause()
	w.CloseFIFO()
	w.Cloud.ClearFaults()
	time.Sleep(1300 * time.Millisecond)
	w.Cloud.ForgetCalls()
	resume()
	w.never("written without Keepalived", time.Second, func() bool { return len(w.Writes()) > 0 })
}

// The same with an engine that a reload has built: it must check the same FIFO.
func TestAfterAReloadAndAStandstillADemotedHostWritesNothing(t *testing.T) {
	w := newEnv(t, many()...)
	w.start()
	w.must(w.Configure("floaty.yml", w.with("refresh-interval: 2s", "refresh-interval: 3s")))
	w.eventually("the edit is in force", 3*time.Second, func() bool { return w.logged("configuration changed") == 1 })
	w.backOff()
	resume := w.pause()
	w.says("BACKUP")
	w.Cloud.ClearFaults()
	time.Sleep(1300 * time.Millisecond)
	w.Cloud.ForgetCalls()
	resume()
	w.never("written as a BACKUP", time.Second, func() bool { return len(w.Writes()) > 0 })
}

// Keepalived stood still as well and writes nothing, while another host has taken the address.
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
			time.Sleep(1500 * time.Millisecond) // floaty's heart beats at least once
			resume := w.pause()
			w.Cloud.Move(one, stranger)
			time.Sleep(3 * time.Second)
			w.Cloud.ForgetCalls()
			resume()
			moves := func() bool { return len(w.Writes()) > 0 || w.logged("would be assigned") > 0 }
			w.never("written before Keepalived could notice", 3*time.Second, moves)
			if n := w.loggedInTotal("stood still"); n != 1 {
				t.Errorf("got %d lines about the standstill, want one", n)
			}
			w.eventually("floaty goes on if it is still MASTER", 2*interval+2*time.Second, moves)
		})
	}
}

// A line ends the wait: it shows that Keepalived has caught up.
func TestAfterAStandstillALineResumesAMaster(t *testing.T) {
	w := newEnv(t, one)
	w.must(w.Configure("keepalived.conf", strings.Replace(w.Keepalived(100, "", one), "advert_int 0.2", "advert_int 1", 1)))
	w.start()
	w.says("MASTER")
	w.holds(3*time.Second, one)
	time.Sleep(1500 * time.Millisecond)
	resume := w.pause()
	w.Cloud.Move(one, stranger)
	time.Sleep(3 * time.Second)
	resume()
	w.eventually("the standstill is logged", time.Second, func() bool { return w.logged("stood still") == 1 })
	w.says("MASTER_RX_LOWER_PRI")
	w.holds(time.Second, one)
}

// A holder (floaty as a notify script) receives no lines. After a standstill it waits until Keepalived would have noticed a loss and
// ended the holder.
func TestAfterAStandstillAHolderWaitsForKeepalived(t *testing.T) {
	w := newEnv(t, one)
	w.must(w.Configure("keepalived.conf", strings.Replace(w.Keepalived(100, "", one), "advert_int 0.2", "advert_int 1", 1)))
	w.holder()
	w.holds(3*time.Second, one)
	time.Sleep(3 * time.Second) // so that the MASTER event counts as old
	resume := w.pause()
	w.Cloud.Move(one, stranger)
	time.Sleep(3 * time.Second)
	w.Cloud.ForgetCalls()
	resume()
	w.never("written before Keepalived could notice", 3*time.Second, func() bool { return len(w.Writes()) > 0 })
	if n := w.loggedInTotal("stood still"); n != 1 {
		t.Errorf("got %d lines about the standstill, want one", n)
	}
	w.holds(2*interval+3*time.Second, one)
}
