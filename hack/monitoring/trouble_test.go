package monitoring_test

import (
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"floaty/providers/simulator"
)

// Each alert about one host fires when what it is about happens to a real floaty, and resolves where that takes no minutes. Those about who is
// MASTER, and that about a host that is down, are in the story of a failover.
func TestEachKindOfTroubleFiresItsAlert(t *testing.T) {
	const thief = "99999999-9999-4999-8999-999999999999"
	w := newWorld(t)
	w.Cloud.AddServer(thief, "thief")

	// The cloud fails from the start.
	w.Cloud.Fail(simulator.Fault{Status: http.StatusServiceUnavailable})
	w.start(w.a)
	w.say(w.a, "MASTER")
	w.firing("FloatyNotReady", true)
	w.firing("FloatyCloudFails", true)
	w.Cloud.ClearFaults()
	w.holds(`sum(floaty_address_in_place) == 2`)
	w.firing("FloatyNotReady", false)

	// It may be read, but not written.
	w.Cloud.Fail(simulator.Fault{Method: http.MethodPatch, Status: http.StatusForbidden})
	w.Cloud.Move(addrs[0], thief)
	w.firing("FloatyAddressNotInPlace", true)
	w.firing("FloatyCloudRefuses", true)
	w.Cloud.ClearFaults()
	w.firing("FloatyAddressNotInPlace", false)

	// It cannot be read for a while.
	w.Cloud.Fail(simulator.Fault{Method: http.MethodGet, Kind: simulator.Hang})
	w.firing("FloatyReadTooOld", true)
	w.firing("FloatyAddressNotVerified", true)
	w.Cloud.ClearFaults()
	w.firing("FloatyReadTooOld", false)
	w.firing("FloatyAddressNotVerified", false)

	// Somebody takes an address away, again and again.
	w.until("the address is contested", func() string {
		if slices.Equal(w.Cloud.Holders(addrs[0]), []string{w.a.UUID}) {
			w.Cloud.Move(addrs[0], thief)
		}
		if series, _, _ := w.query(`ALERTS{alertname="FloatyAddressContested", alertstate="firing"}`); series == 0 {
			return "FloatyAddressContested does not fire"
		}
		return ""
	})
	w.firing("FloatyAddressContested", false)

	// A typo in the configuration.
	w.must(w.a.Configure("floaty.yml", strings.Replace(w.configuration(w.a), "provider:", "provder:", 1)))
	w.firing("FloatyReloadFailed", true)
	w.must(w.a.Configure("floaty.yml", w.configuration(w.a)))
	w.firing("FloatyReloadFailed", false)

	// The process is stopped for two seconds; the length of the pause is what is tested, nothing is waited for.
	w.must(syscall.Kill(w.a.FloatyPID(), syscall.SIGSTOP))
	time.Sleep(2 * time.Second)
	w.must(syscall.Kill(w.a.FloatyPID(), syscall.SIGCONT))
	w.firing("FloatyStandstill", true)
}
