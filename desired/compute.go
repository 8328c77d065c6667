package desired

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"floaty/desired/keepalived"
	"floaty/desired/keepalived/conf"
)

// Settings is what the configuration and keepalived.conf say about addresses.
type Settings struct {
	Instances  map[string][]netip.Addr // addresses of single instances, from the configuration
	Managed    []netip.Addr            // addresses of every instance that Instances does not name
	Keepalived *conf.Config            // nil: keepalived.conf could not be read
}

// Input is all that decides what is desired.
type Input struct {
	Settings
	States map[string]keepalived.Status
	Server string // this server's ID; empty: not known yet
}

// An Address describes which instances want an address, and where it belongs.
type Address struct {
	Instances  []string  // that want it, sorted
	Server     string    // where it belongs while it is ours; empty: not known yet. Only State.Address sets it
	Ours       bool      // one of the instances is MASTER on this host and not suspended, and Server is known
	Generation           // zero in what Compute returns; State numbers its changes
	Changed    time.Time // when it became managed or its generation changed; the same instant for all addresses of one change
}

// A Generation tells whether something has happened to an address since a caller last handled it. Each field is the number of the latest
// change of its kind. A State numbers all its changes with one counter, so a higher number is a later change, numbers of different
// addresses can be compared, and gaps between them mean nothing. 0: there was no such change.
type Generation struct {
	LastClaim uint64 // Keepalived said MASTER, and it is ours
	LastRival uint64 // Keepalived heard a rival, and it is ours
	LastGain  uint64 // it became ours
	LastLoss  uint64 // it stopped being ours
}

// Last returns the highest of the numbers.
func (g Generation) Last() uint64 { return max(g.LastClaim, g.LastRival, g.LastGain, g.LastLoss) }

// Latest returns the later number of each kind.
func (g Generation) Latest(other Generation) Generation {
	return Generation{max(g.LastClaim, other.LastClaim), max(g.LastRival, other.LastRival), max(g.LastGain, other.LastGain), max(g.LastLoss, other.LastLoss)}
}

// A Set is what is desired.
type Set struct {
	Server    string
	Addresses map[netip.Addr]Address
	Warnings  []Warning
}

// A Warning is something about the input that a human should be told once. It is comparable.
type Warning struct {
	Message  string // constant
	Serious  bool   // needs a human
	Instance string // or several, with commas
	Address  string // empty: it is about no address
}

const (
	warnUnnamed   = "instance is not named by keepalived.conf: its lines are ignored"
	warnUnlisted  = "instance is not named by the configuration, and keepalived.conf is not known: its lines are ignored"
	warnMistaken  = "the configuration gives addresses to an instance that keepalived.conf does not name"
	warnNone      = "keepalived.conf has no vrrp_instance: nothing is managed"
	warnNoAddress = "instance has no addresses: it manages nothing"
	warnTwice     = "instances that are in no common sync group want the same address: it is ours while any of them is MASTER"
)

// An Instance is a VRRP instance with the addresses that it wants.
type Instance struct {
	Name      string
	Addresses []netip.Addr // each once
	Source    string       // where they are from: "instances", "managed-addresses" or "keepalived.conf"
}

// Compute returns what is desired. The result depends only on its argument.
//
//   - An instance's addresses are those that the configuration gives it, else the managed ones, else those that keepalived.conf gives it as
//     virtual_ipaddress and virtual_ipaddress_excluded.
//   - Where keepalived.conf is known, an instance that it does not name is ignored.
//   - An address is ours while any instance that wants it is MASTER and not suspended, and this server's ID is known.
func Compute(in Input) Set {
	set := Set{Server: in.Server, Addresses: map[netip.Addr]Address{}}
	if in.Keepalived == nil { // then every instance may want them, even one that has not been heard of yet
		for _, addr := range in.Managed {
			set.Addresses[addr] = Address{}
		}
	}
	var names []string
	for _, inst := range in.Instances() {
		names = append(names, inst.Name)
		if len(inst.Addresses) == 0 {
			set.Warnings = append(set.Warnings, Warning{Message: warnNoAddress, Instance: inst.Name})
		}
		ours := in.ours([]string{inst.Name})
		for _, addr := range inst.Addresses {
			w := set.Addresses[addr]
			w.Instances = append(w.Instances, inst.Name)
			w.Ours = w.Ours || ours
			set.Addresses[addr] = w
		}
	}
	if in.Keepalived != nil && len(names) == 0 {
		set.Warnings = append(set.Warnings, Warning{Message: warnNone, Serious: true})
	}
	set.Warnings = append(set.Warnings, in.unnamed(names)...)
	set.Warnings = append(set.Warnings, in.twice(set.Addresses)...)
	return set
}

