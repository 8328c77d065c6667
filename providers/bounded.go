package providers

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Grace is how long after its context has ended a call may take to return before its caller gives it up.
const Grace = 2 * time.Second

// ErrGivenUp says that a call had not returned [Grace] after its context ended. Nobody knows what it did, or may still do.
var ErrGivenUp = errors.New("given up on a call that does not return")

// Bounded makes a call, in the calling goroutine, and hands what it returns to done there: a takeover cannot afford to wait for
// another goroutine. If the call has not returned [Grace] after ctx has ended, another goroutine hands [ErrGivenUp] to done
// instead, and what the call returns later, if it ever does, counts for nothing. So done is called exactly once, but Bounded
// itself may return much later, and whoever waits for the end must wait for done.
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

// Await is [Bounded] for a caller that has the time: the call is made in a goroutine of its own.
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
