package conformance

import (
	"errors"
	"net/netip"
	"testing"

	"floaty/providers"
)

var (
	addr4  = netip.MustParseAddr("198.51.100.7")
	addr6  = netip.MustParseAddr("2001:db8::7")
	second = netip.MustParseAddr("198.51.100.8")
	absent = netip.MustParseAddr("203.0.113.99")
)

func theServerIsKnown(t *testing.T, s Subject) {
	got, err := s.Provider.Server(t.Context())
	if err != nil || got != s.Server {
		t.Errorf("got server %q, %v, want %q", got, err, s.Server)
	}
}

func aReadingShowsTheHolderOfEachAddress(t *testing.T, s Subject) {
	want := map[netip.Addr][]string{addr4: {s.Server}, addr6: {s.Other}, second: nil}
	for addr, holders := range want {
		s.Cloud.Put(addr, holders...)
	}
	got := s.read(t, addr4, addr6, second)
	if len(got) != len(want) {
		t.Errorf("got %d holdings, want %d", len(got), len(want))
	}
	for addr, holders := range want {
		wantHolding(t, got, addr, holders...)
	}
	if _, changing := s.Cloud.Requests(); changing != 0 {
		t.Errorf("got %d changing requests during a read, want none", changing)
	}

	s.Cloud.Put(addr4, s.Other) // somebody else moves it
	wantHolding(t, s.read(t, addr4), addr4, s.Other)
}

func anAbsentAddressDoesNotAffectOthers(t *testing.T, s Subject) {
	s.Cloud.Put(addr4, s.Server)
	got := s.read(t, absent, addr4)
	wantHolding(t, got, addr4, s.Server)
	if err := got[absent].Err; !errors.Is(err, providers.ErrNotFound) {
		t.Errorf("%v: got %v, want %v", absent, err, providers.ErrNotFound)
	}
}

func anAddressIsComparedByValue(t *testing.T, s Subject) {
	s.Cloud.Put(addr6, s.Other)
	s.Cloud.Put(addr4, s.Other)
	for _, spelling := range []string{
		"2001:db8::7", "2001:DB8::7", "2001:db8:0:0:0::7", "2001:0db8:0000:0000:0000:0000:0000:0007", "2001:db8::0.0.0.7",
		"198.51.100.7", "::ffff:198.51.100.7",
	} {
		addr := netip.MustParseAddr(spelling)
		wantHolding(t, s.read(t, addr), addr, s.Other)
		if err := s.Provider.Assign(t.Context(), addr, s.Server, nil); err != nil {
			t.Errorf("assigning %s: got %v, want no error", spelling, err)
		}
		wantHolding(t, s.read(t, addr), addr, s.Server)
		s.Cloud.Put(addr.Unmap(), s.Other)
	}
}

func readingNoAddressesReturnsNothing(t *testing.T, s Subject) {
	s.Cloud.Put(addr4, s.Server)
	if got := s.read(t); len(got) != 0 {
		t.Errorf("got %v, want nothing", got)
	}
}

func aReadingShowsEveryHolder(t *testing.T, s Subject) {
	s.needsSeveralHolders(t)
	s.Cloud.Put(addr4, s.Other, s.Server)
	s.Cloud.Put(addr6, s.Third, s.Other, s.Server)
	got := s.read(t, addr4, addr6)
	wantHolding(t, got, addr4, s.Server, s.Other)
	wantHolding(t, got, addr6, s.Server, s.Other, s.Third)
}
