package e2e_test

import (
	"strings"
	"testing"
	"time"
)

func TestTheFirstMasterTakesTheAddresses(t *testing.T) {
	w := newEnv(t)
	w.startBoth()
	if n := w.writesOf(w.b); n != 0 {
		t.Errorf("%d writes by the standby, want none", n)
	}
	time.Sleep(11 * time.Second) // until the verification 10 s after the writes
	w.Cloud.ForgetCalls()
	time.Sleep(3 * interval)
	if writes := w.Writes(); len(writes) != 0 {
		t.Errorf("got writes to %v with everything in place, want none", writes)
	}
	if calls := len(w.Cloud.Calls()); calls > 2*4 {
		t.Errorf("%d reads by two hosts in three intervals, want about one per host and interval", calls)
	}
}

func TestAHostThatCrashesAndReturnsBecomesMasterAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, w *env) {
		w.startBoth()
		w.a.KillKeepalived()
		w.a.KillFloaty()
		w.at(w.b, 10*time.Second)
		w.Cloud.ForgetCalls()
		w.writesNothing(w.a, interval)
		w.start(w.a)
		w.at(w.a, 15*time.Second)
		w.Cloud.ForgetCalls()
		w.writesNothing(w.b, 3*interval)
		w.at(w.a, time.Second)
	})
}

func TestStoppingKeepalivedMovesTheAddresses(t *testing.T) {
	onBoth(t, func(t *testing.T, w *env) {
		w.startBoth()
		w.Cloud.ForgetCalls()
		w.a.StopKeepalived()
		w.at(w.b, 10*time.Second)
		w.writesNothing(w.a, 3*interval)
	})
}

func TestKillingOnlyKeepalivedMovesTheAddresses(t *testing.T) {
	onBoth(t, func(t *testing.T, w *env) {
		w.startBoth()
		w.Cloud.ForgetCalls()
		w.a.KillKeepalived()
		w.at(w.b, 10*time.Second)
		w.writesNothing(w.a, 3*interval)
		w.must(w.a.StartKeepalived())
		w.at(w.a, 15*time.Second)
	})
}

func TestAfterKeepalivedsVRRPProcessIsKilledNothingIsWrittenUntilTheNewOneReports(t *testing.T) {
	onBoth(t, func(t *testing.T, w *env) {
		w.configure(w.a, 150, "    track_script {\n        slow\n    }")
		w.start(w.a)
		w.at(w.a, 20*time.Second)
		time.Sleep(12 * time.Second) // until the verification 10 s after the write: from now on only a refresh would lead to a write
		w.must(w.a.KillVRRP())
		time.Sleep(50 * time.Millisecond)
		w.steal()
		w.Cloud.ForgetCalls()
		w.writesNothing(w.a, 1500*time.Millisecond) // the script takes 2 s; until then the new process reports no state
		w.at(w.a, 15*time.Second)
	})
}

func TestAReloadOfKeepalivedKeepsMaster(t *testing.T) {
	t.Parallel()
	for _, maker := range []string{"floaty", "Keepalived", "floaty, at Exoscale"} {
		t.Run("the FIFO made by "+maker, func(t *testing.T) {
			create := newEnv
			if strings.HasSuffix(maker, "Exoscale") {
				create = newExoscale
			}
			w := create(t)
			if maker == "Keepalived" {
				w.must(w.a.StartKeepalived())
				w.eventually("Keepalived creates the FIFO", 5*time.Second, func() bool { return w.exists(w.a.FIFO) })
				w.must(w.a.StartFloaty())
			} else {
				w.start(w.a)
			}
			w.at(w.a, 15*time.Second)
			for range 3 {
				w.must(w.a.ReloadKeepalived())
				time.Sleep(time.Second)
				w.Cloud.ForgetCalls()
				w.steal()
				w.at(w.a, interval*12/10+time.Second)
				if n := w.writesOf(w.a); n > 4 {
					t.Errorf("%d writes to move one address back, want at most 4", n)
				}
			}
			w.start(w.b)
			w.Cloud.ForgetCalls()
			w.a.StopKeepalived()
			w.at(w.b, 10*time.Second)
			w.writesNothing(w.a, 2*interval)
		})
	}
}

func TestASplitBrainCausesFewWritesAndEndsForGood(t *testing.T) {
	onBoth(t, func(t *testing.T, w *env) {
		w.startBoth()
		w.must(w.a.Isolate(t.Context(), true))
		w.must(w.b.Isolate(t.Context(), true))
		w.eventually("the second host is MASTER as well", 10*time.Second, func() bool { return w.writesOf(w.b) > 0 })
		w.Cloud.ForgetCalls()
		time.Sleep(6 * interval)
		// Each host answers until it finds the address contested, then writes once per interval: two addresses, two hosts.
		most := 2 * 2 * (4 + 7)
		if w.exoscale {
			most *= 2 // an attach and a detach each
		}
		if n := len(w.Writes()); n < 4 || n > most {
			t.Errorf("%d writes in six intervals, want between 4 and %d", n, most)
		}
		if !w.said(w.a, "contested") || !w.said(w.a, "from="+w.b.Name) {
			t.Errorf("got the log\n%s\nwant it to say that the address is contested, and to name %s", w.a.Log(), w.b.Name)
		}
		w.must(w.a.Isolate(t.Context(), false))
		w.must(w.b.Isolate(t.Context(), false))
		w.at(w.a, 5*time.Second+interval)
		time.Sleep(2 * interval)
		w.Cloud.ForgetCalls()
		w.writesNothing(w.b, 3*interval)
		w.at(w.a, time.Second)
		if n := w.writesOf(w.a); n > 0 {
			t.Errorf("%d writes after the split brain has ended, want none", n)
		}
	})
}
