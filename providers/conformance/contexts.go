package conformance

import (
	"context"
	"errors"
	"testing"
	"time"
)

const (
	callTimeout = 100 * time.Millisecond // the timeout of a call that cannot succeed
	slack       = 3 * time.Second        // limit for a call to return after its context has ended, even on a busy machine
)

func aCallEndsWithItsContext(t *testing.T, s Subject) {
	s.Cloud.Put(addr4, s.Other)
	for _, c := range s.calls() {
		for _, kind := range []Kind{Hang, SlowBody} {
			s.Cloud.Fail(Failure{Kind: kind})
			ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
			begun := time.Now()
			err := c.make(ctx)
			took := time.Since(begun)
			cancel()
			wantKind(t, c.name, err, nil)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s, kind %d: got %v, want %v", c.name, kind, err, context.DeadlineExceeded)
			}
			if took > callTimeout+slack {
				t.Errorf("%s, kind %d: took %v, want about %v", c.name, kind, took, callTimeout)
			}
			s.well(t, c)
		}
	}
}

func aCancelledCallWritesNothing(t *testing.T, s Subject) {
	s.Cloud.Put(addr4, s.Other)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range s.calls() {
		err := c.make(ctx)
		wantKind(t, c.name, err, nil)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want %v", c.name, err, context.Canceled)
		}
	}
	if _, changing := s.Cloud.Requests(); changing != 0 {
		t.Errorf("got %d changing requests, want none", changing)
	}
	if got := s.Cloud.Holders(addr4); len(got) != 1 || got[0] != s.Other {
		t.Errorf("got it held by %q, want %q", got, s.Other)
	}
}

func aHangingAddressDoesNotDelayOthers(t *testing.T, s Subject) {
	s.Cloud.Put(addr4, s.Other)
	s.Cloud.Put(second, s.Other)
	s.Cloud.Fail(Failure{Kind: Hang, Addr: addr4})
	ctx, cancel := context.WithCancel(t.Context())
	hanging := make(chan error, 1)
	before, _ := s.Cloud.Requests()
	go func() { hanging <- s.Provider.Assign(ctx, addr4, s.Server, nil) }()
	for deadline := time.Now().Add(slack); ; time.Sleep(time.Millisecond) { // until its request has arrived
		if now, _ := s.Cloud.Requests(); now > before {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the request that should hang has not arrived")
		}
	}
	if err := s.assign(t, second); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	cancel()
	if err := <-hanging; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
