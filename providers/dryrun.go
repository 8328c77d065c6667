package providers

import (
	"context"
	"fmt"
	"net/netip"
)

// DryRun wraps p so that nothing is written: Assign makes no call and returns [ErrNotWritten]. Reads pass through.
func DryRun(p Provider) Provider { return dryRun{p} }

// A dryRun does not embed its provider, so that a method added to the interface does not pass through by accident.
type dryRun struct{ provider Provider }

func (d dryRun) Server(ctx context.Context) (string, error) { return d.provider.Server(ctx) }

func (d dryRun) Read(ctx context.Context, addrs []netip.Addr) (map[netip.Addr]Holding, error) {
	return d.provider.Read(ctx, addrs)
}

func (d dryRun) Assign(_ context.Context, addr netip.Addr, server string, _ []string) error {
	return fmt.Errorf("assigning %v to %s: %w", addr, server, ErrNotWritten)
}
