package conf

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// A family is the address family of an instance. The first address decides, among the VIPs, the peers and the source address (seen on
// 2.2.7). The zero value is undecided. A nil family accepts every address.
type family struct{ bits int }

// set decides for the family of addr, unless the family is decided already.
func (f *family) set(addr netip.Addr) {
	if f.bits == 0 {
		f.bits = addr.BitLen()
	}
}

// mismatch returns why an address cannot belong to the instance, or an empty string if it can.
func (f *family) mismatch(addr netip.Addr) string {
	if f == nil {
		return ""
	}
	f.set(addr)
	if f.bits != addr.BitLen() {
		return "not of the instance's address family"
	}
	return ""
}

// learn applies what a statement in the instance says about its family.
func (f *family) learn(t token) {
	switch t.words[0] {
	case "native_ipv6":
		f.set(netip.IPv6Unspecified())
	case "unicast_src_ip", "mcast_src_ip":
		if len(t.words) > 1 {
			if addr, ok := parseAddr(t.words[1]); ok {
				f.set(addr)
			}
		}
	}
}

// parseAddr parses an address as inet_pton(3) does: without a zone or leading zeros. An IPv4-mapped IPv6 address stays IPv6.
func parseAddr(text string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(text)
	return addr, err == nil && addr.Zone() == ""
}

// parseAddress parses the words of a line in virtual_ipaddress. dropped is why Keepalived ignores the line, or empty if it does not.
func parseAddress(words []string) (prefix netip.Prefix, dropped string) {
	text, length, cut := strings.Cut(words[0], "/")
	addr, ok := parseAddr(text)
	if !ok {
		return netip.Prefix{}, "not an address"
	}
	bits := addr.BitLen()
	if cut {
		bits = prefixLength(length, bits)
	}
	return netip.PrefixFrom(addr, bits), rejectedOption(addr, words[1:])
}

// prefixLength parses a prefix length as strtoul(3) does: it uses the digits at the start, and 0 if there are none. A number that is out
// of range counts as the largest possible.
func prefixLength(text string, most int) int {
	text = strings.TrimPrefix(text, "+")
	end := strings.IndexFunc(text, func(c rune) bool { return c < '0' || c > '9' })
	if end < 0 {
		end = len(text)
	}
	n, err := strconv.Atoi("0" + text[:end])
	if err != nil || n > most || strings.HasPrefix(text, "-") {
		return most
	}
	return n
}

// maxLabel is the length limit of an interface name, in bytes (IFNAMSIZ minus one).
const maxLabel = 15

// rejectedOption returns why Keepalived ignores an address because of its options, or an empty string if it does not. Unknown words, and
// values that Keepalived merely ignores, are not a reason.
func rejectedOption(addr netip.Addr, words []string) string {
	device := false
	for len(words) > 0 {
		option := words[0]
		words = words[1:]
		switch option {
		case "dev", "scope", "brd", "broadcast", "label", "peer", "preferred_lft":
		default:
			continue
		}
		if len(words) == 0 {
			return option + " without a parameter"
		}
		value := words[0]
		words = words[1:]
		switch option {
		case "dev":
			if device {
				return "dev twice"
			}
			device = true
		case "brd", "broadcast":
			if bad := rejectedBroadcast(addr, option, value); bad != "" {
				return bad
			}
		case "label":
			if len(value) > maxLabel {
				return fmt.Sprintf("label %s is longer than %d bytes", value, maxLabel)
			}
		}
	}
	return ""
}

func rejectedBroadcast(addr netip.Addr, option, value string) string {
	if addr.Is6() {
		return option + " on an IPv6 address"
	}
	if value == "+" || value == "-" {
		return ""
	}
	if b, ok := parseAddr(value); !ok || !b.Is4() {
		return fmt.Sprintf("%s %s is not an address", option, value)
	}
	return ""
}
