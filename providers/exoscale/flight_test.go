package exoscale

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

var errBusy = errors.New("busy")

// A two is two callers with the same key: the first makes the call, the second waits for it.
type two struct {
	flights

	calls  int
	answer chan error // what the call returns
	giveUp func()     // cancels the first caller's context
	ended  [2]chan error
}

func newTwo(t *testing.T) *two {
	t.Helper()
	first, cancel := context.WithCancel(t.Context())
	f := &two{answer: make(chan error), giveUp: cancel}
	for i, ctx := range []context.Context{first, t.Context()} {
		f.ended[i] = make(chan error, 1)
		go func() {
			f.ended[i] <- f.do(ctx, "one", func() error { f.calls++; return <-f.answer })
		}()
		synctest.Wait()
	}
	return f
}

func TestConcurrentCallsShareOneResult(t *testing.T) {
	for _, want := range []error{nil, errBusy} {
		synctest.Test(t, func(t *testing.T) {
			f := newTwo(t)
			other := make(chan error, 1)
			go func() { other <- f.do(t.Context(), "another", func() error { return nil }) }()
			if err := <-other; err != nil {
				t.Errorf("got %v for another key, want no error", err)
			}
			f.answer <- want
			for i := range f.ended {
				if err := <-f.ended[i]; !errors.Is(err, want) {
					t.Errorf("call %d: got %v, want %v", i, err, want)
				}
			}
			if f.calls != 1 {
				t.Errorf("got %d calls, want 1", f.calls)
			}
		})
	}
}

func TestCancelledCallIsMadeByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newTwo(t)
		f.giveUp()
		f.answer <- context.Canceled
		if err := <-f.ended[0]; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		f.answer <- nil
		if err := <-f.ended[1]; err != nil || f.calls != 2 {
			t.Errorf("got %v after %d calls, want success after 2", err, f.calls)
		}
	})
}

// The caller gives such a call up. If others kept waiting for it, that address would never be written again.
func TestCallThatNeverReturnsBlocksNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newTwo(t)
		f.giveUp()
		synctest.Wait()
		if f.calls != 2 {
			t.Errorf("got %d calls once the first was given up, want the second one started", f.calls)
		}
		third := make(chan error, 1)
		go func() { third <- f.do(t.Context(), "one", func() error { f.calls++; return nil }) }()
		synctest.Wait()
		f.answer <- errBusy // the first returns after all
		if err := <-f.ended[0]; !errors.Is(err, errBusy) {
			t.Errorf("got %v, want %v", err, errBusy)
		}
		synctest.Wait()
		f.answer <- nil
		for i, ended := range []chan error{f.ended[1], third} {
			if err := <-ended; err != nil {
				t.Errorf("call %d: got %v, want no error", i+2, err)
			}
		}
		if f.calls != 2 {
			t.Errorf("got %d calls, want the third caller to share the second call", f.calls)
		}
	})
}

func TestWaitingForACallEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newTwo(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := f.do(ctx, "one", func() error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		f.answer <- nil
		for i := range f.ended {
			if err := <-f.ended[i]; err != nil {
				t.Errorf("call %d: got %v, want no error", i, err)
			}
		}
	})
}
