package controller

import (
	"net/netip"
	"sync/atomic"

	"floaty/desired"
)

// A slot tells whether an address may be written now, as far as the bound on concurrent writes is concerned.
type slot int

const (
	noSlot  slot = iota
	inLine       // its write is decided and waits for a slot
	hasSlot      // it may be written; ends when it has been processed
)

// slots bound the concurrent writes. An address that gets none is processed again when it is its turn, first come, first served; no
// goroutine waits for that. The controller's mu guards them, except for busy.
type slots struct {
	free   int
	line   []waiter
	writes map[netip.Addr]recheck
	busy   atomic.Bool // whether writes has any; it can be read without mu, because a MASTER line must not wait for mu
}

// A recheck cancels a write that has not returned, unless its address is still ours and belongs on the same server.
type recheck func(want desired.Address)

// A waiter is in line, unless its address has been dropped since.
type waiter struct {
	addr netip.Addr
	st   *status
}

// acquire gives addr a slot and registers its write, or puts addr in line.
func (c *Controller) acquire(addr netip.Addr, st *status, w recheck) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if st.slot == noSlot && c.slots.free > 0 {
		c.slots.free--
		st.slot = hasSlot
	}
	switch st.slot {
	case hasSlot:
		c.slots.writes[addr] = w
		c.slots.busy.Store(len(c.slots.writes) > 0)
		return true
	case noSlot:
		st.slot = inLine
		c.slots.line = append(c.slots.line, waiter{addr, st})
	case inLine:
	}
	return false
}

// writeDecided reports whether st's address waits for a slot, or has one for a write that has not begun. Another address that ends its write
// may pass its slot on at any time.
func (c *Controller) writeDecided(st *status) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return st.slot != noSlot
}

// release takes back what acquire gave to addr, and returns the address that the slot passes to, if there is one. c.mu is held.
func (c *Controller) release(addr netip.Addr, st *status) (next netip.Addr, ok bool) {
	delete(c.slots.writes, addr)
	c.slots.busy.Store(len(c.slots.writes) > 0)
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
