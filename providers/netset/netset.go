// Package netset maps addresses to the networks that contain them. Clouds hand out networks, such as 2001:db8:500:1::/96 for an
// Exoscale elastic IP, and every address in a network is the same resource.
//
//   - If several networks contain an address, the one with the longest prefix counts.
//   - Addresses are compared by value: an IPv4-mapped IPv6 address equals the IPv4 address, and zones are ignored.
//
// The package knows no cloud and imports no other package of floaty.
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

// Add maps a network to a value and replaces an earlier value. Host bits of the network are ignored. Add ignores a network that is
// not valid.
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

// Find returns the network with the longest prefix that contains addr, and its value. It costs one map lookup per prefix length in the
// set; in practice there are two or three.
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

// Parse parses a network such as "192.0.2.1/32" or "2001:db8:500:1::/96". An address without a prefix length is a network of one address.
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

// Canonical returns addr in the form in which addresses are compared: an IPv4-mapped address as IPv4, and without a zone.
func Canonical(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// mappedBits is the prefix length of ::ffff:0:0/96, the range of IPv4-mapped addresses (RFC 4291, section 2.5.5.2).
const mappedBits = 96

func canonicalPrefix(network netip.Prefix) netip.Prefix {
	if network.Addr().Is4In6() && network.Bits() >= mappedBits {
		network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-mappedBits)
	}
	return network.Masked()
}
