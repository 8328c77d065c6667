package keepalived

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
)

// A Holder is what one event of a notify script says. Its states stay as they are, for a later event has a process of its own; but
// after a standstill every MASTER is suspended, as a [Listener] does it.
type Holder struct {
	opts HolderOptions

	mu     sync.Mutex // guards all below
	states states
	clock  clock
}

// HolderOptions says what a Holder needs. All fields are needed.
type HolderOptions struct {
	AdvertInterval func(instance string) time.Duration // as in [Options]
	Changed        func()                              // called when Instances returns something else than before
	Log            logr.Logger
}

// NewHolder returns the Holder of an event, of its instance or of the members of its group.
func NewHolder(e Event, members []string, opts HolderOptions) *Holder {
	h := &Holder{opts: opts, states: states{}, clock: newClock()}
	h.states.apply(e, members, time.Now())
	return h
}

// Instances returns the states.
func (h *Holder) Instances() map[string]Instance {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.states.clone()
}

// Settle notices a standstill, and the end of the suspension after one. Whoever is about to write calls it first. Its error is the
// cause of ctx's end, which may be its own doing.
func (h *Holder) Settle(ctx context.Context) error {
	if h.look(time.Now()) {
		h.opts.Changed()
	}
	return context.Cause(ctx)
}

// Run beats until ctx ends, so that a standstill can be noticed at all.
func (h *Holder) Run(ctx context.Context) {
	heart, err := newHeart()
	if err != nil {
		h.opts.Log.Error(err, "a standstill will not be noticed, but for that of a suspended machine")
		return
	}
	heart.set(true)
	defer context.AfterFunc(ctx, heart.close)()
	h.expect()
	heart.run(func() {
		_ = h.Settle(ctx) // its error is the end of ctx
		h.expect()
	})
}

// expect notes when the next beat is due.
func (h *Holder) expect() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock.due = time.Now().Add(beatEvery)
}

// look reports whether a suspension begins or ends.
func (h *Holder) look(now time.Time) (changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.clock.reset(); p.matters() {
		changed = h.states.stoodStill(p, now, h.opts.AdvertInterval, h.opts.Log)
	}
	return h.states.endSuspensions(now) || changed
}
