package cloudscale

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	sdk "github.com/cloudscale-ch/cloudscale-go-sdk/v8"

	"floaty/providers"
	"floaty/providers/httpapi"
)

// Read lists all floating IPs and returns who holds each of addrs. An address that lies in a prefix without being its
// base carries an error that names the base.
func (p *Provider) Read(ctx context.Context, addrs []netip.Addr) (map[netip.Addr]providers.Holding, error) {
	ctx, answer := httpapi.Capture(ctx)
	list, err := p.api.List(ctx)
	if err == nil && list == nil {
		err = errors.New("it is no list") // but null
	}
	if err := answer.Err(err); err != nil {
		return nil, fmt.Errorf("listing floating IPs: %w", err)
	}
	known := index(list)
	holdings := make(map[netip.Addr]providers.Holding, len(addrs))
	for _, addr := range addrs {
		holdings[addr] = known.holding(addr)
	}
	return holdings, nil
}

// An account is what a list of floating IPs says.
type account struct {
	holders  map[netip.Addr][]string // by base address
	prefixes []netip.Prefix          // of more than one address
	unclear  []string                // networks that could not be read
}

func index(list []sdk.FloatingIP) account {
	a := account{holders: make(map[netip.Addr][]string, len(list))}
	for _, ip := range list {
		prefix, ok := network(ip.Network)
		if !ok {
			a.unclear = append(a.unclear, ip.Network)
			continue
		}
		a.holders[prefix.Addr()] = holders(ip)
		if !prefix.IsSingleIP() {
			a.prefixes = append(a.prefixes, prefix)
		}
	}
	return a
}

// network reads what the API calls a network, such as "192.0.2.1/32". It accepts a bare address too.
func network(text string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = plain(addr)
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix.Masked(), err == nil
}

// holders returns the ID of the server or load balancer that ip is aimed at; none if it is aimed at nothing.
func holders(ip sdk.FloatingIP) []string {
	var ids []string
	if ip.Server != nil && ip.Server.UUID != "" {
		ids = append(ids, ip.Server.UUID)
	}
	if ip.LoadBalancer != nil && ip.LoadBalancer.UUID != "" {
		ids = append(ids, ip.LoadBalancer.UUID)
	}
	return ids
}

func (a account) holding(addr netip.Addr) providers.Holding {
	addr = plain(addr)
	if servers, ok := a.holders[addr]; ok {
		return providers.Holding{Servers: servers}
	}
	for _, prefix := range a.prefixes {
		if prefix.Contains(addr) {
			return providers.Holding{Err: fmt.Errorf("%w: %v lies in %v, which is named by its base address %v",
				providers.ErrRefused, addr, prefix, prefix.Addr())}
		}
	}
	if len(a.unclear) > 0 {
		return providers.Holding{Err: fmt.Errorf("%w: no floating IP that could be read is %v; %.50q could not be read",
			providers.ErrNotFound, addr, a.unclear[0])}
	}
	return providers.Holding{Err: fmt.Errorf("%w: the account has no floating IP %v", providers.ErrNotFound, addr)}
}

// plain returns addr as the API knows it: an IPv4 address is no IPv6 one, and there are no zones.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }
