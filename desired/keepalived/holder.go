package keepalived

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
)

// A Holder holds the states that follow from one event of a notify script. A later event does not change them, because it starts another
// process. Only a standstill does: it suspends a MASTER, as in a [Listener].
type Holder struct {
	opts   HolderOptions
	acting sync.Mutex // held from a change until Changed has returned, so that nobody writes in between

	mu     sync.Mutex // guards all below; is locked after acting
	states states
	clock  clock
}

// HolderOptions are the options of a Holder. All of them are required.
type HolderOptions struct {
	AdvertInterval func(instance string) time.Duration // as in [Conf]
	Changed        func()                              // called when Instances has changed
	Log            logr.Logger
}

// NewHolder returns a Holder of the state that an event reports, for its instance or for the members of its group.
func NewHolder(e Event, members []string, opts HolderOptions) *Holder {
	h := &Holder{opts: opts, states: states{}, clock: newClock()}
	h.states.apply(e, members, time.Now())
	return h
}

// Instances returns the states of the instances, by name.
func (h *Holder) Instances() map[string]Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.states.clone()
}

// Settle begins a suspension if the process has stood still, and ends one whose time is over. It must be called right before each write. If
// ctx has ended, which Changed may have brought about, it returns the cause.
func (h *Holder) Settle(ctx context.Context) error {
	h.act()
	return context.Cause(ctx)
}

func (h *Holder) act() {
	h.acting.Lock()
	defer h.acting.Unlock()
	if h.update(time.Now()) {
		h.opts.Changed()
	}
}

// Run watches for standstills until ctx ends.
func (h *Holder) Run(ctx context.Context) {
	heart, err := newHeart()
	if err != nil {
		h.opts.Log.Error(err, "cannot notice that this process is stopped or frozen, so an address may be assigned to this server after another has taken over; a suspended machine is still noticed")
		return
	}
	heart.set(true)
	defer context.AfterFunc(ctx, heart.close)()
	h.expectBeat()
	heart.run(func() {
		_ = h.Settle(ctx) // its error is the end of ctx
		h.expectBeat()
	})
}

// expectBeat notes when the next beat is due.
func (h *Holder) expectBeat() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock.due = time.Now().Add(beatEvery)
}

// update begins and ends suspensions, and reports whether it has done so.
func (h *Holder) update(now time.Time) (changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.clock.reset(); p.matters() {
		changed = h.states.stoodStill(p, now, h.opts.AdvertInterval, h.opts.Log)
	}
	return h.states.endSuspensions(now) || changed
}
