package exoscale

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestOperationIsKeptForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s started
		c := change{ip: "ip", instance: "here", attach: true}
		s.add(c, "operation")
		time.Sleep(resumable - time.Second)
		if id, ok := s.get(c); !ok || id != "operation" {
			t.Errorf("got %q, %v, want the operation", id, ok)
		}
		time.Sleep(time.Second)
		if id, ok := s.get(c); ok || len(s.operations) != 0 {
			t.Errorf("got %q and %d operations kept, want none", id, len(s.operations))
		}
	})
}
