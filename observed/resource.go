package observed

import (
	"net/netip"
	"slices"
)

// Sharing returns the addresses that are part of the same resource as addr, as far as readings have shown: sorted, with addr among
// them. It returns nil if addr shares nothing. The caller must not change it.
func (o *Observed) Sharing(addr netip.Addr) []netip.Addr {
	sharing := o.sharing.Load()
	if sharing == nil { // as for almost every account; this is called before each write
		return nil
	}
	return (*sharing)[addr]
}

// Resources returns, for each resource that several addresses are part of, those addresses, sorted. The caller must not change them.
func (o *Observed) Resources() [][]netip.Addr {
	sharing := o.sharing.Load()
	if sharing == nil {
		return nil
	}
	var resources [][]netip.Addr
	for addr, addrs := range *sharing {
		if addr == addrs[0] {
			resources = append(resources, addrs)
		}
	}
	return resources
}

// share recomputes which addresses share a resource. What invalidated the readings of one invalidates those of all: the resource was
// written. o.mu is held.
func (o *Observed) share() {
	resources := map[string][]netip.Addr{}
	for addr, e := range o.known {
		if resource := e.reading.Resource; resource != "" {
			resources[resource] = append(resources[resource], addr)
		}
	}
	sharing := map[netip.Addr][]netip.Addr{}
	for _, addrs := range resources {
		if len(addrs) == 1 {
			continue
		}
		addrs = slices.Clip(addrs)
		slices.SortFunc(addrs, netip.Addr.Compare)
		var invalidated uint64
		for _, addr := range addrs {
			sharing[addr] = addrs
			invalidated = max(invalidated, o.known[addr].invalidated)
		}
		for _, addr := range addrs {
			o.known[addr].invalidated = invalidated
		}
	}
	if len(sharing) == 0 {
		o.sharing.Store(nil)
		return
	}
	o.sharing.Store(&sharing)
}
