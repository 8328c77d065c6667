package exoscale

import (
	"context"
	"sync"
)

// A flights lets calls share what one of them is doing: before the first reading, all addresses ask for the same lists, and those
// of one network for the same change.
type flights struct {
	mu    sync.Mutex // guards under
	under map[any]*flight
}

// A flight is one call under way.
type flight struct {
	over <-chan struct{} // closed when the context of its caller ends
	done chan struct{}   // closed at the end
	err  error
}

// do makes a call, unless one for key is under way: then it waits for that and returns its error. Where that one's context has
// ended, it makes the call after all, and does not wait for the other to return: it might never do so, and its caller gives it up.
func (f *flights) do(ctx context.Context, key any, call func() error) error {
	for {
		mine, under := f.board(ctx, key)
		if mine != nil {
			mine.err = call()
			f.land(key, mine)
			return mine.err
		}
		select {
		case <-under.done:
			if under.err == nil || !under.isOver() {
				return under.err
			}
		case <-under.over:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// isOver reports whether the flight's context has ended, so that its error means nothing to others.
func (f *flight) isOver() bool {
	select {
	case <-f.over:
		return true
	default:
		return false
	}
}

// board returns a new flight, or the one that is under way and not over.
func (f *flights) board(ctx context.Context, key any) (mine, under *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if under, ok := f.under[key]; ok && !under.isOver() {
		return nil, under
	}
	if f.under == nil {
		f.under = map[any]*flight{}
	}
	mine = &flight{over: ctx.Done(), done: make(chan struct{})}
	f.under[key] = mine
	return mine, nil
}

func (f *flights) land(key any, mine *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.under[key] == mine { // else another has taken its place
		delete(f.under, key)
	}
	close(mine.done)
}
