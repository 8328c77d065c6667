package exoscale

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

var errBusy = errors.New("busy")

// joined starts a first call, and a second one that waits for it. Both end with what is sent to their channels.
func joined(t *testing.T, first context.Context) (f *flights, calls *int, lead chan error, ended [2]chan error) { //nolint:revive // the test's context is not the first call's
	t.Helper()
	f, calls, lead = new(flights), new(int), make(chan error)
	call := func() error { *calls++; return <-lead }
	for i, ctx := range []context.Context{first, t.Context()} {
		ended[i] = make(chan error, 1)
		go func() { ended[i] <- f.do(ctx, "one", call) }()
		synctest.Wait()
	}
	return f, calls, lead, ended
}

func TestCallsShareTheEndOfOne(t *testing.T) {
	for _, want := range []error{nil, errBusy} {
		synctest.Test(t, func(t *testing.T) {
			f, calls, lead, ended := joined(t, t.Context())
			other := make(chan error, 1)
			go func() { other <- f.do(t.Context(), "another", func() error { return nil }) }()
			if err := <-other; err != nil {
				t.Errorf("got %v of another key, want no error and no wait", err)
			}
			lead <- want
			for i := range ended {
				if err := <-ended[i]; !errors.Is(err, want) {
					t.Errorf("call %d: got %v, want %v", i, err, want)
				}
			}
			if *calls != 1 {
				t.Errorf("got %d calls, want 1", *calls)
			}
		})
	}
}

func TestACallThatWasGivenUpIsMadeByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, calls, lead, ended := joined(t, ctx)
		cancel()
		lead <- context.Canceled
		if err := <-ended[0]; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		lead <- nil
		if err := <-ended[1]; err != nil || *calls != 2 {
			t.Errorf("got %v after %d calls, want success after 2", err, *calls)
		}
	})
}

func TestAWaitForACallEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _, lead, ended := joined(t, t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := f.do(ctx, "one", func() error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		lead <- nil
		for i := range ended {
			if err := <-ended[i]; err != nil {
				t.Errorf("call %d: got %v, want no error", i, err)
			}
		}
	})
}
