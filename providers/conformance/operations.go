package conformance

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"floaty/providers"
)

// operations skips a test of a cloud whose changes are done when they are answered.
func (s Subject) operations(t *testing.T) {
	t.Helper()
	if !s.Asynchronous {
		t.Skip("this cloud has no operations")
	}
}

// takesOver assigns addr4, which another server holds, and checks that this one alone holds it.
func (s Subject) takesOver(t *testing.T, what string, seen ...string) {
	t.Helper()
	if err := s.Provider.Assign(t.Context(), addr4, s.Server, seen); err != nil {
		t.Errorf("%s: got %v, want no error", what, err)
	}
	if got := s.Cloud.Holders(addr4); !sameServers(got, []string{s.Server}) {
		t.Errorf("%s: got it held by %q, want %q alone", what, got, s.Server)
	}
}

// A role may forbid to ask for operations; what the change has come to can be read all the same.
func anOperationThatCannotBeAskedForIsNoHindrance(t *testing.T, s Subject) {
	s.operations(t)
	for _, status := range []int{http.StatusForbidden, http.StatusNotFound} {
		s.Cloud.Put(addr4, s.Other)
		s.Cloud.Fail(Failure{Kind: OperationUnknown, Status: status})
		s.takesOver(t, http.StatusText(status), s.Other)
		s.Cloud.Heal()
	}
}

func aFailedOperationIsAnError(t *testing.T, s Subject) {
	s.operations(t)
	s.Cloud.Put(addr4, s.Other)
	s.Cloud.Fail(Failure{Kind: OperationFails})
	wantKind(t, "Assign", s.Provider.Assign(t.Context(), addr4, s.Server, []string{s.Other}), nil)
	if got := s.Cloud.Holders(addr4); !sameServers(got, []string{s.Other}) {
		t.Errorf("got it held by %q, want %q still", got, s.Other)
	}
	s.Cloud.Heal()
	s.takesOver(t, "once the cloud is well", s.Other)
}

// A call has a deadline, an operation has none: what one call has begun, the next one brings to its end.
func anOperationThatHangsIsGoneOnWith(t *testing.T, s Subject) {
	s.operations(t)
	for name, kind := range map[string]Kind{"it hangs": OperationHangs, "it seems to hang": OperationSilent} {
		s.Cloud.Put(addr4, s.Other)
		_, before := s.Cloud.Requests()
		s.Cloud.Fail(Failure{Kind: kind})
		ctx, cancel := context.WithTimeout(t.Context(), 10*patience) // on a busy machine too, the change is answered within it
		err := s.Provider.Assign(ctx, addr4, s.Server, []string{s.Other})
		cancel()
		wantKind(t, name, err, nil)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v, want %v", name, err, context.DeadlineExceeded)
		}
		if got := s.Cloud.Holders(addr4); len(got) == 0 {
			t.Errorf("%s: got no holder, want one at any time", name)
		}
		s.Cloud.Heal()
		s.takesOver(t, name, s.Other)
		if _, now := s.Cloud.Requests(); now-before != 2 {
			t.Errorf("%s: got %d changing requests, want one to attach and one to detach", name, now-before)
		}
	}
}

// What a cloud makes of a change that is so already is its own affair: it may fail.
func aChangeThatIsSoAlreadyMayFail(t *testing.T, s Subject) {
	s.operations(t)
	s.severalHolders(t)
	s.Cloud.Fail(Failure{Kind: OperationRepeated})
	for name, seen := range map[string][]string{"nothing seen": nil, "the other seen": {s.Other}, "both seen": {s.Other, s.Server}} {
		s.Cloud.Put(addr4, s.Server, s.Other)
		s.takesOver(t, name, seen...)
	}
}

// A takeover that was cut off leaves this server and one that may be dead. The next one has only to release the other: to
// attach once more would cost an operation before that.
func aPairIsLeftByOneChange(t *testing.T, s Subject) {
	s.operations(t)
	s.severalHolders(t)
	s.Cloud.Put(addr4, s.Other, s.Server)
	_, before := s.Cloud.Requests()
	s.takesOver(t, "a pair", s.Other, s.Server)
	if _, now := s.Cloud.Requests(); now-before != 1 {
		t.Errorf("got %d changing requests, want one", now-before)
	}
}

// Where a cloud hands out networks, every address inside one is the same thing to move.
func aNetworkIsOneResource(t *testing.T, s Subject) {
	if !s.Network.IsValid() {
		t.Skip("this cloud hands out no networks")
	}
	first := s.Network.Addr().Next()
	second := first.Next().Next()
	s.Cloud.PutNetwork(s.Network, s.Other)
	s.Cloud.Put(addr4, s.Other)
	got := s.read(t, first, second, addr4)
	if one := got[first].Resource; one == "" || one != got[second].Resource || one == got[addr4].Resource {
		t.Errorf("got resources %q and %q, want one that is not %q of %v", one, got[second].Resource, got[addr4].Resource, addr4)
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
