package simulator

import (
	"net/netip"
	"slices"
	"time"
)

// A Change records who held an address from a certain time on.
type Change struct {
	At      time.Time
	Holders []string // server IDs
}

// History returns who held addr from when on: first the holders that it was added with, then each change, whoever made it.
// It is empty if addr is not there.
func (c *Cloud) History(addr netip.Addr) []Change {
	c.lock()
	defer c.mu.Unlock()
	a := c.address(addr)
	if a == nil {
		return nil
	}
	changes := make([]Change, len(a.changes))
	for i, change := range a.changes {
		changes[i] = Change{At: change.At, Holders: slices.Clone(change.Holders)}
	}
	return changes
}

// hold makes holders those that hold a from at on, and no load balancer. c.mu is held.
func (a *address) hold(at time.Time, holders ...string) {
	a.loadBalancer = ""
	if len(a.changes) > 0 && slices.Equal(a.holders, holders) {
		return
	}
	a.holders = slices.Clone(holders)
	a.changes = append(a.changes, Change{At: at, Holders: a.holders})
}

// without returns all of holders except id, in a new list.
func without(holders []string, id string) []string {
	return slices.DeleteFunc(slices.Clone(holders), func(holder string) bool { return holder == id })
}
