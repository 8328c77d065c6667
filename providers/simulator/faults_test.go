package simulator_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"floaty/providers/simulator"
)

const list = "/v1/floating-ips"

func (w *env) wantStatus(want int, method, path string) {
	w.Helper()
	if got := w.call(method, path, `{"server": "`+lb1+`"}`).status; got != want {
		w.Errorf("%s %s: got %d, want %d", method, path, got, want)
	}
}

func TestFaultMatchesMethodAndPath(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	w.SetMetadata(nil, lb1)
	w.Fail(simulator.Fault{Method: http.MethodPatch, Path: "192.0.2.1", Status: 409})
	w.wantStatus(409, http.MethodPatch, list+"/192.0.2.1")
	w.wantStatus(204, http.MethodPatch, list+"/2001:db8::1")
	w.wantStatus(200, http.MethodGet, list+"/192.0.2.1")
	w.wantStatus(200, http.MethodGet, list)
	w.wantStatus(200, http.MethodGet, "/openstack/latest/meta_data.json")

	w.Fail(simulator.Fault{})
	w.wantStatus(409, http.MethodPatch, list+"/192.0.2.1") // the first matching fault applies
	w.wantStatus(500, http.MethodGet, list)
	w.wantStatus(500, http.MethodGet, "/openstack/latest/meta_data.json")
	w.wantStatus(200, http.MethodGet, "/sim/state") // the control API is exempt, or the fault could never be ended

	w.ClearFaults()
	w.wantStatus(204, http.MethodPatch, list+"/192.0.2.1")
}

func TestFaultIsAppliedBeforeTheToken(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	w.SetToken("s3cr3t")
	w.Fail(simulator.Fault{Status: 503, Times: 1})
	w.wantStatus(503, http.MethodGet, list)
	w.wantStatus(401, http.MethodGet, list)
}

func TestFaultEndsAfterItsRequests(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	w.Fail(simulator.Fault{Method: http.MethodGet, Status: 500, Times: 2})
	w.Fail(simulator.Fault{Method: http.MethodGet, Status: 502, Times: 1})
	w.wantStatus(204, http.MethodPatch, list+"/192.0.2.1") // does not match, so it does not count
	for _, want := range []int{500, 500, 502, 200} {
		w.wantStatus(want, http.MethodGet, list)
	}
}

func TestFaultEndsAfterItsTime(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	w.Fail(simulator.Fault{Status: 500, For: time.Hour})
	w.wantStatus(500, http.MethodGet, list)
	w.ClearFaults()

	const lasts = 50 * time.Millisecond
	begun := time.Now()
	w.Fail(simulator.Fault{Status: 500, For: lasts})
	w.eventually("the fault ends", func() bool { return w.call(http.MethodGet, list, "").status == 200 })
	if took := time.Since(begun); took < lasts {
		t.Errorf("the fault ended after %v, want at least %v", took, lasts)
	}
}

func TestKindsHaveNames(t *testing.T) {
	t.Parallel()
	for kind, want := range map[simulator.Kind]string{
		simulator.Status: "status", simulator.Hang: "hang", simulator.Reset: "reset", simulator.BrokenJSON: "broken-json",
		simulator.SlowBody: "slow-body", simulator.HTML: "html", simulator.LostAnswer: "lost-answer",
		simulator.OperationFailure: "operation-failure", simulator.OperationTimeout: "operation-timeout",
		simulator.OperationPending: "operation-pending", simulator.OperationUnfinished: "operation-unfinished",
	} {
		if got := fmt.Sprint(kind); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		var back simulator.Kind
		if err := back.UnmarshalText([]byte(want)); err != nil || back != kind {
			t.Errorf("got %q read as %v, %v, want %v", want, back, err, kind)
		}
	}
	if got, want := fmt.Sprint(simulator.Kind(99)), "Kind(99)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
