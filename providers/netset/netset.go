// Package netset maps addresses to what they belong to: clouds hand out networks, such as an Exoscale elastic IP of
// 2001:db8:500:1::/96, and every address in a network is that one resource.
//
//   - Of several networks that hold an address, the one with the longest prefix counts.
//   - Addresses are compared by value: an IPv4-mapped IPv6 address is the IPv4 address, and a zone does not count.
//
// It knows no cloud and imports nothing of floaty.
package netset

import (
	"net/netip"
	"slices"
)

// A Set maps networks to values. Its zero value is empty and ready to use. It must not be changed while others read it.
type Set[V any] struct {
	values map[netip.Prefix]V
	four   []int // prefix lengths that occur among IPv4 networks, longest first
	six    []int // the same for IPv6
}

// Add adds a network with its value, in place of an earlier value. Host bits of the network do not count. A network that is
// not valid is left out.
func (s *Set[V]) Add(network netip.Prefix, value V) {
	network = canonicalPrefix(network)
	if !network.IsValid() {
		return
	}
	if s.values == nil {
		s.values = map[netip.Prefix]V{}
	}
	s.values[network] = value
	lengths := s.lengths(network.Addr())
	if at, found := slices.BinarySearchFunc(*lengths, network.Bits(), func(have, want int) int { return want - have }); !found {
		*lengths = slices.Insert(*lengths, at, network.Bits())
	}
}

// Find returns the longest network that holds addr, and its value. It takes one look into a map for each prefix length that
// occurs, of which clouds have two or three.
func (s *Set[V]) Find(addr netip.Addr) (network netip.Prefix, value V, ok bool) {
	addr = Canonical(addr)
	for _, bits := range *s.lengths(addr) {
		network := netip.PrefixFrom(addr, bits).Masked()
		if value, ok := s.values[network]; ok {
			return network, value, true
		}
	}
	return netip.Prefix{}, value, false
}

func (s *Set[V]) lengths(addr netip.Addr) *[]int {
	if addr.Is4() {
		return &s.four
	}
	return &s.six
}

// Parse reads a network such as "192.0.2.1/32" or "2001:db8:500:1::/96". A bare address is the network of it alone.
func Parse(text string) (netip.Prefix, error) {
	addr, err := netip.ParseAddr(text)
	if err == nil {
		addr = Canonical(addr)
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	return canonicalPrefix(network), nil
}

// Canonical returns addr as it is compared: an IPv4-mapped address as IPv4, and without a zone.
func Canonical(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// mappedBits is the length of ::ffff:0:0/96, in which IPv4 addresses are mapped (RFC 4291, section 2.5.5.2).
const mappedBits = 96

func canonicalPrefix(network netip.Prefix) netip.Prefix {
	if network.Addr().Is4In6() && network.Bits() >= mappedBits {
		network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-mappedBits)
	}
	return network.Masked()
}
