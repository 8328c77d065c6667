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

// Assign points the floating IP at server in one call, whichever server holds it now. The API does not know single addresses of a
// network: if no list has shown the network yet, Assign needs a list and a second call.
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

// name returns the address by which the API knows the floating IP of addr: the first one of its network, if the network is known.
func (p *Provider) name(addr netip.Addr) netip.Addr {
	if six := p.six.Load(); six != nil {
		if network, _, ok := six.Find(addr); ok {
			return network.Addr()
		}
	}
	return addr
}

// update makes the only changing request.
func (p *Provider) update(ctx context.Context, id netip.Addr, server string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ctx, answer := httpapi.Capture(ctx)
	err := p.api.FloatingIPs.Update(ctx, id.String(), &sdk.FloatingIPUpdateRequest{Server: server})
	if err == nil && answer.Status() != http.StatusNoContent {
		err = errors.New("unexpected status (want 204 No Content)") // perhaps a login page
	}
	return answer.Err(err)
}
