package controller

import (
	"context"
	"net/netip"
	"time"

	"floaty/providers"
)

// spare is how many addresses may be looked at side by side beyond those that are written: a look by itself waits for nothing.
const spare = 8

// minRest is how long an address rests at least that could not be read, so that no mistake about when to come back costs a CPU.
const minRest = 100 * time.Millisecond

// work looks at addr once, makes the write that reconcile asks for, and has addr looked at again when it is due. It calls over
// when all is done; a write that is given up may return later.
func (c *Controller) work(ctx context.Context, addr netip.Addr, over func()) {
	if ctx.Err() != nil { // a queue that is shut down still hands out what it holds
		over()
		return
	}
	if addr == everything {
		c.refresh()
		over()
		return
	}
	m, s := c.begin(addr)
	if lead := c.lead(addr); lead != addr {
		c.follow(addr, lead, m, s)
		over()
		return
	}
	m.hear(s, time.Now())
	again, w := c.reconcile(addr, m)
	if w != nil {
		c.write(ctx, addr, m, w, over)
		return
	}
	c.opts.Recorder.Reconciled("looked")
	c.end(addr, m, again)
	over()
}

// write makes a write that reconcile asks for, if it is still wanted. What follows runs here too, unless the write was given up.
func (c *Controller) write(ctx context.Context, addr netip.Addr, m *memory, w *attempt, over func()) {
	call, done := c.start(ctx, addr)
	finish := func(again time.Duration) {
		done()
		c.end(addr, m, again)
		over()
	}
	if again, ok := c.begun(addr, m, w); !ok {
		finish(again)
		return
	}
	assign := func() (struct{}, error) {
		return struct{}{}, c.opts.Provider.Assign(call, addr, w.server, w.seen.Servers)
	}
	providers.Bounded(call, assign, func(_ struct{}, err error) { finish(c.written(call, err, addr, m, w)) })
}

// begin hands out the memory of addr, which is the look's own until end: the queue never hands out an address twice at once.
func (c *Controller) begin(addr netip.Addr) (m *memory, s signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if heard := c.signals[addr]; heard != nil {
		s = *heard
		delete(c.signals, addr)
	}
	m = c.memories[addr]
	if m == nil {
		m = newMemory()
		c.memories[addr] = m
	}
	m.turn = c.turns.has[addr]
	return m, s
}

// end ends a look, and its turn to write if it had one. It has addr looked at again after a while, if that is above 0.
func (c *Controller) end(addr netip.Addr, m *memory, again time.Duration) {
	var next []netip.Addr
	c.mu.Lock()
	m.publish(again)
	if m.turn {
		next = c.turns.pass(addr)
	}
	if c.signals[addr] != nil {
		next = append(next, addr)
	}
	if _, managed := c.opts.Desired.Address(addr); !managed {
		delete(c.memories, addr)
		sharing := c.opts.Observed.Sharing(addr)
		c.opts.Observed.Forget(addr)
		for _, other := range sharing { // they may have another lead now
			if other != addr {
				next = append(next, c.lead(other))
			}
		}
	}
	c.mu.Unlock()
	for _, addr := range next {
		c.queue.Add(addr)
	}
	if again > 0 {
		c.queue.AddAfter(addr, again)
	}
}

// takeTurn reports whether addr may be written now. If not, it stands in line.
func (c *Controller) takeTurn(addr netip.Addr, m *memory) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.turn = c.turns.take(addr)
	return m.turn
}

// start returns the context of a write, which ends when addr stops being ours, and what is to be called after it.
func (c *Controller) start(ctx context.Context, addr netip.Addr) (call context.Context, done func()) {
	ctx, lose := context.WithCancelCause(ctx)
	call, cancel := context.WithTimeoutCause(ctx, c.opts.Timeout, errTimeout)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes[addr] = lose
	return call, func() {
		cancel()
		lose(nil)
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.writes, addr)
	}
}

// Turns bound the writes side by side. Who does not get one stands in line: it is looked at again when its turn has come, so that
// nobody waits meanwhile.
type turns struct {
	free int
	line []netip.Addr        // first come, first served
	has  map[netip.Addr]bool // whether it has a turn; those without stand in line
}

// take gives addr a turn, or puts it in line.
func (t *turns) take(addr netip.Addr) bool {
	if has, known := t.has[addr]; known {
		return has
	}
	t.has[addr] = t.free > 0
	if t.free > 0 {
		t.free--
		return true
	}
	t.line = append(t.line, addr)
	return false
}

// pass ends addr's turn and returns who has one now.
func (t *turns) pass(addr netip.Addr) []netip.Addr {
	delete(t.has, addr)
	if len(t.line) == 0 {
		t.free++
		return nil
	}
	next := t.line[0]
	t.line = t.line[1:]
	t.has[next] = true
	return []netip.Addr{next}
}
