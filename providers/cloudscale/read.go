package cloudscale

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"

	"floaty/providers"
	"floaty/providers/httpapi"
)

// Read lists all floating IPs and returns who holds each of addrs. An address that lies in a prefix without being its
// base carries an error that names the base.
func (p *Provider) Read(ctx context.Context, addrs []netip.Addr) (map[netip.Addr]providers.Holding, error) {
	ctx, answer := httpapi.CaptureList(ctx)
	req, err := p.api.NewRequest(ctx, http.MethodGet, "v1/floating-ips", nil)
	if err != nil {
		return nil, fmt.Errorf("listing floating IPs: %w", err)
	}
	a := account{holders: map[netip.Addr][]string{}, known: map[string][]string{}}
	if err := answer.Err(p.api.Do(ctx, req, &a)); err != nil {
		return nil, fmt.Errorf("listing floating IPs: %w", err)
	}
	holdings := make(map[netip.Addr]providers.Holding, len(addrs))
	for _, addr := range addrs {
		holdings[addr] = a.holding(addr)
	}
	return holdings, nil
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

func (a *account) holding(addr netip.Addr) providers.Holding {
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
		return providers.Holding{Err: fmt.Errorf("no floating IP that could be read is %v; %.50q could not be read", addr, a.unclear[0])}
	}
	return providers.Holding{Err: fmt.Errorf("%w: the account has no floating IP %v", providers.ErrNotFound, addr)}
}

// plain returns addr as the API knows it: an IPv4 address is no IPv6 one, and there are no zones.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }
