package cloudscale

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	sdk "github.com/cloudscale-ch/cloudscale-go-sdk/v8"

	"floaty/providers/httpapi"
)

// Assign points the floating IP at server in one call, whoever holds it.
func (p *Provider) Assign(ctx context.Context, addr netip.Addr, server string, _ []string) error {
	if ctx.Err() != nil {
		return fmt.Errorf("assigning %v: %w", addr, context.Cause(ctx))
	}
	ctx, answer := httpapi.Capture(ctx)
	err := p.api.FloatingIPs.Update(ctx, plain(addr).String(), &sdk.FloatingIPUpdateRequest{Server: server})
	if err == nil && answer.Status() != http.StatusNoContent {
		err = errors.New("this is not how the API acknowledges") // but how a login page answers, perhaps
	}
	if err := answer.Err(err); err != nil {
		return fmt.Errorf("assigning %v: %w", addr, err)
	}
	return nil
}
