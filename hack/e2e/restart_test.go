package e2e_test

import (
	"testing"
	"time"
)

// restarted starts both hosts, kills floaty on a, calls meanwhile, and starts floaty on a again.
func restarted(t *testing.T, meanwhile func(w *env)) *env {
	t.Helper()
	w := newEnv(t)
	w.startBoth()
	w.saved(w.a)
	w.a.KillFloaty()
	meanwhile(w)
	w.must(w.a.StartFloaty())
	w.Cloud.ForgetCalls()
	return w
}

func TestADaemonThatIsKilledWhileMasterContinuesAfterARestart(t *testing.T) {
	w := restarted(t, func(*env) {})
	w.steal()
	w.at(w.a, interval*12/10+time.Second) // without a new line from Keepalived
}

func TestABackupLineWrittenWhileTheDaemonWasDownIsObeyed(t *testing.T) {
	w := restarted(t, func(w *env) {
		w.configure(w.a, 50, "")
		w.must(w.a.ReloadKeepalived()) // b now has the higher priority and takes over
		w.at(w.b, 10*time.Second)
	})
	w.writesNothing(w.a, 3*interval)
	w.at(w.b, time.Second)
}

func TestABackupLineLostWithTheFIFOsContentsIsNoticed(t *testing.T) {
	w := restarted(t, func(w *env) {
		w.configure(w.a, 50, "")
		w.must(w.a.ReloadKeepalived())
		w.at(w.b, 10*time.Second)
		w.must(w.a.ReloadKeepalived()) // Keepalived is the last to have the FIFO open, so its contents are lost
		time.Sleep(time.Second)
	})
	w.writesNothing(w.a, 3*interval)
	w.at(w.b, time.Second)
}

func TestAKeepalivedThatWasKilledMeanwhileIsNoticed(t *testing.T) {
	w := restarted(t, func(w *env) {
		w.a.KillKeepalived() // its addresses stay on the interface
		w.at(w.b, 10*time.Second)
	})
	w.writesNothing(w.a, 3*interval)
	w.must(w.a.StartKeepalived())
	w.at(w.a, 15*time.Second)
}
