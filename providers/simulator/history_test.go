package simulator_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

func TestHistoryOfHolders(t *testing.T) {
	t.Parallel()
	w, client := newExoscale(t)
	begun := time.Now()
	w.starts(w.attach(client, addr4, lb2))
	w.starts(w.attach(client, addr4, lb2)) // no change
	w.starts(w.detach(client, addr4, lb1))
	w.Move(addr4, lb1)
	w.AimAtLoadBalancer(addr4, "lb-of-a-colleague")
	if got, err := w.assign(addr4, lb2); err != nil || got.status != 204 {
		t.Fatalf("got %+v, %v, want 204", got, err)
	}
	w.RemoveServer(lb2)
	w.RemoveServer(lb2)
	ended := time.Now()

	got := w.History(addr4)
	want := [][]string{{lb1}, {lb1, lb2}, {lb2}, {lb1}, {}, {lb2}, {}}
	if len(got) != len(want) {
		t.Fatalf("got history %+v, want %q", got, want)
	}
	last := begun.Add(-patience) // the first change was made before begun
	for i, change := range got {
		if !slices.Equal(change.Holders, want[i]) || change.At.Before(last) || change.At.After(ended) {
			t.Errorf("%d: got %+v, want %q between %v and %v", i, change, want[i], last, ended)
		}
		last = change.At
		if i == 0 {
			last = begun
		}
	}
	got[0].Holders[0] = "changed by the caller"
	if again := w.History(addr4); again[0].Holders[0] != lb1 {
		t.Errorf("got %q, want the cloud's own history unchanged", again[0].Holders)
	}

	if got := w.History(absent); len(got) != 0 {
		t.Errorf("got history %+v of an address that does not exist, want none", got)
	}
	w.AddAddress(netip.PrefixFrom(addr4, 32))
	if got := w.History(addr4); len(got) != 1 || len(got[0].Holders) != 0 {
		t.Errorf("got history %+v of an address added again, want only that", got)
	}
}
