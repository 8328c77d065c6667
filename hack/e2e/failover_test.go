package e2e_test

import (
	"strings"
	"testing"
	"time"
)

func TestTheFirstMasterTakesTheAddresses(t *testing.T) {
	w := newEnv(t)
	w.play()
	if n := w.writesOf(w.b); n != 0 {
		t.Errorf("%d writes by the standby, want none", n)
	}
	time.Sleep(11 * time.Second) // the looks after the writes
	w.Cloud.ForgetCalls()
	time.Sleep(3 * interval)
	if writes := w.Writes(); len(writes) != 0 {
		t.Errorf("writes while all is in place: %v", writes)
	}
	if calls := len(w.Cloud.Calls()); calls > 2*4 {
		t.Errorf("%d reads by two hosts in three intervals, want about one each an interval", calls)
	}
}

func TestAHostDiesAndReturns(t *testing.T) {
	onBoth(t, func(t *testing.T, w *env) {
		w.play()
		w.a.KillKeepalived()
		w.a.KillFloaty()
		w.at(w.b, 10*time.Second)
		w.Cloud.ForgetCalls()
		w.silent(w.a, interval)
		w.start(w.a)
		w.at(w.a, 15*time.Second)
		w.Cloud.ForgetCalls()
		w.silent(w.b, 3*interval)
		w.at(w.a, time.Second)
	})
}

func TestKeepalivedIsStoppedInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, w *env) {
		w.play()
		w.Cloud.ForgetCalls()
		w.a.StopKeepalived()
		w.at(w.b, 10*time.Second)
		w.silent(w.a, 3*interval)
	})
}

func TestKeepalivedAloneIsKilled(t *testing.T) {
	onBoth(t, func(t *testing.T, w *env) {
		w.play()
		w.Cloud.ForgetCalls()
		w.a.KillKeepalived()
		w.at(w.b, 10*time.Second)
		w.silent(w.a, 3*interval)
		w.must(w.a.StartKeepalived())
		w.at(w.a, 15*time.Second)
	})
}

func TestOnlyTheVRRPProcessIsKilled(t *testing.T) {
	onBoth(t, func(t *testing.T, w *env) {
		w.configure(w.a, 150, "    track_script {\n        slow\n    }")
		w.start(w.a)
		w.at(w.a, 20*time.Second)
		time.Sleep(12 * time.Second) // the looks after the write are over: nothing but a refresh would write
		w.must(w.a.KillVRRP())
		time.Sleep(50 * time.Millisecond)
		w.steal()
		w.Cloud.ForgetCalls()
		w.silent(w.a, 1500*time.Millisecond) // the script takes 2 s, and until then the new process says nothing
		w.at(w.a, 15*time.Second)
	})
}

func TestAReloadOfKeepalivedKeepsMaster(t *testing.T) {
	t.Parallel()
	for _, maker := range []string{"floaty", "Keepalived", "floaty, at Exoscale"} {
		t.Run("the FIFO made by "+maker, func(t *testing.T) {
			raise := newEnv
			if strings.HasSuffix(maker, "Exoscale") {
				raise = newExoscale
			}
			w := raise(t)
			if maker == "Keepalived" {
				w.must(w.a.StartKeepalived())
				w.eventually("Keepalived makes the FIFO", 5*time.Second, func() bool { return w.exists(w.a.FIFO) })
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
					t.Errorf("%d writes to put one address right, want few", n)
				}
			}
			w.start(w.b)
			w.Cloud.ForgetCalls()
			w.a.StopKeepalived()
			w.at(w.b, 10*time.Second)
			w.silent(w.a, 2*interval)
		})
	}
}

func TestASplitBrainIsBoundedAndHealsForGood(t *testing.T) {
	onBoth(t, func(t *testing.T, w *env) {
		w.play()
		w.must(w.a.Isolate(t.Context(), true))
		w.must(w.b.Isolate(t.Context(), true))
		w.eventually("the second host is master as well", 10*time.Second, func() bool { return w.writesOf(w.b) > 0 })
		w.Cloud.ForgetCalls()
		time.Sleep(6 * interval)
		// Each host answers until it finds the address contested, then writes once per interval: two addresses, two hosts.
		most := 2 * 2 * (4 + 7)
		if w.exoscale {
			most *= 2 // to attach and to detach
		}
		if n := len(w.Writes()); n < 4 || n > most {
			t.Errorf("%d writes in six intervals, want between 4 and %d", n, most)
		}
		if !w.said(w.a, "contested") || !w.said(w.a, "from="+w.b.Name) {
			t.Error("the first host does not name its rival")
		}
		w.must(w.a.Isolate(t.Context(), false))
		w.must(w.b.Isolate(t.Context(), false))
		w.at(w.a, 5*time.Second+interval)
		time.Sleep(2 * interval)
		w.Cloud.ForgetCalls()
		w.silent(w.b, 3*interval)
		w.at(w.a, time.Second)
		if n := w.writesOf(w.a); n > 0 {
			t.Errorf("%d writes after healing, want none", n)
		}
	})
}
