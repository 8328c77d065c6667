package controller

import (
	"cmp"
	"net/netip"
	"strings"

	"floaty/desired"
	"floaty/providers/logkey"
)

// lead returns the address that stands for all that share addr's resource; addr itself if it shares none. Only a lead is reconciled
// and written, so all of them share readings, one write and its acknowledgement, and a failure counts once.
func (c *Controller) lead(addr netip.Addr) netip.Addr {
	if sharing := c.opts.Observed.Sharing(addr); sharing != nil {
		return sharing[0]
	}
	return addr
}

// want returns what is desired for addr and all addresses that share its resource, as one: it is ours while any of them is, and has the
// latest generation of all. What Keepalived said of an address before the address was lost no longer matters, and is left out. managed tells
// whether addr itself is managed.
func (c *Controller) want(addr netip.Addr) (want desired.Address, managed bool) {
	want, managed = c.opts.Desired.Address(addr)
	want.Generation = sinceLoss(want.Generation)
	for _, other := range c.opts.Observed.Sharing(addr) {
		also, _ := c.opts.Desired.Address(other)
		want.Ours = want.Ours || also.Ours
		want.Server = cmp.Or(want.Server, also.Server)
		want.Generation = want.Latest(sinceLoss(also.Generation))
		want.Changed = later(want.Changed, also.Changed)
	}
	return want, managed
}

// sinceLoss returns g without a claim and a rival from before the loss.
func sinceLoss(g desired.Generation) desired.Generation {
	if g.LastClaim < g.LastLoss {
		g.LastClaim = 0
	}
	if g.LastRival < g.LastLoss {
		g.LastRival = 0
	}
	return g
}

// drop ends the processing of an address that is no longer managed, or that has a lead since it became known that they share a resource.
// The lead takes over what the status of addr knows about the resource.
func (c *Controller) drop(addr, lead netip.Addr) {
	if _, managed := c.opts.Desired.Address(addr); !managed {
		sharing := c.opts.Observed.Sharing(addr)
		c.opts.Observed.Forget(addr)
		for _, other := range sharing { // the others have another lead now
			if other != addr {
				lead = c.lead(other)
				break
			}
		}
	}
	c.pace.Drop(addr)
	var next netip.Addr
	var granted bool
	c.mu.Lock()
	delete(c.published, addr)
	if st := c.statuses[addr]; st != nil {
		next, granted = c.release(addr, st)
		st.slot = noSlot // if it was in line, it no longer is
		if lead != addr {
			c.inheritStatus(lead, st)
		}
	}
	c.mu.Unlock()
	delete(c.statuses, addr)
	if granted {
		c.queue.Add(next)
	}
	if lead != addr {
		c.queue.Add(lead)
	}
	c.queue.Done(addr)
}

// inheritStatus makes an address take over what is answered, and what is still to be verified, from another address of its resource. c.mu
// is held. If the heir is being written, that write owns its status and will answer for both.
func (c *Controller) inheritStatus(heir netip.Addr, from *status) {
	st := c.statuses[heir]
	_, busy := c.slots.writes[heir]
	switch {
	case st == nil:
		own := *from // a copy, because from may still be in the line for a slot, under its own address
		c.statuses[heir] = &own
	case !busy:
		st.answered = max(st.answered, from.answered)
		if len(st.verify.delays) < len(from.verify.delays) {
			st.verify = from.verify
		}
	}
}

// warn logs, once for each resource, that its addresses are wanted by instances that are in no common sync group.
func (c *Controller) warn() {
	said := c.apart
	c.apart = nil
	for _, sharing := range c.opts.Observed.Resources() {
		addr := sharing[0]
		names := strings.Join(c.opts.Desired.Apart(sharing), ", ")
		if names == "" {
			continue
		}
		if said[addr] != names {
			c.opts.Log.Error(nil, "instances that are in no common sync group want addresses that the cloud only moves together: "+
				"they are ours while any of them is MASTER", logkey.Address, addr, logkey.Instance, names)
		}
		if c.apart == nil {
			c.apart = map[netip.Addr]string{}
		}
		c.apart[addr] = names
	}
}
