package controller

import (
	"net/netip"
	"strings"
	"time"

	"floaty/providers/logkey"
)

// lead returns the address that stands for all that share addr's resource; addr itself where it shares none. Only a lead is looked
// at and written: so they share readings, one write and its acknowledgement, and a failure counts once.
func (c *Controller) lead(addr netip.Addr) netip.Addr {
	if sharing := c.opts.Observed.Sharing(addr); sharing != nil {
		return sharing[0]
	}
	return addr
}

// leads returns the address that stands for each of addrs.
func (c *Controller) leads(addrs []netip.Addr) []netip.Addr {
	leads := make([]netip.Addr, len(addrs))
	for i, addr := range addrs {
		leads[i] = c.lead(addr)
	}
	return leads
}

// server returns where addr belongs, and whether that is this server's to say now: because of addr, or of one that shares its
// resource.
func (c *Controller) server(addr netip.Addr) (server string, ours bool) {
	server, ours = c.opts.Desired.Server(addr)
	for _, other := range c.opts.Observed.Sharing(addr) {
		if ours {
			break
		}
		_, ours = c.opts.Desired.Server(other)
	}
	return server, ours
}

// follow ends a look at an address that has a lead, for it was found out only now that they share a resource. What is still to be
// answered is the lead's to answer.
func (c *Controller) follow(addr, lead netip.Addr, m *memory, s signal) {
	now := time.Now()
	m.hear(s, now)
	c.mu.Lock()
	if s.gained || m.claimed || m.suspect || !m.look.IsZero() {
		l := c.signal(lead, now)
		l.claimed = l.claimed || m.claimed
		l.rival = true // to be looked at with a new reading, as if a rival had been heard
	}
	delete(c.memories, addr)
	c.mu.Unlock()
	c.end(addr, m, 0)
	c.queue.Add(lead)
}

// warn says once of each resource that instances want addresses of it which do not change their state together.
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
