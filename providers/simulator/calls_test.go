package simulator_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"floaty/providers/simulator"
)

func TestCallsAreRecorded(t *testing.T) {
	t.Parallel()
	both(t, func(w *env) {
		w.SetMetadata(nil, lb1)
		begun := time.Now()
		w.call(http.MethodGet, list, "")
		w.call(http.MethodPatch, list+"/2001:DB8::1", `{"server": "`+lb1+`"}`)
		w.call(http.MethodPatch, list+"/192.0.2.99", `{"server": "`+stranger+`"}`)
		w.call(http.MethodPatch, list+"/nonsense", "nonsense")
		w.Fail(simulator.Fault{Status: 503, Times: 1})
		w.call(http.MethodGet, "/v1/servers/"+lb1, "")
		w.call(http.MethodGet, "/sim/state", "")
		w.call(http.MethodGet, "/openstack/latest/meta_data.json", "")
		ended := time.Now()

		want := []simulator.Call{
			{Method: "GET", Path: list, Status: 200},
			{Method: "PATCH", Path: list + "/2001:DB8::1", Address: addr6, Server: lb1, Status: 204},
			{Method: "PATCH", Path: list + "/192.0.2.99", Address: absent, Server: stranger, Status: 404},
			{Method: "PATCH", Path: list + "/nonsense", Status: 404},
			{Method: "GET", Path: "/v1/servers/" + lb1, Status: 503},
		}
		got := w.Calls()
		if len(got) != len(want) {
			w.Fatalf("got %d calls %+v, want %d", len(got), got, len(want))
		}
		last := begun
		for i, call := range got {
			if call.At.Before(last) || call.At.After(ended) {
				w.Errorf("%d: got %v, want it between %v and %v", i, call.At, last, ended)
			}
			last = call.At
			if !strings.HasPrefix(call.Remote, "127.0.0.1:") {
				w.Errorf("%d: got the remote address %q, want a port of 127.0.0.1", i, call.Remote)
			}
			call.At, call.Remote = time.Time{}, ""
			if call != want[i] {
				w.Errorf("%d: got %+v, want %+v", i, call, want[i])
			}
		}

		w.ForgetCalls()
		if got := w.Calls(); len(got) != 0 {
			w.Errorf("got calls %+v, want none", got)
		}
	})
}

func TestCallInProgressIsRecorded(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	w.Fail(simulator.Fault{Kind: simulator.Hang, Method: http.MethodPatch})
	done := make(chan struct{})
	go func() {
		defer close(done)
		if got, err := w.assign(addr4, lb2); err != nil || got.status != 204 {
			w.Errorf("got %+v, %v, want 204", got, err)
		}
	}()
	w.eventually("the call arrives", func() bool { return len(w.Calls()) == 1 })
	if got := w.Calls()[0]; got.Status != 0 || got.Address != addr4 || got.Server != lb2 {
		t.Errorf("got %+v, want its address and server, and no status yet", got)
	}
	w.ForgetCalls()
	w.ClearFaults()
	<-done
	if got := w.Calls(); len(got) != 0 {
		t.Errorf("got calls %+v, want none, because the call was forgotten while in progress", got)
	}
}

func TestOnCallIsCalledForEachFinishedCall(t *testing.T) {
	t.Parallel()
	both(t, func(w *env) {
		var mu sync.Mutex
		ended := map[int]int{} // calls by status
		w.OnCall(func(c simulator.Call) {
			mu.Lock()
			defer mu.Unlock()
			ended[c.Status]++
		})
		w.call(http.MethodGet, list, "")
		w.call(http.MethodGet, list+"/192.0.2.99", "")
		w.call(http.MethodGet, "/sim/state", "")
		w.Fail(simulator.Fault{Kind: simulator.LostAnswer})
		if _, err := w.try(w.Context(), http.MethodDelete, list, ""); err == nil {
			w.Error("got an answer, want it lost")
		}
		w.eventually("the calls end", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return ended[200] == 1 && ended[404] == 1 && ended[0] >= 1
		})
	})
}

func TestLatencyDelaysAnswerAndEffect(t *testing.T) {
	t.Parallel()
	const latency = 60 * time.Millisecond
	w := newEnv(t, false)
	w.SetLatency(latency)
	done := make(chan time.Duration, 1)
	begun := time.Now()
	go func() {
		if got, err := w.assign(addr4, lb2); err != nil || got.status != 204 {
			w.Errorf("got %+v, %v, want 204", got, err)
		}
		done <- time.Since(begun)
	}()
	w.eventually("the effect", func() bool { return w.Holders(addr4)[0] == lb2 })
	if took := time.Since(begun); took < latency {
		t.Errorf("got the effect after %v, want it after %v", took, latency)
	}
	if took := <-done; took < latency {
		t.Errorf("got the answer after %v, want it after %v", took, latency)
	}
	w.SetLatency(0)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := w.try(ctx, http.MethodGet, list, ""); err != nil {
		t.Errorf("got %v, want an answer", err)
	}
}

// Once the effect of a call is visible, so is its status: tests wait for the effect and then check the status.
func TestStatusAndEffectAppearTogether(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	for i, server := range []string{lb2, lb1, lb2, lb1, lb2, lb1, lb2, lb1} {
		done := make(chan error, 1)
		go func() {
			_, err := w.assign(addr4, server)
			done <- err
		}()
		w.eventually("the effect", func() bool { return w.Holders(addr4)[0] == server })
		if got := w.Calls()[i].Status; got != 204 {
			t.Errorf("call %d: got status %d with its effect, want 204", i, got)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
