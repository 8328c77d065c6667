package e2e_test

import (
	"testing"
	"time"
)

// restarted plays until a is settled, kills its floaty, lets happen what happens meanwhile, and starts it again.
func restarted(t *testing.T, meanwhile func(w *env)) *env {
	t.Helper()
	w := newEnv(t)
	w.play()
	w.saved(w.a)
	w.a.KillFloaty()
	meanwhile(w)
	w.must(w.a.StartFloaty())
	w.Cloud.ForgetCalls()
	return w
}

func TestADaemonKilledBesideAMasterGoesOn(t *testing.T) {
	w := restarted(t, func(*env) {})
	w.steal()
	w.at(w.a, interval*12/10+time.Second) // without a new event
}

func TestABackupThatCameWhileTheDaemonWasDownCounts(t *testing.T) {
	w := restarted(t, func(w *env) {
		w.configure(w.a, 50, "")
		w.must(w.a.ReloadKeepalived()) // b is higher now, and takes over
		w.at(w.b, 10*time.Second)
	})
	w.silent(w.a, 3*interval)
	w.at(w.b, time.Second)
}

func TestABackupThatWasLostWithThePipeCounts(t *testing.T) {
	w := restarted(t, func(w *env) {
		w.configure(w.a, 50, "")
		w.must(w.a.ReloadKeepalived())
		w.at(w.b, 10*time.Second)
		w.must(w.a.ReloadKeepalived()) // as the last holder it empties the pipe
		time.Sleep(time.Second)
	})
	w.silent(w.a, 3*interval)
	w.at(w.b, time.Second)
}

func TestAKeepalivedThatWentMeanwhileCounts(t *testing.T) {
	w := restarted(t, func(w *env) {
		w.a.KillKeepalived() // its addresses stay on the interface
		w.at(w.b, 10*time.Second)
	})
	w.silent(w.a, 3*interval)
	w.must(w.a.StartKeepalived())
	w.at(w.a, 15*time.Second)
}
