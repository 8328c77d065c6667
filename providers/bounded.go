package providers

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Grace is how long a call may take to return after its context has ended. After that, its caller gives it up.
const Grace = 2 * time.Second

// ErrGivenUp means that a call had not returned [Grace] after its context ended. What it did, or may still do, is unknown.
var ErrGivenUp = errors.New("given up on a call that does not return")

// Bounded runs call and passes its result to done. Both run in the calling goroutine, because a takeover must not wait until another one is
// scheduled. If call has not returned [Grace] after ctx ended, another goroutine passes [ErrGivenUp] to done instead, and a later result is
// discarded. So done is called exactly once, but Bounded itself may return much later: to wait for the end, wait for done.
func Bounded[T any](ctx context.Context, call func() (T, error), done func(T, error)) {
	var handed atomic.Bool
	returned := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-returned:
		case <-time.After(Grace):
			if handed.CompareAndSwap(false, true) {
				var none T
				done(none, fmt.Errorf("%w: %w", ErrGivenUp, context.Cause(ctx)))
			}
		}
	})
	result, err := call()
	stop()
	close(returned)
	if handed.CompareAndSwap(false, true) {
		done(result, err)
	}
}

// Await is like [Bounded], but runs call in a goroutine of its own and returns its result.
func Await[T any](ctx context.Context, call func() (T, error)) (T, error) {
	type answer struct {
		result T
		err    error
	}
	answers := make(chan answer, 1)
	go Bounded(ctx, call, func(result T, err error) { answers <- answer{result, err} })
	a := <-answers
	return a.result, a.err
}
