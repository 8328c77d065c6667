package cloudscale

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	sdk "github.com/cloudscale-ch/cloudscale-go-sdk/v8"

	"floaty/providers"
	"floaty/providers/httpapi"
	"floaty/providers/netset"
)

// Assign points the floating IP at server in one call, whoever holds it. An address in a network is not known to the API by
// itself: where no list has shown the network yet, it takes a list and another call.
func (p *Provider) Assign(ctx context.Context, addr netip.Addr, server string, _ []string) error {
	if err := p.assign(ctx, netset.Canonical(addr), server); err != nil {
		return fmt.Errorf("assigning %v: %w", addr, err)
	}
	return nil
}

func (p *Provider) assign(ctx context.Context, addr netip.Addr, server string) error {
	id := p.name(addr)
	absent := p.update(ctx, id, server)
	if !addr.Is6() || !errors.Is(absent, providers.ErrNotFound) {
		return absent
	}
	if _, err := p.list(ctx); err != nil {
		return err
	}
	now := p.name(addr)
	if now == id {
		return absent
	}
	return p.update(ctx, now, server)
}

// name returns the address that names the floating IP of addr to the API: the first one of its network, as far as it is known.
func (p *Provider) name(addr netip.Addr) netip.Addr {
	if six := p.six.Load(); six != nil {
		if network, _, ok := six.Find(addr); ok {
			return network.Addr()
		}
	}
	return addr
}

// update is the one changing request.
func (p *Provider) update(ctx context.Context, id netip.Addr, server string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ctx, answer := httpapi.Capture(ctx)
	err := p.api.FloatingIPs.Update(ctx, id.String(), &sdk.FloatingIPUpdateRequest{Server: server})
	if err == nil && answer.Status() != http.StatusNoContent {
		err = errors.New("this is not how the API acknowledges") // but how a login page answers, perhaps
	}
	return answer.Err(err)
}