// ours reports whether one of instances is MASTER and not suspended, and this server's ID is known.
func (in Input) ours(instances []string) bool {
	return in.Server != "" && slices.ContainsFunc(instances, func(name string) bool {
		state := in.States[name]
		return state.State == keepalived.Master && !state.Suspended
	})
}

// Instances returns the instances that count, sorted by name, with their addresses.
func (in Input) Instances() []Instance {
	var list []Instance
	for _, name := range in.names() {
		addrs, source := in.addresses(name)
		list = append(list, Instance{Name: name, Addresses: addrs, Source: source})
	}
	return list
}

// names returns the names of the instances that count, sorted.
func (in Input) names() []string {
	var names []string
	if in.Keepalived != nil {
		for _, inst := range in.Keepalived.Instances {
			names = append(names, inst.Name)
		}
	} else {
		for name := range in.Settings.Instances {
			names = append(names, name)
		}
		if len(in.Managed) > 0 {
			for name := range in.States {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// addresses returns the addresses of one instance, each once, and where they are from.
func (in Input) addresses(name string) (addrs []netip.Addr, source string) {
	if addrs, ok := in.Settings.Instances[name]; ok {
		return addrs, "instances"
	}
	if len(in.Managed) > 0 {
		return in.Managed, "managed-addresses"
	}
	for _, addr := range VIPs(in.Keepalived, name) {
		if manageable(addr) && !slices.Contains(addrs, addr) {
			addrs = append(addrs, addr)
		}
	}
	return addrs, "keepalived.conf"
}

// VIPs returns the addresses that keepalived.conf gives an instance, as it has them; none if config is nil.
func VIPs(config *conf.Config, instance string) []netip.Addr {
	var addrs []netip.Addr
	if config == nil {
		return nil
	}
	for _, inst := range config.Instances {
		if inst.Name != instance {
			continue
		}
		for _, p := range slices.Concat(inst.Addresses, inst.Excluded) {
			addrs = append(addrs, p.Addr().Unmap())
		}
	}
	return addrs
}

// manageable reports whether a cloud can route addr: Keepalived may also hold addresses that are only meaningful on one link.
func manageable(addr netip.Addr) bool {
	return !addr.IsLinkLocalUnicast() && !addr.IsLoopback() && !addr.IsMulticast() && !addr.IsUnspecified()
}

// unnamed warns about the instances that are ignored although Keepalived or the configuration mentions them.
func (in Input) unnamed(names []string) []Warning {
	message := warnUnnamed
	if in.Keepalived == nil {
		message = warnUnlisted
	}
	var warnings []Warning
	for name := range in.States {
		if _, found := slices.BinarySearch(names, name); !found {
			warnings = append(warnings, Warning{Message: message, Serious: true, Instance: name})
		}
	}
	for name := range in.Settings.Instances {
		if _, found := slices.BinarySearch(names, name); !found {
			warnings = append(warnings, Warning{Message: warnMistaken, Serious: true, Instance: name})
		}
	}
	slices.SortFunc(warnings, func(a, b Warning) int { return strings.Compare(a.Instance, b.Instance) })
	return warnings
}

// twice warns about instances that want the same addresses and are not all in one sync group, once for each such set of instances.
func (in Input) twice(addrs map[netip.Addr]Address) []Warning {
	shared := map[string][]netip.Addr{} // by the names of those that want them
	for addr, w := range addrs {
		if len(w.Instances) > 1 && !in.together(w.Instances) {
			names := strings.Join(w.Instances, ", ")
			shared[names] = append(shared[names], addr)
		}
	}
	var warnings []Warning
	for names, addrs := range shared {
		warnings = append(warnings, Warning{Message: warnTwice, Instance: names, Address: abridge(addrs)})
	}
	slices.SortFunc(warnings, func(a, b Warning) int { return strings.Compare(a.Instance, b.Instance) })
	return warnings
}

// abridge returns a text that names the lowest of addrs and gives the number of the others.
func abridge(addrs []netip.Addr) string {
	first := slices.MinFunc(addrs, netip.Addr.Compare).String()
	if len(addrs) == 1 {
		return first
	}
	return fmt.Sprintf("%s and %d more", first, len(addrs)-1)
}

func (in Input) together(instances []string) bool {
	if in.Keepalived == nil {
		return false
	}
	return slices.ContainsFunc(in.Keepalived.Groups, func(g conf.Group) bool {
		return !slices.ContainsFunc(instances, func(name string) bool { return !slices.Contains(g.Members, name) })
	})
}
