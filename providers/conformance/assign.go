package conformance

import (
	"errors"
	"net/netip"
	"sync"
	"testing"

	"floaty/providers"
)

func assignMakesTheServerTheOnlyHolder(t *testing.T, s Subject) {
	for _, test := range []struct {
		name          string
		holders, seen []string
	}{
		{"elsewhere", []string{s.Other}, []string{s.Other}},
		{"elsewhere, holders unknown", []string{s.Other}, nil},
		{"elsewhere, seen here before", []string{s.Other}, []string{s.Server}},
		{"without a target", nil, nil},
		{"without a target, seen elsewhere before", nil, []string{s.Other}},
	} {
		for _, addr := range []netip.Addr{addr4, addr6} {
			s.Cloud.Put(addr, test.holders...)
			if err := s.Provider.Assign(t.Context(), addr, s.Server, test.seen); err != nil {
				t.Errorf("%s: assigning %v: got %v, want no error", test.name, addr, err)
			}
			if got := s.Cloud.Holders(addr); len(got) != 1 || got[0] != s.Server {
				t.Errorf("%s: got %v held by %q, want it held only by %q", test.name, addr, got, s.Server)
			}
		}
	}
}

func assignIsIdempotent(t *testing.T, s Subject) {
	s.Cloud.Put(addr4, s.Other)
	for attempt := range 3 {
		if err := s.assign(t, addr4); err != nil {
			t.Errorf("attempt %d: got %v, want no error", attempt, err)
		}
		if got := s.Cloud.Holders(addr4); len(got) != 1 || got[0] != s.Server {
			t.Errorf("attempt %d: got it held by %q, want %q", attempt, got, s.Server)
		}
	}
}

// Any other holder would receive a share of the traffic. A holder that is not in seen may stay until the next read, and must be detached
// by the Assign after that.
func assignReleasesEveryOtherHolder(t *testing.T, s Subject) {
	s.needsSeveralHolders(t)
	for _, holders := range [][]string{{s.Other, s.Third}, {s.Server, s.Third}, {s.Third, s.Server, s.Other}} {
		for _, seen := range [][]string{holders, {s.Other}, nil} {
			s.Cloud.Put(addr4, holders...)
			if err := s.Provider.Assign(t.Context(), addr4, s.Server, seen); err != nil {
				t.Errorf("held by %q, seen %q: got %v, want no error", holders, seen, err)
			}
			if h := s.read(t, addr4)[addr4]; len(seen) == 1 && !h.At(s.Server) {
				if err := s.Provider.Assign(t.Context(), addr4, s.Server, h.Servers); err != nil {
					t.Errorf("held by %q, seen %q, then %q: got %v, want no error", holders, seen, h.Servers, err)
				}
			}
			if got := s.Cloud.Holders(addr4); !sameServers(got, []string{s.Server}) {
				t.Errorf("held by %q, seen %q: got it held by %q, want only %q", holders, seen, got, s.Server)
			}
		}
	}
}

func assigningAnAbsentAddressIsNotFound(t *testing.T, s Subject) {
	if err := s.assign(t, absent); !errors.Is(err, providers.ErrNotFound) {
		t.Errorf("got %v, want %v", err, providers.ErrNotFound)
	}
}

func concurrentAssignmentsSucceed(t *testing.T, s Subject) {
	var addrs []netip.Addr
	for addr := addr4; len(addrs) < 100; addr = addr.Next() {
		addrs = append(addrs, addr)
		s.Cloud.Put(addr, s.Other)
	}
	var calls sync.WaitGroup
	for _, addr := range addrs {
		calls.Go(func() {
			if err := s.assign(t, addr); err != nil {
				t.Errorf("assigning %v: got %v, want no error", addr, err)
			}
		})
	}
	calls.Wait()
	got := s.read(t, addrs...)
	for _, addr := range addrs {
		wantHolding(t, got, addr, s.Server)
	}
}
