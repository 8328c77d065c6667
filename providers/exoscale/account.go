package exoscale

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	v3 "github.com/exoscale/egoscale/v3"

	"floaty/providers"
	"floaty/providers/httpapi"
	"floaty/providers/netset"
)

// An account holds the elastic IPs that are known.
type account struct {
	mu    sync.Mutex // guards known
	known netset.Set[elasticIP]
}

// An elasticIP is an elastic IP as the API knows it.
type elasticIP struct {
	id      v3.UUID
	text    string // the address as the API writes it, which its filters compare
	managed bool   // it has a health check
}

// get returns the elastic IP that contains addr, if it is known.
func (a *account) get(addr netip.Addr) (elasticIP, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ip, ok := a.known.Find(addr)
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

func (a *account) set(known netset.Set[elasticIP]) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known = known
}

func (a *account) forget() { a.set(netset.Set[elasticIP]{}) }

// list reads all elastic IPs and keeps them.
func (p *Provider) list(ctx context.Context, api *v3.Client) error {
	ctx, answer := httpapi.CaptureList(ctx)
	list, err := api.ListElasticIPS(ctx)
	if err == nil && !answer.IsObject() {
		err = errors.New("unusable response (want a list of elastic IPs)") // the SDK accepts null
	}
	if err := credentialRefused(answer.Status(), answer.Err(err)); err != nil {
		return fmt.Errorf("listing elastic IPs: %w", err)
	}
	var known netset.Set[elasticIP]
	for _, ip := range list.ElasticIPS {
		if network, ok := network(ip); ok && ip.ID != "" {
			known.Add(network, elasticIP{id: ip.ID, text: ip.IP, managed: ip.Healthcheck != nil})
		}
	}
	p.account.set(known)
	return nil
}

// credentialRefused turns a 403 into providers.ErrUnauthorized, unless the API says that a role forbids the call ("Forbidden by role
// policy for compute"). According to Exoscale's Python SDK, a 403 is the answer to a wrong key.
func credentialRefused(status int, err error) error {
	if status != http.StatusForbidden || err == nil || strings.Contains(strings.ToLower(err.Error()), "role policy") {
		return err
	}
	return fmt.Errorf("%w: %s", providers.ErrUnauthorized, err.Error())
}

// find returns the elastic IP that contains addr. If it is not known, it lists the elastic IPs.
func (p *Provider) find(ctx context.Context, api *v3.Client, addr netip.Addr) (elasticIP, error) {
	if ip, ok := p.account.get(addr); ok {
		return ip, nil
	}
	if err := p.flights.do(ctx, "elastic IPs", func() error { return p.list(ctx, api) }); err != nil {
		return elasticIP{}, err
	}
	ip, ok := p.account.get(addr)
	if !ok {
		return elasticIP{}, absent(addr)
	}
	return ip, nil
}

func absent(addr netip.Addr) error {
	return fmt.Errorf("%w: the account has no elastic IP %v in this zone", providers.ErrNotFound, netset.Canonical(addr))
}

// network returns the addresses of an elastic IP: for IPv6 its CIDR, whose second address is the API's "ip" field; for IPv4, or without
// a CIDR that contains it, the IP alone.
func network(ip v3.ElasticIP) (netip.Prefix, bool) {
	addr, err := address(ip.IP)
	if err != nil {
		return netip.Prefix{}, false
	}
	if cidr, err := netset.Parse(ip.Cidr); err == nil && addr.Is6() && cidr.Contains(addr) {
		return cidr, true
	}
	return netip.PrefixFrom(addr, addr.BitLen()), true
}

// address parses an address from the API and ignores its prefix length, if any.
func address(text string) (netip.Addr, error) {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return netset.Canonical(prefix.Addr()), nil
	}
	addr, err := netip.ParseAddr(text)
	return netset.Canonical(addr), err
}
