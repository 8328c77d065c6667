package cloudscale

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"

	"floaty/providers"
	"floaty/providers/httpapi"
	"floaty/providers/netset"
)

// Read lists all floating IPs and returns the holders of each of addrs. The holder of a network holds each address in it, unless that
// address is a floating IP of its own.
func (p *Provider) Read(ctx context.Context, addrs []netip.Addr) (map[netip.Addr]providers.Holding, error) {
	a, err := p.list(ctx)
	if err != nil {
		return nil, err
	}
	holdings := make(map[netip.Addr]providers.Holding, len(addrs))
	for _, addr := range addrs {
		holdings[addr] = a.holding(addr)
	}
	return holdings, nil
}

// list lists all floating IPs and keeps their IPv6 networks and the servers' names.
func (p *Provider) list(ctx context.Context) (*account, error) {
	ctx, answer := httpapi.CaptureList(ctx)
	req, err := p.api.NewRequest(ctx, http.MethodGet, "v1/floating-ips", nil)
	if err != nil {
		return nil, fmt.Errorf("listing floating IPs: %w", err)
	}
	a := &account{known: map[string][]string{}, names: map[string]string{}}
	if err := answer.Err(p.api.Do(ctx, req, a)); err != nil {
		return nil, fmt.Errorf("listing floating IPs: %w", err)
	}
	p.six.Store(&a.six)
	for id, name := range a.names {
		p.names.Keep(id, name)
	}
	return a, nil
}

func (a *account) holding(addr netip.Addr) providers.Holding {
	addr = netset.Canonical(addr)
	if network, servers, ok := a.holders.Find(addr); ok {
		return providers.Holding{Resource: network.String(), Servers: servers}
	}
	if len(a.unparsed) > 0 {
		return providers.Holding{Err: fmt.Errorf("%v is not among the floating IPs that could be parsed; %.50q could not be", addr, a.unparsed[0])}
	}
	return providers.Holding{Err: fmt.Errorf("%w: the account has no floating IP %v", providers.ErrNotFound, addr)}
}

// ServerName returns the name of a server, or the empty string if no list of floating IPs has named it yet. A list names only servers that
// hold something at that moment. The names from earlier lists are kept, so that a rival that has just lost its address still has a name.
func (p *Provider) ServerName(id string) string { return p.names.Name(id) }
