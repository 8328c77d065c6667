package providers_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"floaty/providers"
)

func TestDryRunReadsButDoesNotWrite(t *testing.T) {
	held := map[netip.Addr]providers.Holding{addr: {Servers: []string{self}}}
	c := &cloud{holdings: held}
	p := providers.DryRun(c)

	server, err := p.Server(t.Context())
	wantNoError(t, err)
	if server != self {
		t.Errorf("got server %q, want %q", server, self)
	}
	got, err := p.Read(t.Context(), addrs)
	wantNoError(t, err)
	if !got[addr].At(self) {
		t.Errorf("got holding %+v, want %+v", got[addr], held[addr])
	}

	err = assign(t, p)
	if !errors.Is(err, providers.ErrNotWritten) {
		t.Errorf("got %v, want %v", err, providers.ErrNotWritten)
	}
	for _, want := range []string{addr.String(), self} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got error %q, want %s named in it", err, want)
		}
	}
	if c.assigns != 0 {
		t.Errorf("got %d calls of Assign, want none", c.assigns)
	}
}

func TestDryRunDoesNotUseUpTheProbe(t *testing.T) {
	c := &cloud{}
	p := providers.NewPaced(c, providers.PacedOptions{MaxInterval: probeEach})
	c.answers(errWrong)
	_, err := p.Read(t.Context(), addrs)
	wantError(t, err, providers.ErrUnauthorized)
	p.Probe()

	wantError(t, assign(t, providers.DryRun(p)), providers.ErrNotWritten)
	// A write that is not made does not use up the probe, so the next call makes it.
	_, _ = p.Read(t.Context(), addrs)
	_, err = p.Read(t.Context(), addrs)
	wantError(t, err, providers.ErrUnauthorized)
	wantCalls(t, c, 2)
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}
