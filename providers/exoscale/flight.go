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
	done  chan struct{} // closed at the end
	err   error
	ended bool // its context had ended, so that its error means nothing to others
}

// do calls f, unless a call for key is under way: then it waits for that and returns its error. It is called after all if that was
// given up by its caller.
func (f *flights) do(ctx context.Context, key any, call func() error) error {
	for {
		mine, under := f.board(key)
		if mine != nil {
			mine.err = call()
			mine.ended = ctx.Err() != nil
			f.land(key, mine)
			return mine.err
		}
		select {
		case <-under.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if under.err == nil || !under.ended {
			return under.err
		}
	}
}

// board returns a new flight, or the one that is under way.
func (f *flights) board(key any) (mine, under *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if under, ok := f.under[key]; ok {
		return nil, under
	}
	if f.under == nil {
		f.under = map[any]*flight{}
	}
	mine = &flight{done: make(chan struct{})}
	f.under[key] = mine
	return mine, nil
}

func (f *flights) land(key any, mine *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.under, key)
	close(mine.done)
}
