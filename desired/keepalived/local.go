package keepalived

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
)

// LocalAddrs returns the addresses on the interfaces of this process's network namespace.
func LocalAddrs() (map[netip.Addr]bool, error) {
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	addrs := map[netip.Addr]bool{}
	for _, n := range nets {
		if prefix, err := netip.ParsePrefix(n.String()); err == nil {
			addrs[prefix.Addr().Unmap()] = true
		}
	}
	return addrs, nil
}

// otherNamespaceAddrs returns the addresses in the network namespace of a process, from /proc, or nil if that is this process's own
// namespace.
func otherNamespaceAddrs(pid int) (map[netip.Addr]bool, error) {
	dir := fmt.Sprintf("/proc/%d/", pid)
	theirs, err := os.Readlink(dir + "ns/net")
	if err != nil {
		return nil, err
	}
	if ours, err := os.Readlink("/proc/self/ns/net"); err != nil || ours == theirs {
		return nil, err
	}
	trie, err := os.ReadFile(dir + "net/fib_trie") //nolint:gosec // of /proc
	if err != nil {
		return nil, err
	}
	addrs := map[netip.Addr]bool{}
	readTrie(string(trie), addrs)
	if six, err := os.ReadFile(dir + "net/if_inet6"); err == nil { //nolint:gosec // of /proc; it is missing if there is no IPv6
		readInet6(string(six), addrs)
	}
	return addrs, nil
}

// readTrie reads the IPv4 addresses from the kernel's routing table: those that are followed by "/32 host LOCAL".
func readTrie(text string, addrs map[netip.Addr]bool) {
	var last netip.Addr
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if leaf, ok := strings.CutPrefix(line, "|-- "); ok {
			last, _ = netip.ParseAddr(leaf)
		} else if line == "/32 host LOCAL" && last.IsValid() {
			addrs[last] = true
		}
	}
}

// readInet6 reads the IPv6 addresses: the first word of each line, 32 hexadecimal digits.
func readInet6(text string, addrs map[netip.Addr]bool) {
	for line := range strings.Lines(text) {
		word, _, _ := strings.Cut(line, " ")
		if raw, err := hex.DecodeString(word); err == nil && len(raw) == 16 {
			addrs[netip.AddrFrom16([16]byte(raw))] = true
		}
	}
}
