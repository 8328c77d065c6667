package conf

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// A family is that of an instance's addresses: the first address that says one decides, among the VIPs, the peers and the
// source address (seen on 2.2.7). Its zero value is undecided; a nil one takes all.
type family struct{ bits int }

// set decides for addr's family, unless it is decided.
func (f *family) set(addr netip.Addr) {
	if f.bits == 0 {
		f.bits = addr.BitLen()
	}
}

// refuses says why an address cannot be one of the instance's; empty: it can.
func (f *family) refuses(addr netip.Addr) string {
	if f == nil {
		return ""
	}
	f.set(addr)
	if f.bits != addr.BitLen() {
		return "not of the instance's address family"
	}
	return ""
}

// learn takes what a statement of the instance says about its family.
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

// parseAddr reads an address as inet_pton(3) does: no zone, no leading zeros. An IPv4 address within IPv6 stays IPv6.
func parseAddr(text string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(text)
	return addr, err == nil && addr.Zone() == ""
}

// parseAddress reads the words of a line of virtual_ipaddress. dropped says why Keepalived leaves the line out; empty: it
// does not.
func parseAddress(words []string) (prefix netip.Prefix, dropped string) {
	text, length, cut := strings.Cut(words[0], "/")
	addr, ok := parseAddr(text)
	if !ok {
		return netip.Prefix{}, "no address"
	}
	bits := addr.BitLen()
	if cut {
		bits = prefixLength(length, bits)
	}
	return netip.PrefixFrom(addr, bits), badOption(addr, words[1:])
}

// prefixLength reads a prefix length as C's strtoul does: the digits at the start, none of them being 0; what is out of
// range counts as the most.
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

// maxLabel is the length of a name of an interface, in bytes (IFNAMSIZ less one).
const maxLabel = 15

// badOption returns what about the options of an address makes Keepalived leave it out; empty: nothing. Words that are no
// option, and values that it merely ignores, do not.
func badOption(addr netip.Addr, words []string) string {
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
			if bad := badBroadcast(addr, option, value); bad != "" {
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

func badBroadcast(addr netip.Addr, option, value string) string {
	if addr.Is6() {
		return option + " on an IPv6 address"
	}
	if value == "+" || value == "-" {
		return ""
	}
	if b, ok := parseAddr(value); !ok || !b.Is4() {
		return fmt.Sprintf("%s %s is no address", option, value)
	}
	return ""
}
