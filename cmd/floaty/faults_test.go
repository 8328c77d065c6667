package main_test

import (
	"net/http"
	"testing"
	"time"

	"floaty/providers/simulator"
)

type faultCase struct {
	name   string
	fault  simulator.Fault
	single bool          // only requests about address one fail
	within time.Duration // until all addresses are in place
}

// faults returns what may go wrong with an API during a takeover. A back-off takes at most 1.2 s, and a refused address waits for an
// interval.
func faults() []faultCase {
	status := func(code, times int) simulator.Fault {
		return simulator.Fault{Method: http.MethodPatch, Path: one.String(), Kind: simulator.Status, Status: code, Times: times}
	}
	kind := func(kind simulator.Kind) simulator.Fault {
		return simulator.Fault{Method: http.MethodPatch, Path: one.String(), Kind: kind, Times: 2}
	}
	later := func(f simulator.Fault, after string) simulator.Fault {
		f.RetryAfter = after
		return f
	}
	return []faultCase{
		{"500", status(500, 3), true, 5 * time.Second},
		{"503", status(503, 3), true, 5 * time.Second},
		{"409", status(409, 3), true, 5 * time.Second},
		{"403", status(403, 1), true, 2 * interval},
		{"404", status(404, 1), true, 2 * interval},
		{"401", status(401, 2), false, 8 * time.Second},
		{"429 with Retry-After", later(status(429, 1), "2"), false, 5 * time.Second},
		{"an HTML page", kind(simulator.HTML), true, 5 * time.Second},
		{"broken JSON", kind(simulator.BrokenJSON), true, 5 * time.Second},
		{"a reset", kind(simulator.Reset), true, 5 * time.Second},
		{"no answer", simulator.Fault{Method: http.MethodPatch, Path: one.String(), Kind: simulator.Hang, Times: 1}, true, 15 * time.Second},
	}
}

func TestAnOutageAtTheStart(t *testing.T) {
	w := newEnv(t, one, two)
	w.Cloud.Fail(simulator.Fault{Kind: simulator.Status, Status: 500, For: 15 * time.Second})
	w.start()
	w.says("MASTER")
	w.holds(20*time.Second, one, two)
	if n := w.loggedInTotal("failed"); n > 8 {
		t.Errorf("got %d lines about failures, want at most 8: the first and the reminders for each thing that fails", n)
	}
}

func TestNoCallIsMadeDuringRetryAfter(t *testing.T) {
	w := newEnv(t, one, two)
	w.start()
	w.Cloud.Fail(simulator.Fault{Kind: simulator.Status, Status: 429, RetryAfter: "4", Times: 1})
	w.says("MASTER")
	w.eventually("the cloud asks to wait", time.Second, func() bool { return w.logged("asks to wait") == 1 })
	time.Sleep(200 * time.Millisecond) // the calls in progress have ended
	w.Cloud.ForgetCalls()
	w.says("MASTER") // must not cause a call
	w.never("a call was made", 3500*time.Millisecond, func() bool { return len(w.Cloud.Calls()) > 0 })
	w.holds(3*time.Second, one, two)
}

func TestAWrongTokenIsProbedAndANewOneUsedAtOnce(t *testing.T) {
	w := newEnv(t, one, two)
	w.Cloud.SetToken("another")
	w.start()
	w.says("MASTER")
	w.never("the addresses moved", time.Second, func() bool { return w.here(one) })
	w.Cloud.ForgetCalls()
	time.Sleep(3 * time.Second)
	if n := len(w.Cloud.Calls()); n < 2 || n > 5 {
		t.Errorf("got %d calls in 3 s, want one probe per second", n)
	}
	w.must(w.Configure("floaty.yml", w.with("the-token-of-the-tests", "another")))
	w.holds(2*time.Second, one, two)
}
