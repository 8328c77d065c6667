package exoscale_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"floaty/providers"
	"floaty/providers/exoscale"
	"floaty/providers/simulator"
)

func TestKnownHoldersAreDetachedWithoutAnotherList(t *testing.T) {
	w := newEnv(t)
	w.put(addr, elsewhere, third)
	w.read(addr)
	w.ForgetCalls()
	w.assign(addr, elsewhere, third)
	w.heldBy(addr, here)
	w.neverBare(addr)
	if lists := w.count("GET /v2/elastic-ip") + w.count("GET /v2/instance") - w.count("GET /v2/instance/"); lists != 0 {
		t.Errorf("got %d lists among %q, want none", lists, w.calls())
	}
	if got := w.count("GET /v2/instance/"); got != 2 {
		t.Errorf("got %d queries of holders, want one for each of the two", got)
	}
}

// Between the last reading and this takeover, a third host may have taken the address over.
func TestAHolderThatNoReadingHasShownIsDetached(t *testing.T) {
	w := newEnv(t)
	w.read(addr)
	w.Move(addr, third)
	w.assign(addr, elsewhere)
	w.heldBy(addr, here)
	w.neverBare(addr)
}

func TestWithoutAReadingTheHoldersAreListed(t *testing.T) {
	w := newEnv(t)
	w.put(addr, elsewhere, here, third) // attached to all three at the start
	w.assign(addr)
	w.heldBy(addr, here)
	w.neverBare(addr)
}

func TestAddressWithoutATargetIsAttached(t *testing.T) {
	w := newEnv(t)
	w.put(addr)
	w.assign(addr)
	w.heldBy(addr, here)
}

func TestAListIsNotEnoughToDetachAnInstance(t *testing.T) {
	w := newEnv(t)
	w.SetIgnoreFilter(true)
	w.assign(addr)
	w.heldBy(addr, here)
	w.assign(addr, third) // passed as a holder, which it is not
	for _, call := range w.Calls() {
		if strings.HasSuffix(call.Path, ":detach") && call.Server == third {
			t.Errorf("got %s detached, although it does not hold the address", third)
		}
	}
}

func TestMissingInstanceDoesNotMatter(t *testing.T) {
	w := newEnv(t)
	w.put(addr, elsewhere, third)
	w.read(addr)
	w.RemoveServer(elsewhere)
	w.assign(addr, elsewhere, third)
	w.heldBy(addr, here)
}

func TestNeedlessDetachmentIsSuccess(t *testing.T) {
	w := newEnv(t)
	w.put(addr, elsewhere)
	w.Fail(simulator.Fault{Path: ":detach", Kind: simulator.Status, Status: http.StatusNotFound})
	w.assign(addr, elsewhere)
}

func TestConflictOfASecondAttachmentIsSuccess(t *testing.T) {
	w := newEnv(t)
	w.put(addr, elsewhere, here)
	w.SetAttachConflict(true)
	w.assign(addr, elsewhere, here)
	w.heldBy(addr, here)
	w.neverBare(addr)
}

func TestConflictWithoutTheAttachmentIsAnError(t *testing.T) {
	w := newEnv(t)
	w.Fail(simulator.Fault{Path: ":attach", Kind: simulator.Status, Status: http.StatusConflict, Body: `{"message":"busy"}`})
	err := w.Assign(t.Context(), addr, here, []string{elsewhere})
	if err == nil || !strings.Contains(err.Error(), "busy") || errors.Is(err, providers.ErrRefused) {
		t.Errorf("got %v, want an error with the message busy, and not a refusal", err)
	}
	w.heldBy(addr, elsewhere)
}

func TestFailedOperationIsAnErrorWithItsReason(t *testing.T) {
	for _, c := range []struct {
		kind simulator.Kind
		path string
		left []string
	}{
		{simulator.OperationFailure, ":attach", []string{elsewhere}},
		{simulator.OperationTimeout, ":attach", []string{elsewhere}},
		{simulator.OperationFailure, ":detach", []string{here, elsewhere}},
	} {
		t.Run(c.kind.String()+" "+c.path, func(t *testing.T) {
			w := newEnv(t)
			w.SetOperationTime(20 * time.Millisecond)
			w.Fail(simulator.Fault{Path: c.path, Kind: c.kind})
			err := w.Assign(t.Context(), addr, here, []string{elsewhere})
			if err == nil || !strings.Contains(err.Error(), "busy") {
				t.Errorf("got %v, want an error with the operation's reason", err)
			}
			w.heldBy(addr, c.left...)
			w.neverBare(addr)
		})
	}
}

func TestManagedAddressIsOnlyAttached(t *testing.T) {
	for _, detach := range []bool{false, true} {
		t.Run(fmt.Sprint("detach-managed: ", detach), func(t *testing.T) {
			w := newEnv(t, func(o *exoscale.Options) { o.DetachManaged = detach })
			w.SetManaged(addr, true)
			w.assign(addr, elsewhere)
			if detach {
				w.heldBy(addr, here)
			} else {
				w.heldBy(addr, here, elsewhere)
			}
			if got := w.read(addr)[addr]; got.Shared == detach || !got.At(here) {
				t.Errorf("got %+v, want it at %s, shared: %v", got, here, !detach)
			}
		})
	}
}

func TestDemotionBetweenAttachAndDetachEndsAssign(t *testing.T) {
	w := newEnv(t)
	w.SetOperationTime(time.Hour)
	ctx, cancel := context.WithCancelCause(t.Context())
	lost := errors.New("lost")
	done := make(chan error)
	go func() { done <- w.Assign(ctx, addr, here, []string{elsewhere}) }()
	for w.writes() == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel(lost)
	if err := <-done; !errors.Is(err, lost) && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the cause", err)
	}
	if got := w.count(":detach"); got != 0 {
		t.Errorf("got %d detachments, want none", got)
	}
}

func TestStaleIDIsLookedUpAgain(t *testing.T) {
	w := newEnv(t)
	w.read(addr)
	w.Fail(simulator.Fault{Path: ":attach", Kind: simulator.Status, Status: http.StatusNotFound, Times: 1})
	if err := w.Assign(t.Context(), addr, here, []string{elsewhere}); !errors.Is(err, providers.ErrNotFound) {
		t.Errorf("got %v, want %v", err, providers.ErrNotFound)
	}
	w.ForgetCalls()
	w.assign(addr, elsewhere)
	if got := w.count("GET /v2/elastic-ip"); got != 1 {
		t.Errorf("got %d lists of elastic IPs, want one", got)
	}
	w.heldBy(addr, here)
}

// The time is only logged: at least two calls and two operations one after the other, whatever the number of addresses.
func TestTakeoverMakesTwoChangingRequestsPerAddress(t *testing.T) {
	const call, operation = 100 * time.Millisecond, 300 * time.Millisecond
	for _, n := range []int{1, 20} {
		t.Run(fmt.Sprint(n, " addresses"), func(t *testing.T) {
			w := newEnv(t)
			addrs := w.many(1, n)
			seen := w.read(addrs...)
			w.SetLatency(call)
			w.SetOperationTime(operation)
			begun := time.Now()
			var all sync.WaitGroup
			for _, a := range addrs {
				all.Go(func() {
					if err := w.Assign(t.Context(), a, here, seen[a].Servers); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			var last time.Duration
			for _, a := range addrs {
				w.heldBy(a, here)
				w.neverBare(a)
				history := w.History(a)
				last = max(last, history[len(history)-1].At.Sub(begun))
			}
			if calls := w.writes(); calls != 2*n {
				t.Errorf("got %d changing requests, want an attachment and a detachment per address", calls)
			}
			t.Logf("%d addresses: at this host alone after %v, %.2f times the minimum", n, last, last.Seconds()/(2*(call+operation)).Seconds())
		})
	}
}

// Two hosts swap roles again and again. However their calls end, the one that is MASTER at the end gets the address by reading and
// assigning it.
func TestTwoHostsThatSwapRolesLeaveNoAddressWithoutATarget(t *testing.T) {
	w := newEnv(t)
	w.SetOperationTime(30 * time.Millisecond)
	w.SetBusy(true)
	for i := range 30 {
		ctx, cancel := context.WithCancel(t.Context())
		server, other := here, elsewhere
		if i%2 == 1 {
			server, other = other, server
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = w.Assign(ctx, addr, server, []string{other}) // a conflict with the previous call's operation is likely
		}()
		select {
		case <-done:
		case <-time.After(time.Duration(i*7%60) * time.Millisecond):
		}
		cancel()
		<-done
	}
	eventually(t, func() bool { return w.Assign(t.Context(), addr, here, w.read(addr)[addr].Servers) == nil })
	eventually(t, func() bool { return w.read(addr)[addr].At(here) })
}

func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 10 s")
		}
	}
}
