package providers

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errAnswer = errors.New("an answer")

func TestBoundedGivesUpACallThatDoesNotReturn(t *testing.T) {
	for name, tale := range map[string]struct {
		takes   time.Duration
		after   time.Duration // until done is called
		givenUp bool
	}{
		"returns immediately":                {0, 0, false},
		"returns within its deadline":        {9 * time.Second, 9 * time.Second, false},
		"returns soon after its deadline":    {11 * time.Second, 11 * time.Second, false},
		"returns long after its deadline":    {time.Hour, 12 * time.Second, true},
		"returns just after it was given up": {12*time.Second + 1, 12 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second, errors.New("too slow"))
				defer cancel()
				began := time.Now()
				var times atomic.Int64
				Bounded(ctx, func() (int, error) { time.Sleep(tale.takes); return 7, errAnswer }, func(got int, err error) {
					times.Add(1)
					if after := time.Since(began); after != tale.after {
						t.Errorf("done was called after %v, want %v", after, tale.after)
					}
					if errors.Is(err, ErrGivenUp) != tale.givenUp || errors.Is(err, errAnswer) == tale.givenUp || (got == 7) == tale.givenUp {
						t.Errorf("got %d, %v; want it given up: %v", got, err, tale.givenUp)
					}
				})
				if times := times.Load(); times != 1 {
					t.Errorf("done was called %d times, want once", times)
				}
				if took := time.Since(began); took != tale.takes {
					t.Errorf("Bounded returned after %v, want %v", took, tale.takes)
				}
			})
		})
	}
}

func TestAwaitReturnsWhenTheCallIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		released := make(chan struct{})
		defer close(released)
		began := time.Now()
		_, err := Await(ctx, func() (string, error) { <-released; return "late", nil })
		if took := time.Since(began); !errors.Is(err, ErrGivenUp) || took != 12*time.Second {
			t.Errorf("got %v after %v, want %v after 12s", err, took, ErrGivenUp)
		}
		if got, err := Await(ctx, func() (string, error) { return "soon", errAnswer }); got != "soon" || !errors.Is(err, errAnswer) {
			t.Errorf("got %q, %v; want what the call returned", got, err)
		}
	})
}
