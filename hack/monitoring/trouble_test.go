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

// The test causes each kind of problem on a real floaty and checks that its alert fires, and also that it resolves if that takes only
// seconds. The failover test covers the alerts about MASTER and about a host that is down; only promtool tests FloatyAbsent.
func TestEachKindOfProblemFiresItsAlert(t *testing.T) {
	const thief = "99999999-9999-4999-8999-999999999999"
	e := newEnv(t)
	e.Cloud.AddServer(thief, "thief")

	// The cloud fails from the start.
	e.Cloud.Fail(simulator.Fault{Status: http.StatusServiceUnavailable})
	e.start(e.a)
	e.say(e.a, "MASTER")
	e.firing("FloatyNotReady", true)
	e.firing("FloatyCloudFails", true)
	e.Cloud.ClearFaults()
	e.holds(`sum(floaty_address_in_place) == 2`)
	e.firing("FloatyNotReady", false)

	// The cloud refuses writes.
	e.Cloud.Fail(simulator.Fault{Method: http.MethodPatch, Status: http.StatusForbidden})
	e.Cloud.Move(addrs[0], thief)
	e.firing("FloatyAddressNotInPlace", true)
	e.firing("FloatyCloudRefuses", true)
	e.Cloud.ClearFaults()
	e.firing("FloatyAddressNotInPlace", false)

	// The cloud does not answer reads.
	e.Cloud.Fail(simulator.Fault{Method: http.MethodGet, Kind: simulator.Hang})
	e.firing("FloatyReadTooOld", true)
	e.firing("FloatyAddressNotVerified", true)
	e.Cloud.ClearFaults()
	e.firing("FloatyReadTooOld", false)
	e.firing("FloatyAddressNotVerified", false)

	// Another host takes an address away again and again.
	e.until("the address is contested", func() string {
		if slices.Equal(e.Cloud.Holders(addrs[0]), []string{e.a.UUID}) {
			e.Cloud.Move(addrs[0], thief)
		}
		if series, _, _ := e.query(`ALERTS{alertname="FloatyAddressContested", alertstate="firing"}`); series == 0 {
			return "FloatyAddressContested does not fire"
		}
		return ""
	})
	e.firing("FloatyAddressContested", false)

	// A typo in the configuration.
	e.must(e.a.Configure("floaty.yml", strings.Replace(e.configuration(e.a), "provider:", "provder:", 1)))
	e.firing("FloatyReloadFailed", true)
	e.must(e.a.Configure("floaty.yml", e.configuration(e.a)))
	e.firing("FloatyReloadFailed", false)

	// The process is stopped for two seconds. The pause itself is what is tested.
	e.must(syscall.Kill(e.a.FloatyPID(), syscall.SIGSTOP))
	time.Sleep(2 * time.Second)
	e.must(syscall.Kill(e.a.FloatyPID(), syscall.SIGCONT))
	e.firing("FloatyStandstill", true)
}
