package exoscale

import (
	"context"
	"sync"
)

// A flights lets concurrent calls for the same thing share one call. Before the first reading, all addresses want the same lists, and
// the addresses of one network want the same change.
type flights struct {
	mu      sync.Mutex // guards current
	current map[any]*flight
}

// A flight is one call in progress.
type flight struct {
	over <-chan struct{} // closed when the context of its caller ends
	done chan struct{}   // closed at the end
	err  error
}

// do runs call, unless a call for key is in progress: then it waits for that one and returns its error. If the context of that call has
// ended, do runs call itself and does not wait for the other one, which might never return.
func (f *flights) do(ctx context.Context, key any, call func() error) error {
	for {
		mine, other := f.board(ctx, key)
		if mine != nil {
			mine.err = call()
			f.land(key, mine)
			return mine.err
		}
		select {
		case <-other.done:
			if other.err == nil || !other.isOver() {
				return other.err
			}
		case <-other.over:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// isOver reports whether the context of the flight's caller has ended. Its error then means nothing to others.
func (f *flight) isOver() bool {
	select {
	case <-f.over:
		return true
	default:
		return false
	}
}

// board returns a new flight (mine), or the one in progress (other).
func (f *flights) board(ctx context.Context, key any) (mine, other *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if other, ok := f.current[key]; ok && !other.isOver() {
		return nil, other
	}
	if f.current == nil {
		f.current = map[any]*flight{}
	}
	mine = &flight{over: ctx.Done(), done: make(chan struct{})}
	f.current[key] = mine
	return mine, nil
}

func (f *flights) land(key any, mine *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current[key] == mine { // else another one has replaced it
		delete(f.current, key)
	}
	close(mine.done)
}
