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

// neverBare checks that no address was without a holder since it had one.
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
	w.play()
	w.neverBare()
	w.Cloud.Move(addrs[0], w.a.UUID, stranger) // somebody attaches another one
	w.at(w.a, interval*12/10+2*time.Second)
	w.neverBare()
}

// Until the dead host is detached, a share of the traffic goes to it.
func TestOnExoscaleADeadHostDoesNotStayAttached(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(*env){
		"operations cannot be asked for": func(w *env) {
			w.Cloud.Fail(simulator.Fault{Path: "/v2/operation/", Kind: simulator.Status, Status: http.StatusForbidden})
		},
		"operations outlive refresh-timeout": func(w *env) { w.Cloud.SetOperationTime(interval + time.Second) },
		"operations seem to hang": func(w *env) {
			w.Cloud.Fail(simulator.Fault{Kind: simulator.OperationUnfinished})
		},
		"a second attachment fails": func(w *env) {
			w.Cloud.SetAttachFailure(true)
			w.pair()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newExoscale(t)
			w.must(w.b.Configure("floaty.yml", w.b.FloatyAtExoscale()+"refresh-timeout: 2s\n"))
			w.play()
			w.a.KillFloaty()
			arrange(w)
			w.a.KillKeepalived()
			w.at(w.b, 30*time.Second)
			w.neverBare()
		})
	}
}

// pair attaches both hosts, as a takeover does that is cut off.
func (w *env) pair() {
	for _, addr := range addrs {
		w.Cloud.Move(addr, w.a.UUID, w.b.UUID)
	}
}

// The new master has only to detach the dead one: to attach itself once more would cost an operation before that.
func TestOnExoscaleAPairIsLeftByTheDetachment(t *testing.T) {
	w := newExoscale(t)
	w.play()
	w.a.KillFloaty()
	w.pair()
	w.Cloud.ForgetCalls()
	w.eventually("the standby has read it", 3*interval, func() bool {
		lists := 0
		for _, call := range w.Cloud.Calls() {
			if strings.HasPrefix(call.Remote, w.b.Addr+":") && call.Path == "/v2/elastic-ip" && call.Status == http.StatusOK {
				lists++
			}
		}
		return lists > 1 // the first one may have begun before
	})
	w.a.KillKeepalived()
	w.at(w.b, 15*time.Second)
	w.neverBare()
	for _, call := range w.Cloud.Calls() {
		if call.Method == http.MethodPut && call.Server == w.b.UUID {
			t.Errorf("got %s of %s, which was attached, want detachments alone", call.Path, call.Server)
		}
	}
}
