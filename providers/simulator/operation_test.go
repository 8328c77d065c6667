package simulator_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	v3 "github.com/exoscale/egoscale/v3"

	"floaty/providers/simulator"
)

func TestOperationTakesItsTime(t *testing.T) {
	t.Parallel()
	const takes = 60 * time.Millisecond
	w, client := newExoscale(t)
	w.SetOperationTime(takes)
	begun := time.Now()
	attaching := w.starts(w.attach(client, addr4, lb2))
	detaching := w.starts(w.detach(client, addr4, lb1))
	if now := w.Holders(addr4); time.Since(begun) < takes && (len(now) != 1 || now[0] != lb1) {
		t.Errorf("got holders %q, want no change yet", now)
	}
	if attaching.ID == detaching.ID || attaching.Reference.Command != "get-elastic-ip" {
		t.Errorf("got %+v and %+v, want two operations", attaching, detaching)
	}
	for _, started := range []v3.Operation{attaching, detaching} {
		if got := w.ends(client, started); got.State != "success" || got.Reason != "" || got.Message != "" || got.ID != started.ID {
			t.Errorf("got %+v, want success", got)
		}
	}
	if took := time.Since(begun); took < takes {
		t.Errorf("got the end after %v, want it after %v", took, takes)
	}
	w.wantHolders(addr4, lb2)
	if got := w.History(addr4); len(got) != 3 || got[1].At.Sub(begun) < takes {
		t.Errorf("got history %+v, want the effect after %v", got, takes)
	}
}

// Once an operation has succeeded, its effect is visible too, and vice versa, even if no request came at the time when it was due.
func TestOperationTakesEffectAtItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := simulator.New()
		cloud.AddServer(lb1, "lb1")
		cloud.AddServer(lb2, "lb2")
		cloud.AddAddress(prefix, lb1)
		begun := time.Now()
		for i, test := range []struct {
			command, server string
			takes           time.Duration
		}{
			{"attach", lb2, 5 * time.Second},
			{"detach", lb1, 2 * time.Second}, // ends before the attach
			{"detach", lb2, 9 * time.Second}, // refused, because lb2 is not attached yet
		} {
			cloud.SetOperationTime(test.takes)
			path := elasticIPs + "/" + simulator.ElasticIPID(prefix.Addr()) + ":" + test.command
			got := httptest.NewRecorder() // synctest's fake time needs a server without a network
			cloud.Handler().ServeHTTP(got, httptest.NewRequest(http.MethodPut, path, strings.NewReader(`{"instance":{"id":"`+test.server+`"}}`)))
			if want := []int{200, 200, 404}[i]; got.Code != want {
				t.Errorf("%s: got %d, want %d", test.command, got.Code, want)
			}
		}
		time.Sleep(2*time.Second - 1)
		if got := cloud.Holders(prefix.Addr()); len(got) != 1 || got[0] != lb1 {
			t.Errorf("got holders %q before the first operation is due, want lb1", got)
		}
		time.Sleep(time.Minute)
		got := cloud.History(prefix.Addr())
		want := []struct {
			after   time.Duration
			holders []string
		}{{0, []string{lb1}}, {2 * time.Second, nil}, {5 * time.Second, []string{lb2}}}
		if len(got) != len(want) {
			t.Fatalf("got history %+v, want %+v", got, want)
		}
		for i, change := range got {
			if change.At.Sub(begun) != want[i].after || !slices.Equal(change.Holders, want[i].holders) {
				t.Errorf("%d: got %q after %v, want %q after %v", i, change.Holders, change.At.Sub(begun), want[i].holders, want[i].after)
			}
		}
	})
}

func TestOperationCanFail(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault           simulator.Fault
		state           v3.OperationState
		reason, message string
	}{
		{simulator.Fault{Kind: simulator.OperationFailure}, "failure", "busy", "The elastic IP is busy."},
		{
			simulator.Fault{Kind: simulator.OperationFailure, Reason: "unavailable", Message: "no hypervisor"},
			"failure", "unavailable", "no hypervisor",
		},
		{simulator.Fault{Kind: simulator.OperationTimeout}, "timeout", "busy", "The elastic IP is busy."},
	} {
		for _, takes := range []time.Duration{0, 20 * time.Millisecond} {
			w, client := newExoscale(t)
			w.SetOperationTime(takes)
			test.fault.Times = 2
			w.Fail(test.fault)
			wantListed(w, client, []string{lb1}, v3.ListInstancesWithIPAddress("192.0.2.1")) // starts no operation, so it does not count
			for _, call := range []func(*v3.Client) (*v3.Operation, error){
				func(client *v3.Client) (*v3.Operation, error) { return w.attach(client, addr4, lb2) },
				func(client *v3.Client) (*v3.Operation, error) { return w.detach(client, addr4, lb1) },
			} {
				got := w.ends(client, w.starts(call(client)))
				if got.State != test.state || string(got.Reason) != test.reason || got.Message != test.message {
					t.Errorf("%v: got %+v, want %s: %s: %s", test.fault.Kind, got, test.state, test.reason, test.message)
				}
			}
			w.wantHolders(addr4, lb1)
			started, err := w.attach(client, addr4, lb2)
			if err != nil || w.ends(client, *started).State != "success" {
				t.Errorf("%v: got %+v, %v, want success, because the fault was for two operations", test.fault.Kind, started, err)
			}
			w.wantHolders(addr4, lb1, lb2)
		}
	}
}

