package exoscale

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	v3 "github.com/exoscale/egoscale/v3"

	"floaty/providers"
	"floaty/providers/httpapi"
)

// An account is what is known of the elastic IPs.
type account struct {
	mu    sync.Mutex // guards known
	known map[netip.Addr]elasticIP
}

// An elasticIP is what an address is to the API.
type elasticIP struct {
	id      v3.UUID
	text    string // the address as the API writes it, which its filters compare
	managed bool   // it has a health check
}

// get returns what is known of addr.
func (a *account) get(addr netip.Addr) (elasticIP, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ip, ok := a.known[plain(addr)]
	return ip, ok
}

// knows reports whether all of addrs are known.
func (a *account) knows(addrs []netip.Addr) bool {
	for _, addr := range addrs {
		if _, ok := a.get(addr); !ok {
			return false
		}
	}
	return true
}

func (a *account) set(known map[netip.Addr]elasticIP) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known = known
}

// look lists the elastic IPs and keeps them.
func (p *Provider) look(ctx context.Context, api *v3.Client) error {
	ctx, answer := httpapi.CaptureList(ctx)
	list, err := api.ListElasticIPS(ctx)
	if err == nil && !answer.IsObject() {
		err = errors.New("it is no list of elastic IPs") // but null
	}
	if err := answer.Err(err); err != nil {
		return fmt.Errorf("listing elastic IPs: %w", err)
	}
	known := make(map[netip.Addr]elasticIP, len(list.ElasticIPS))
	for _, ip := range list.ElasticIPS {
		addr, ok := address(ip.IP)
		if ok && ip.ID != "" {
			known[addr] = elasticIP{id: ip.ID, text: ip.IP, managed: ip.Healthcheck != nil}
		}
	}
	p.account.set(known)
	return nil
}

// find returns what addr is to the API, asking for it if it is not known.
func (p *Provider) find(ctx context.Context, api *v3.Client, addr netip.Addr) (elasticIP, error) {
	if ip, ok := p.account.get(addr); ok {
		return ip, nil
	}
	if err := p.look(ctx, api); err != nil {
		return elasticIP{}, err
	}
	ip, ok := p.account.get(addr)
	if !ok {
		return elasticIP{}, absent(addr)
	}
	return ip, nil
}

func absent(addr netip.Addr) error {
	return fmt.Errorf("%w: the account has no elastic IP %v in this zone", providers.ErrNotFound, plain(addr))
}

// address reads an address of the API; one with a prefix length means its address.
func address(text string) (netip.Addr, bool) {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return plain(prefix.Addr()), true
	}
	addr, err := netip.ParseAddr(text)
	return plain(addr), err == nil
}

// plain returns addr as the account knows it: an IPv4 address is no IPv6 one, and there are no zones.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }
