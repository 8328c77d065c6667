package conformance

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"floaty/providers"
)

// needsOperations skips the test if the cloud answers a changing request only once the change is done.
func (s Subject) needsOperations(t *testing.T) {
	t.Helper()
	if !s.Asynchronous {
		t.Skip("this cloud has no operations")
	}
}

// takesOver assigns addr4 and checks that this server is then its only holder.
func (s Subject) takesOver(t *testing.T, what string, seen ...string) {
	t.Helper()
	if err := s.Provider.Assign(t.Context(), addr4, s.Server, seen); err != nil {
		t.Errorf("%s: got %v, want no error", what, err)
	}
	if got := s.Cloud.Holders(addr4); !sameServers(got, []string{s.Server}) {
		t.Errorf("%s: got it held by %q, want only %q", what, got, s.Server)
	}
}

// A role may forbid querying operations. The result of the change can still be read.
func anOperationThatCannotBeQueriedDoesNotPreventSuccess(t *testing.T, s Subject) {
	s.needsOperations(t)
	for _, status := range []int{http.StatusForbidden, http.StatusNotFound} {
		s.Cloud.Put(addr4, s.Other)
		s.Cloud.Fail(Failure{Kind: OperationUnknown, Status: status})
		s.takesOver(t, http.StatusText(status), s.Other)
		s.Cloud.Heal()
	}
}

func aFailedOperationIsAnError(t *testing.T, s Subject) {
	s.needsOperations(t)
	s.Cloud.Put(addr4, s.Other)
	s.Cloud.Fail(Failure{Kind: OperationFails})
	wantKind(t, "Assign", s.Provider.Assign(t.Context(), addr4, s.Server, []string{s.Other}), nil)
	if got := s.Cloud.Holders(addr4); !sameServers(got, []string{s.Other}) {
		t.Errorf("got it held by %q, want it still held by %q", got, s.Other)
	}
	s.Cloud.Heal()
	s.takesOver(t, "after the cloud's recovery", s.Other)
}

// A call has a deadline, but an operation has none: the next call must continue the operation that one call has started.
func theNextCallContinuesAnUnfinishedOperation(t *testing.T, s Subject) {
	s.needsOperations(t)
	changes, which := 1, "one to make this server the holder"
	if s.severalHolders() {
		changes, which = 2, "one to attach and one to detach"
	}
	for name, kind := range map[string]Kind{"pending until Heal": OperationHangs, "done but shown as pending": OperationSilent} {
		s.Cloud.Put(addr4, s.Other)
		_, before := s.Cloud.Requests()
		s.Cloud.Fail(Failure{Kind: kind})
		ctx, cancel := context.WithTimeout(t.Context(), 10*callTimeout) // long enough for the answer to the change, even on a busy machine
		err := s.Provider.Assign(ctx, addr4, s.Server, []string{s.Other})
		cancel()
		wantKind(t, name, err, nil)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v, want %v", name, err, context.DeadlineExceeded)
		}
		if got := s.Cloud.Holders(addr4); len(got) == 0 {
			t.Errorf("%s: got no holder, want at least one at any time", name)
		}
		s.Cloud.Heal()
		s.takesOver(t, name, s.Other)
		if _, now := s.Cloud.Requests(); now-before != changes {
			t.Errorf("%s: got %d changing requests, want %d: %s", name, now-before, changes, which)
		}
	}
}

// A cloud may reject a change that would change nothing.
func aChangeThatWouldChangeNothingMayFail(t *testing.T, s Subject) {
	s.needsOperations(t)
	s.needsSeveralHolders(t)
	s.Cloud.Fail(Failure{Kind: OperationRepeated})
	for name, seen := range map[string][]string{"nothing seen": nil, "the other seen": {s.Other}, "both seen": {s.Other, s.Server}} {
		s.Cloud.Put(addr4, s.Server, s.Other)
		s.takesOver(t, name, seen...)
	}
}

// An interrupted takeover leaves two holders: this server, and one that may be dead. The next call only has to detach the
// other one. Attaching this server again would cost one more operation before that.
func ofTwoHoldersTheOtherIsDetachedByOneChange(t *testing.T, s Subject) {
	s.needsOperations(t)
	s.needsSeveralHolders(t)
	s.Cloud.Put(addr4, s.Other, s.Server)
	_, before := s.Cloud.Requests()
	s.takesOver(t, "two holders", s.Other, s.Server)
	if _, now := s.Cloud.Requests(); now-before != 1 {
		t.Errorf("got %d changing requests, want one", now-before)
	}
}

// If a cloud offers networks, all addresses of a network move together.
func aNetworkIsOneResource(t *testing.T, s Subject) {
	if !s.Network.IsValid() {
		t.Skip("this cloud offers no networks")
	}
	first := s.Network.Addr().Next()
	second := first.Next().Next()
	s.Cloud.AddAddress(s.Network, s.Other)
	s.Cloud.Put(addr4, s.Other)
	got := s.read(t, first, second, addr4)
	if one := got[first].Resource; one == "" || one != got[second].Resource || one == got[addr4].Resource {
		t.Errorf("got resources %q and %q, want the same one for both, other than %q of %v", one, got[second].Resource, got[addr4].Resource, addr4)
	}
	wantHolding(t, got, first, s.Other)
	wantHolding(t, got, second, s.Other)
	if err := s.Provider.Assign(t.Context(), second, s.Server, got[second].Servers); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	wantHolding(t, s.read(t, first), first, s.Server)
	outside := s.Network.Addr().Prev()
	if err := s.read(t, outside)[outside].Err; !errors.Is(err, providers.ErrNotFound) {
		t.Errorf("%v, next to the network: got %v, want %v", outside, err, providers.ErrNotFound)
	}
}