func TestOperationStaysPendingUntilFaultsAreCleared(t *testing.T) {
	t.Parallel()
	w, client := newExoscale(t)
	w.Fail(simulator.Fault{Kind: simulator.OperationPending, Path: simulator.ElasticIPID(addr4)})
	stuck := w.starts(w.attach(client, addr4, lb2))
	w.starts(w.attach(client, addr6, lb1))
	if got, err := client.GetOperation(t.Context(), stuck.ID); err != nil || got.State != "pending" {
		t.Errorf("got %+v, %v, want it pending", got, err)
	}
	w.wantHolders(addr4, lb1)
	cleared := time.Now()
	w.ClearFaults()
	if got := w.ends(client, stuck); got.State != "success" {
		t.Errorf("got %+v, want success", got)
	}
	w.wantHolders(addr4, lb1, lb2)
	if got := w.History(addr4); got[len(got)-1].At.Before(cleared) {
		t.Errorf("got history %+v, want the effect from %v on", got, cleared)
	}
}

func TestBusyElasticIPRefusesChanges(t *testing.T) {
	t.Parallel()
	w, client := newExoscale(t)
	w.Fail(simulator.Fault{Kind: simulator.OperationPending, Times: 2})
	w.starts(w.attach(client, addr4, lb2))
	w.starts(w.attach(client, addr4, lb2)) // allowed until SetBusy
	w.SetBusy(true)
	_, attach := w.attach(client, addr4, lb2)
	_, detach := w.detach(client, addr4, lb1)
	for _, err := range []error{attach, detach} {
		var said *v3.APIError
		if !errors.Is(err, v3.ErrConflict) || !errors.As(err, &said) || said.Message != "busy" {
			t.Errorf("got %v, want %v: busy", err, v3.ErrConflict)
		}
	}
	w.starts(w.attach(client, addr6, lb1)) // another elastic IP
	w.ClearFaults()
	w.wantHolders(addr4, lb1, lb2)
	w.starts(w.detach(client, addr4, lb1))
	w.wantHolders(addr4, lb2)
}

func TestOperationFailsIfItsInstanceOrElasticIPIsRemoved(t *testing.T) {
	t.Parallel()
	for what, remove := range map[string]func(*env){
		"the instance":   func(w *env) { w.RemoveServer(lb2) },
		"the elastic IP": func(w *env) { w.RemoveAddress(addr4) },
	} {
		w, client := newExoscale(t)
		w.Fail(simulator.Fault{Kind: simulator.OperationPending})
		stuck := w.starts(w.attach(client, addr4, lb2))
		remove(w)
		w.ClearFaults()
		if got := w.ends(client, stuck); got.State != "failure" || got.Reason != v3.OperationReasonNotFound || got.Message == "" {
			t.Errorf("%s: got %+v, want failure: not-found", what, got)
		}
		if got := w.Holders(addr4); slices.Equal(got, []string{lb1, lb2}) {
			t.Errorf("%s: got %q, want no effect", what, got)
		}
	}
}

func TestOperationWithALostAnswerTakesEffect(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	w.SetOperationTime(20 * time.Millisecond)
	w.Fail(simulator.Fault{Kind: simulator.LostAnswer, Method: http.MethodPut})
	if got, err := w.put(attachPath(addr4), lb2); err == nil {
		t.Errorf("got %+v, want no answer", got)
	}
	w.eventually("the effect", func() bool { return len(w.Holders(addr4)) == 2 })
}

func TestUnfinishedOperationTakesEffect(t *testing.T) {
	t.Parallel()
	w, client := newExoscale(t)
	w.Fail(simulator.Fault{Kind: simulator.OperationUnfinished, Times: 1})
	started := w.starts(w.attach(client, addr4, lb2))
	w.wantHolders(addr4, lb1, lb2)
	if got, err := client.GetOperation(t.Context(), started.ID); err != nil || got.State != v3.OperationStatePending {
		t.Errorf("got %+v, %v, want it pending", got, err)
	}
	w.ClearFaults()
	if got, err := client.GetOperation(t.Context(), started.ID); err != nil || got.State != v3.OperationStateSuccess {
		t.Errorf("got %+v, %v, want success", got, err)
	}
}

func TestSecondAttachmentCanFail(t *testing.T) {
	t.Parallel()
	w, client := newExoscale(t)
	w.SetAttachFailure(true)
	if got := w.ends(client, w.starts(w.attach(client, addr4, lb1))); got.State != v3.OperationStateFailure {
		t.Errorf("got %+v, want failure", got)
	}
	if got := w.ends(client, w.starts(w.attach(client, addr4, lb2))); got.State != v3.OperationStateSuccess {
		t.Errorf("got %+v for an instance that is not attached, want success", got)
	}
	w.wantHolders(addr4, lb1, lb2)
}
