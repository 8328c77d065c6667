package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"floaty/providers/simulator"
)

// newExoscale creates an environment at Exoscale, where operations take 300 ms.
func newExoscale(t *testing.T) *env {
	t.Helper()
	w := newEnv(t)
	w.Cloud.SetOperationTime(300 * time.Millisecond)
	w.exoscale = true
	w.configure(w.a, 150, "")
	w.configure(w.b, 100, "")
	return w
}

// neverBare checks that no address has been without a holder since it first had one.
func (w *env) neverBare() {
	w.Helper()
	for _, addr := range addrs {
		had := false
		for _, change := range w.Cloud.History(addr) {
			if had && len(change.Holders) == 0 {
				w.Errorf("%v had no holder at %v", addr, change.At)
			}
			had = had || len(change.Holders) > 0
		}
	}
}

func TestOnExoscaleThreeHoldersBecomeOne(t *testing.T) {
	w := newExoscale(t)
	stranger := "99999999-9999-4999-8999-999999999999"
	w.Cloud.AddServer(stranger, "stranger")
	for _, addr := range addrs {
		w.Cloud.Move(addr, stranger, w.a.UUID, w.b.UUID)
	}
	w.startBoth()
	w.neverBare()
	w.Cloud.Move(addrs[0], w.a.UUID, stranger) // somebody attaches another server
	w.at(w.a, interval*12/10+2*time.Second)
	w.neverBare()
}

// Until the dead host is detached, it receives a share of the traffic.
func TestOnExoscaleADeadHostDoesNotStayAttached(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(*env){
		"operations cannot be queried": func(w *env) {
			w.Cloud.Fail(simulator.Fault{Path: "/v2/operation/", Kind: simulator.Status, Status: http.StatusForbidden})
		},
		"operations outlive refresh-timeout": func(w *env) { w.Cloud.SetOperationTime(interval + time.Second) },
		"operations stay pending although they take effect": func(w *env) {
			w.Cloud.Fail(simulator.Fault{Kind: simulator.OperationUnfinished})
		},
		"a second attachment fails": func(w *env) {
			w.Cloud.SetAttachFailure(true)
			w.attachBoth()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newExoscale(t)
			w.must(w.b.Configure("floaty.yml", w.b.FloatyAtExoscale()+"refresh-timeout: 2s\n"))
			w.startBoth()
			w.a.KillFloaty()
			arrange(w)
			w.a.KillKeepalived()
			w.at(w.b, 30*time.Second)
			w.neverBare()
		})
	}
}

// attachBoth attaches the addresses to both hosts, as an interrupted takeover does.
func (w *env) attachBoth() {
	for _, addr := range addrs {
		w.Cloud.Move(addr, w.a.UUID, w.b.UUID)
	}
}

// If both hosts are attached, the new MASTER only needs to detach the dead one. Attaching itself again would cost an operation before that.
func TestOnExoscaleAnAttachedHostOnlyDetachesTheDeadOne(t *testing.T) {
	w := newExoscale(t)
	w.startBoth()
	w.a.KillFloaty()
	w.attachBoth()
	w.Cloud.ForgetCalls()
	w.eventually("the standby has read the targets", 3*interval, func() bool {
		lists := 0
		for _, call := range w.Cloud.Calls() {
			if strings.HasPrefix(call.Remote, w.b.Addr+":") && call.Path == "/v2/elastic-ip" && call.Status == http.StatusOK {
				lists++
			}
		}
		return lists > 1 // the first list may have begun before the change
	})
	w.a.KillKeepalived()
	w.at(w.b, 15*time.Second)
	w.neverBare()
	for _, call := range w.Cloud.Calls() {
		if call.Method == http.MethodPut && call.Server == w.b.UUID {
			t.Errorf("got %s of %s, which was attached already, want only detachments", call.Path, call.Server)
		}
	}
}
