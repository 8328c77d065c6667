// Package desired determines which addresses belong on this server now.
//
// [Compute] derives them from the VRRP states, keepalived.conf, the configuration and this server's ID; it is a pure function. [State]
// keeps the latest inputs, and returns what each new input changes. The package reads no files, makes no calls and logs nothing: its
// callers do.
package desired

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"floaty/desired/keepalived"
)

// A Change is what a new input changed. The lists are sorted, and an address may be in several of them.
type Change struct {
	Added    []netip.Addr // managed from now on
	Removed  []netip.Addr // no longer managed
	Lost     []netip.Addr // ours before, not now
	Gained   []netip.Addr // ours now, not before
	Claimed  []netip.Addr // ours, and Keepalived has just said MASTER of an instance that wants it
	Rivals   []netip.Addr // ours, and an instance that wants it has just heard a rival (MASTER_RX_LOWER_PRI)
	Warnings []Warning    // those that did not hold before
}

// Addresses returns the addresses to be reconciled because of a change, the most urgent first. An address may be in it several times. In
// most takeovers the addresses that are claimed are those that are gained; then each is in it once.
func (c Change) Addresses() []netip.Addr {
	gained := c.Gained
	if slices.Equal(gained, c.Claimed) {
		gained = nil
	}
	return slices.Concat(c.Claimed, c.Lost, gained, c.Rivals, c.Added, c.Removed)
}

// State is the latest input and the set computed from it. Its methods may be called from many goroutines at once.
type State struct {
	mu    sync.Mutex // guards all below
	in    Input
	set   Set
	wants map[string][]netip.Addr // by instance, as in set
	count uint64                  // of changes so far, which numbers them
}

// SetKeepalived sets the states of the VRRP instances. Usually one of many instances has changed; then only its addresses are computed
// again, because a takeover must not wait for ten thousand others.
func (s *State) SetKeepalived(states map[string]keepalived.Status) Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sameNames(states) {
		return s.update(func(in *Input) { in.States = states })
	}
	return s.patch(states)
}

// sameNames reports whether states are of the instances that the set was computed from.
func (s *State) sameNames(states map[string]keepalived.Status) bool {
	if len(states) != len(s.in.States) || s.wants == nil {
		return false
	}
	for name := range states {
		if _, known := s.in.States[name]; !known {
			return false
		}
	}
	return true
}

// patch does what update does, for new states of the same instances.
func (s *State) patch(states map[string]keepalived.Status) Change {
	before := s.in.States
	s.in.States = states
	m := s.newMark()
	var change Change
	for name, inst := range states {
		if inst == before[name] {
			continue
		}
		for _, addr := range s.wants[name] {
			w := s.set.Addresses[addr]
			was := w.Ours
			w.Ours = s.in.ours(w.Instances)
			s.set.Addresses[addr] = m.add(&change, addr, was, w, before, states)
		}
	}
	change.sort()
	return change
}

// A mark is the number and the time of a change, which it leaves on the addresses that it concerns.
type mark struct {
	number uint64
	at     time.Time
}

func (s *State) newMark() mark {
	s.count++
	return mark{s.count, time.Now()}
}

// add adds to c what has changed about an address, which was ours before if was is true. It returns the address with the mark on each
// change.
func (m mark) add(c *Change, addr netip.Addr, was bool, is Address, before, now map[string]keepalived.Status) Address {
	switch {
	case was && !is.Ours:
		c.Lost = append(c.Lost, addr)
		is.LastLoss, is.Changed = m.number, m.at
	case !was && is.Ours:
		c.Gained = append(c.Gained, addr)
		is.LastGain, is.Changed = m.number, m.at
	}
	if !is.Ours {
		return is
	}
	claims, rivals := news(is.Instances, before, now)
	if claims {
		c.Claimed = append(c.Claimed, addr)
		is.LastClaim, is.Changed = m.number, m.at
	}
	if rivals {
		c.Rivals = append(c.Rivals, addr)
		is.LastRival, is.Changed = m.number, m.at
	}
	return is
}

// sort sorts the lists, and drops the duplicates that arise if two instances want one address.
func (c *Change) sort() {
	for _, list := range []*[]netip.Addr{&c.Added, &c.Removed, &c.Lost, &c.Gained, &c.Claimed, &c.Rivals} {
		slices.SortFunc(*list, netip.Addr.Compare)
		*list = slices.Compact(*list)
	}
}

// SetSettings sets what the configuration and keepalived.conf say.
func (s *State) SetSettings(settings Settings) Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.update(func(in *Input) { in.Settings = settings })
}

// SetServer sets this server's ID; empty: it is not known.
func (s *State) SetServer(id string) Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.update(func(in *Input) { in.Server = id })
}

// Server returns this server's ID, which is empty if it is not known.
func (s *State) Server() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set.Server
}

// Address returns what is desired for addr; false if it is not managed.
func (s *State) Address(addr netip.Addr) (Address, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.set.Addresses[addr]
	w.Server = s.set.Server
	return w, ok
}

// Apart returns the instances that want addrs, sorted, if they are in no common sync group. It returns none if all of them want the same
// one of addrs, because a warning of the set covers that case.
func (s *State) Apart(addrs []netip.Addr) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	most := 0
	for _, addr := range addrs {
		instances := s.set.Addresses[addr].Instances
		names = append(names, instances...)
		most = max(most, len(instances))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == most || s.in.together(names) {
		return nil
	}
	return names
}

// Addresses returns all managed addresses, sorted, ours or not.
func (s *State) Addresses() []netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	addrs := make([]netip.Addr, 0, len(s.set.Addresses))
	for addr := range s.set.Addresses {
		addrs = append(addrs, addr)
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return addrs
}

// Len returns how many addresses are managed, ours or not.
func (s *State) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.set.Addresses)
}

// Named reports whether an instance counts: keepalived.conf names it, or where that is not known, the configuration lets it
// want addresses.
func (s *State) Named(instance string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in.Keepalived == nil && len(s.in.Managed) > 0 {
		return true
	}
	return slices.Contains(s.in.names(), instance)
}

// Members returns the instances of a sync group, as keepalived.conf has them.
func (s *State) Members(group string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in.Keepalived == nil {
		return nil
	}
	for _, g := range s.in.Keepalived.Groups {
		if g.Name == group {
			return g.Members
		}
	}
	return nil
}

// VIPs returns the addresses that keepalived.conf gives an instance.
func (s *State) VIPs(instance string) []netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return VIPs(s.in.Keepalived, instance)
}

// AdvertInterval returns the time between two VRRP advertisements of an instance, as keepalived.conf has it; where that is not known,
// Keepalived's default.
func (s *State) AdvertInterval(instance string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in.Keepalived != nil {
		for _, inst := range s.in.Keepalived.Instances {
			if inst.Name == instance && inst.AdvertInterval > 0 {
				return inst.AdvertInterval
			}
		}
	}
	return time.Second
}

// Names returns the names of the instances that count, sorted.
func (s *State) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.in.names()
}

// Unknown returns the instances whose state is not known.
func (s *State) Unknown() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, name := range s.in.names() {
		if s.in.States[name].State == keepalived.Unknown {
			names = append(names, name)
		}
	}
	return names
}

// update changes the input and computes the set anew. s.mu is held.
func (s *State) update(edit func(*Input)) Change {
	before := s.in
	if before.Server == "" { // nothing could be done about what Keepalived said, so it counts as said now
		before.States = nil
	}
	edit(&s.in)
	set := Compute(s.in)
	change := difference(s.set, set)
	m := s.newMark()
	for addr, w := range set.Addresses {
		old, known := s.set.Addresses[addr]
		w.Generation, w.Changed = old.Generation, old.Changed
		if !known {
			w.Changed = m.at
		}
		set.Addresses[addr] = m.add(&change, addr, old.Ours, w, before.States, s.in.States)
	}
	s.set, s.wants = set, map[string][]netip.Addr{}
	for addr, w := range set.Addresses {
		for _, name := range w.Instances {
			s.wants[name] = append(s.wants[name], addr)
		}
	}
	change.sort()
	return change
}

// difference returns which addresses are managed from now on or no longer, and which warnings are new.
func difference(before, now Set) Change {
	var c Change
	for addr := range now.Addresses {
		if _, known := before.Addresses[addr]; !known {
			c.Added = append(c.Added, addr)
		}
	}
	for addr, w := range before.Addresses {
		if _, known := now.Addresses[addr]; known {
			continue
		}
		c.Removed = append(c.Removed, addr)
		if w.Ours {
			c.Lost = append(c.Lost, addr)
		}
	}
	for _, warning := range now.Warnings {
		if !slices.Contains(before.Warnings, warning) {
			c.Warnings = append(c.Warnings, warning)
		}
	}
	return c
}

// news reports whether Keepalived has said MASTER of one of instances, or has heard a rival, since before. Only instances that are MASTER
// and not suspended count.
func news(instances []string, before, now map[string]keepalived.Status) (claims, rivals bool) {
	for _, name := range instances {
		is, was := now[name], before[name]
		if is.State != keepalived.Master || is.Suspended {
			continue
		}
		claims = claims || is.Claims != was.Claims
		rivals = rivals || is.Rivals != was.Rivals
	}
	return claims, rivals
}
