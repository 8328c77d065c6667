package exoscale_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"floaty/providers/exoscale"
	"floaty/providers/providertest"
	"floaty/providers/simulator"
)

// changes returns the changing requests in order, as "attach ID" or "detach ID".
func (w *env) changes() []string {
	var list []string
	for _, call := range w.Calls() {
		if _, command, ok := strings.Cut(call.Path, ":"); ok && call.Method == http.MethodPut {
			list = append(list, command+" "+call.Server)
		}
	}
	return list
}

func (w *env) changed(want ...string) {
	w.Helper()
	if got := w.changes(); !slices.Equal(got, want) {
		w.Errorf("got the changes %q, want %q", got, want)
	}
}

// insist calls Assign with a time limit for each call, as a controller does, until it succeeds.
func (w *env) insist(limit time.Duration, seen ...string) {
	w.Helper()
	eventually(w.T, func() bool {
		ctx, cancel := context.WithTimeout(w.Context(), limit)
		defer cancel()
		return w.Assign(ctx, addr, here, seen) == nil
	})
}

// An interrupted takeover leaves two holders. Until the detachment takes effect, the dead host receives a share of the traffic.
func TestWithASecondHolderTheDetachmentComesFirst(t *testing.T) {
	w := newEnv(t)
	w.put(addr, elsewhere, here)
	w.read(addr)
	w.SetOperationTime(300 * time.Millisecond)
	w.SetLatency(50 * time.Millisecond)
	w.ForgetCalls()
	begun := time.Now()
	w.assign(addr, elsewhere, here)
	w.heldBy(addr, here)
	w.changed("detach " + elsewhere)
	for _, call := range w.Calls() {
		if took := call.At.Sub(begun); call.Method == http.MethodPut && took > 600*time.Millisecond {
			t.Errorf("got the detachment after %v, want it within 600 ms", took)
		}
	}
}

func TestAnOutdatedReadingDetachesNoInstanceTooEarly(t *testing.T) {
	w := newEnv(t) // elsewhere is the only holder
	w.assign(addr, elsewhere, here)
	w.heldBy(addr, here)
	w.neverBare(addr)
	w.changed("attach "+here, "detach "+elsewhere)
}

func TestTakeoverAttachesBeforeAnyRead(t *testing.T) {
	w := newEnv(t)
	w.read(addr)
	w.ForgetCalls()
	w.Fail(simulator.Fault{Method: http.MethodGet, Path: "/v2/instance/", Kind: simulator.Hang})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- w.Assign(ctx, addr, here, []string{elsewhere}) }()
	eventually(t, func() bool { return w.writes() > 0 })
	w.changed("attach " + here)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestSecondTakeoverDoesNotQueryThisInstance(t *testing.T) {
	w := newEnv(t)
	w.assign(addr, elsewhere)
	w.Move(addr, elsewhere)
	w.ForgetCalls()
	w.assign(addr, elsewhere)
	w.heldBy(addr, here)
	if n := w.count("GET /v2/instance/" + here); n != 0 {
		t.Errorf("got the calls %q, want no query of this instance", w.calls())
	}
}

func TestOperationThatCannotBeQueriedIsProvedByAReading(t *testing.T) {
	for _, status := range []int{http.StatusForbidden, http.StatusNotFound} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			var log providertest.Log
			w := newEnv(t, func(o *exoscale.Options) { o.Log = log.Logger() })
			w.SetOperationTime(300 * time.Millisecond)
			w.Fail(simulator.Fault{Path: "/v2/operation/", Kind: simulator.Status, Status: status})
			for range 2 {
				w.ForgetCalls()
				w.put(addr, elsewhere)
				w.assign(addr, elsewhere)
				w.heldBy(addr, here)
				w.neverBare(addr)
				w.changed("attach "+here, "detach "+elsewhere)
			}
			if lines := log.Lines(""); len(lines) != 1 || !strings.Contains(lines[0], "get-operation") {
				t.Errorf("got the lines %q, want one that names the missing right", lines)
			}
			w.ClearFaults()
			w.put(addr, elsewhere)
			w.assign(addr, elsewhere)
			if lines := log.Lines(""); len(lines) != 2 || !strings.Contains(lines[1], "can be queried again") {
				t.Errorf("got the lines %q, want a second one that queries work again", lines)
			}
		})
	}
}

func TestFailedAttachmentDoesNotMatterIfAlreadyAttached(t *testing.T) {
	for _, seen := range [][]string{nil, {elsewhere}} { // neither includes this instance, although it is attached
		t.Run(fmt.Sprint(len(seen), " seen"), func(t *testing.T) {
			w := newEnv(t)
			w.put(addr, elsewhere, here)
			w.SetAttachFailure(true)
			w.assign(addr, seen...)
			w.heldBy(addr, here)
			w.changed("attach "+here, "detach "+elsewhere)
		})
	}
}

func TestOperationThatOutlivesACallIsContinued(t *testing.T) {
	w := newEnv(t)
	w.SetOperationTime(800 * time.Millisecond)
	w.SetBusy(true) // a second changing request would be refused
	w.insist(300*time.Millisecond, elsewhere)
	w.heldBy(addr, here)
	w.neverBare(addr)
	w.changed("attach "+here, "detach "+elsewhere)
}

