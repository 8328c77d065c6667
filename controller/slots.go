package controller

import (
	"context"
	"net/netip"
	"sync/atomic"
)

// A slot says whether an address may be written now, as far as the bound on writes side by side goes.
type slot int

const (
	noSlot  slot = iota
	inLine       // its write is decided, and waits for a slot
	hasSlot      // it may be written, until it has been processed
)

// slots bound the writes side by side. Who gets none is processed again once there is one, first come, first served, so that nobody
// waits meanwhile. The controller's mu guards them, except for busy.
type slots struct {
	free   int
	line   []waiter
	writes map[netip.Addr]context.CancelCauseFunc // in progress; ends one
	busy   atomic.Int32                           // how many those are, for who need not take the mutex then, as mostly
}

// A waiter is in line, unless its address was dropped since.
type waiter struct {
	addr netip.Addr
	st   *status
}

// acquire gives addr a slot and registers the write that cancel ends, or puts it in line.
func (c *Controller) acquire(addr netip.Addr, st *status, cancel context.CancelCauseFunc) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if st.slot == noSlot && c.slots.free > 0 {
		c.slots.free--
		st.slot = hasSlot
	}
	switch st.slot {
	case hasSlot:
		c.slots.writes[addr] = cancel
		c.slots.busy.Store(int32(len(c.slots.writes)))
		return true
	case noSlot:
		st.slot = inLine
		c.slots.line = append(c.slots.line, waiter{addr, st})
	case inLine:
	}
	return false
}

// release ends what acquire has given to addr, and returns the address that its slot passes to, if there is one. c.mu is held.
func (c *Controller) release(addr netip.Addr, st *status) (next netip.Addr, ok bool) {
	delete(c.slots.writes, addr)
	c.slots.busy.Store(int32(len(c.slots.writes)))
	if st.slot != hasSlot {
		return netip.Addr{}, false
	}
	st.slot = noSlot
	for len(c.slots.line) > 0 {
		first := c.slots.line[0]
		c.slots.line = c.slots.line[1:]
		if first.st.slot == inLine {
			first.st.slot = hasSlot
			return first.addr, true
		}
	}
	c.slots.free++
	return netip.Addr{}, false
}
