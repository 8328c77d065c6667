package conformance

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"

	"floaty/providers"
)

// In a cloud where an address has at most one holder, the whole takeover is one operation.
func TestOneHolderIsReplacedByOneChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &oneHolder{}
		theNextCallContinuesAnUnfinishedOperation(t, Subject{Provider: f, Cloud: f, Server: "here", Other: "other", Asynchronous: true})
		if f.changing == 0 {
			t.Error("got no changing request, want at least one; does the test still call Assign?")
		}
	})
}

// A oneHolder is a provider and its cloud, reduced to what that test needs: one address with one holder, and at most one operation.
type oneHolder struct {
	providers.Provider
	Cloud
	holder   string
	next     string // the holder once the operation has ended; empty: no operation is in progress
	failure  Kind   // of operations; 0: they succeed
	changing int
}

func (f *oneHolder) Put(_ netip.Addr, holders ...string) { f.holder = holders[0] }
func (f *oneHolder) Holders(netip.Addr) []string         { return []string{f.holder} }
func (f *oneHolder) Fail(failure Failure)                { f.failure = failure.Kind }
func (f *oneHolder) Heal()                               { f.failure, f.holder = 0, f.next }
func (f *oneHolder) Requests() (all, changing int)       { return f.changing, f.changing }

func (f *oneHolder) Assign(ctx context.Context, _ netip.Addr, server string, _ []string) error {
	if f.next == "" {
		f.next = server
		f.changing++
	}
	if f.failure != OperationHangs {
		f.holder = server
	}
	if f.failure != 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	f.next = ""
	return nil
}