// A call that runs into its deadline is no evidence that the operation has failed.
func TestOperationIsContinuedEvenIfItWasNotQueriedInTime(t *testing.T) {
	w := newEnv(t)
	w.SetOperationTime(2 * time.Second)
	w.SetBusy(true)
	assign := func() {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := w.Assign(ctx, addr, here, []string{elsewhere}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
	}
	assign()
	w.Fail(simulator.Fault{Path: "/v2/operation/", Kind: simulator.Hang})
	assign()
	w.ClearFaults()
	w.insist(5*time.Second, elsewhere)
	w.heldBy(addr, here)
	w.changed("attach "+here, "detach "+elsewhere)
}

func TestOperationThatStaysPendingIsProvedByAReading(t *testing.T) {
	t.Run("by the next call", func(t *testing.T) {
		w := newEnv(t)
		w.Fail(simulator.Fault{Kind: simulator.OperationUnfinished})
		w.insist(300*time.Millisecond, elsewhere)
		w.heldBy(addr, here)
		w.changed("attach "+here, "detach "+elsewhere)
	})
	t.Run("by a call that has the time", func(t *testing.T) {
		w := newEnv(t)
		w.Fail(simulator.Fault{Kind: simulator.OperationUnfinished, Path: ":attach"})
		w.assign(addr, elsewhere)
		w.heldBy(addr, here)
		w.changed("attach "+here, "detach "+elsewhere)
	})
}

// A takeover was interrupted; then the other host took the address back and died. That our old operation succeeded no longer counts.
func TestSuccessOfAnOldOperationIsNoProof(t *testing.T) {
	w := newEnv(t)
	w.Fail(simulator.Fault{Kind: simulator.OperationPending, Times: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := w.Assign(ctx, addr, here, []string{elsewhere}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
	w.ClearFaults() // the operation succeeds
	w.heldBy(addr, here, elsewhere)
	w.Move(addr, elsewhere)
	w.ForgetCalls()
	w.assign(addr, elsewhere)
	w.heldBy(addr, here)
	w.neverBare(addr)
	w.changed("attach "+here, "detach "+elsewhere)
}

func TestManagedAddressInPlaceIsLeftAlone(t *testing.T) {
	w := newEnv(t)
	w.put(addr, elsewhere, here)
	w.SetManaged(addr, true)
	w.assign(addr, elsewhere, here)
	w.heldBy(addr, here, elsewhere)
	w.changed()
}

func TestOperationWithoutAReference(t *testing.T) {
	w := newEnv(t)
	w.put(addr, elsewhere, here)
	w.Fail(simulator.Fault{
		Method: http.MethodPut, Path: ":detach", Kind: simulator.Status, Status: http.StatusOK,
		Body: `{"id":"00000000-0000-4000-8000-000000000000","state":"success"}`,
	})
	w.assign(addr, elsewhere, here)
}

// A notify script writes before any read, when it is not yet known that the addresses are one elastic IP.
func TestAddressesOfOneNetworkShareAWriteInProgress(t *testing.T) {
	w := newEnv(t)
	base := netip.MustParseAddr("2001:db8:500:1::")
	w.put(base, elsewhere)
	w.SetOperationTime(200 * time.Millisecond)
	w.SetLatency(20 * time.Millisecond) // so that the calls overlap
	w.SetBusy(true)
	var all sync.WaitGroup
	for a := base; a.Compare(netip.MustParseAddr("2001:db8:500:1::9")) < 0; a = a.Next() {
		all.Go(func() {
			if err := w.Assign(t.Context(), a, here, nil); err != nil {
				t.Errorf("%v: got %v, want no error", a, err)
			}
		})
	}
	all.Wait()
	w.heldBy(base, here)
	w.changed("attach "+here, "detach "+elsewhere)
	if calls := w.calls(); slices.Index(calls[1:], "GET /v2/elastic-ip") >= 0 {
		t.Errorf("got the calls %q, want one list of elastic IPs", calls)
	}
}

// The loss of one address must not end the write of another.
func TestCancelledWriteIsContinuedByAnother(t *testing.T) {
	w := newEnv(t)
	base := netip.MustParseAddr("2001:db8:500:1::")
	w.put(base, elsewhere)
	w.read(base)
	w.SetOperationTime(500 * time.Millisecond)
	w.ForgetCalls()
	ctx, lose := context.WithCancel(t.Context())
	lost, kept := make(chan error, 1), make(chan error, 1)
	go func() { lost <- w.Assign(ctx, base, here, []string{elsewhere}) }()
	eventually(t, func() bool { return w.count("GET /v2/operation/") > 0 }) // so that its operation is known and can be continued
	go func() { kept <- w.Assign(t.Context(), base.Next(), here, []string{elsewhere}) }()
	lose() // the second may wait for the first or begin after it; either must work
	if err := <-lost; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if err := <-kept; err != nil {
		t.Errorf("got %v, want no error", err)
	}
	w.heldBy(base, here)
	w.changed("attach "+here, "detach "+elsewhere)
}
