package e2e_test

import (
	"testing"
	"time"
)

// newExoscale raises a stage at Exoscale, where operations take 300 ms.
func newExoscale(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.Cloud.SetOperationTime(300 * time.Millisecond)
	w.exoscale = true
	w.configure(w.a, 150, "")
	w.configure(w.b, 100, "")
	return w
}

// neverBare checks that no address was without a holder since it had one.
func (w *world) neverBare() {
	w.Helper()
	for _, addr := range addrs {
		had := false
		for _, change := range w.Cloud.History(addr) {
			if had && len(change.Holders) == 0 {
				w.Errorf("%v had no holder at %v", addr, change.At)
			}
			had = had || len(change.Holders) > 0
		}
	}
}

func TestOnExoscaleThreeHoldersBecomeOne(t *testing.T) {
	w := newExoscale(t)
	stranger := "99999999-9999-4999-8999-999999999999"
	w.Cloud.AddServer(stranger, "stranger")
	for _, addr := range addrs {
		w.Cloud.Move(addr, stranger, w.a.UUID, w.b.UUID)
	}
	w.play()
	w.neverBare()
	w.Cloud.Move(addrs[0], w.a.UUID, stranger) // somebody attaches another one
	w.at(w.a, interval*12/10+2*time.Second)
	w.neverBare()
}
