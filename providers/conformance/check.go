package conformance

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"floaty/providers"
)

// read reads addrs, and reports an error if that fails.
func (s Subject) read(t *testing.T, addrs ...netip.Addr) map[netip.Addr]providers.Holding {
	t.Helper()
	got, err := s.Provider.Read(t.Context(), addrs)
	if err != nil {
		t.Errorf("reading %v: got %v, want no error", addrs, err)
	}
	return got
}

// assign assigns addr to this server, without naming any holder.
func (s Subject) assign(t *testing.T, addr netip.Addr) error {
	t.Helper()
	return s.Provider.Assign(t.Context(), addr, s.Server, nil)
}

// A call is a method of the provider, called while the cloud fails.
type call struct {
	name string
	// make calls the method for addr4 and returns its error, or the error in the reading of addr4.
	make func(ctx context.Context) error
	most int // the greatest allowed number of requests
}

func (s Subject) calls() []call {
	return []call{
		{"Read", func(ctx context.Context) error {
			got, err := s.Provider.Read(ctx, []netip.Addr{addr4})
			if err == nil {
				err = got[addr4].Err
			}
			return err
		}, s.ReadCalls},
		{"Assign", func(ctx context.Context) error {
			return s.Provider.Assign(ctx, addr4, s.Server, []string{s.Other})
		}, s.AssignCalls},
	}
}

// well ends all failures of the cloud and checks that a call succeeds again.
func (s Subject) well(t *testing.T, c call) {
	t.Helper()
	s.Cloud.Heal()
	if err := c.make(t.Context()); err != nil {
		t.Errorf("%s once the cloud is well: got %v, want no error", c.name, err)
	}
}

// sameServers reports whether two lists of holders are equal, in any order.
func sameServers(got, want []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want)))
}

// severalHolders reports whether an address of this cloud can have several holders.
func (s Subject) severalHolders() bool { return s.Third != "" }

// needsSeveralHolders skips the test if an address of this cloud has at most one holder.
func (s Subject) needsSeveralHolders(t *testing.T) {
	t.Helper()
	if !s.severalHolders() {
		t.Skip("an address of this cloud has at most one holder")
	}
}

func wantHolding(t *testing.T, got map[netip.Addr]providers.Holding, addr netip.Addr, servers ...string) {
	t.Helper()
	h, ok := got[addr]
	if !ok || h.Err != nil || h.Shared || !sameServers(h.Servers, servers) {
		t.Errorf("%v: got %+v (%v), want it held by %q", addr, h, ok, servers)
	}
}

// wantKind checks that err is kind, and not one of the other errors that the rest of the program distinguishes. If kind is nil, err must
// not be any of them.
func wantKind(t *testing.T, what string, err, kind error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: got no error, want one", what)
		return
	}
	for _, k := range []error{
		providers.ErrUnauthorized, providers.ErrNotFound, providers.ErrRefused, providers.ErrNotWritten,
	} {
		want := kind != nil && errors.Is(kind, k)
		if got := errors.Is(err, k); got != want {
			t.Errorf("%s: got %v, which is %q: %v, want %v", what, err, k, got, want)
		}
	}
	if strings.ContainsAny(err.Error(), "\r\n") {
		t.Errorf("%s: got %q, want one line", what, err)
	}
}

// wait returns the wait that err demands, in seconds; 0 if it demands none.
func wait(err error) (seconds float64) {
	var told *providers.WaitError
	if errors.As(err, &told) {
		return told.Wait.Seconds()
	}
	return 0
}
