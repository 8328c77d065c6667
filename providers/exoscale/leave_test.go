package exoscale_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"floaty/providers/exoscale"
)

// The host may lose the address between attach and detach; a detach would then remove the new MASTER's own attachment.
func TestEachRequestOfAssignPassesTheFence(t *testing.T) {
	stopped := errors.New("no longer wanted")
	// Each request passes the fence twice: before it is sent, and before its body.
	for allowed, want := range map[int64][]string{0: {elsewhere}, 2: {here, elsewhere}} {
		t.Run("", func(t *testing.T) {
			var asked atomic.Int64
			w := newEnv(t, func(o *exoscale.Options) {
				o.Before = func(context.Context) error {
					if asked.Add(1) > allowed {
						return stopped
					}
					return nil
				}
			})
			if err := w.Assign(t.Context(), addr, here, []string{elsewhere}); !errors.Is(err, stopped) {
				t.Errorf("got %v, want %v", err, stopped)
			}
			w.heldBy(addr, want...)
		})
	}
}
