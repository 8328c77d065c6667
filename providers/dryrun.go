package providers

import (
	"context"
	"fmt"
	"net/netip"
)

// DryRun returns a provider that reads as p does and writes nothing: its Assign makes no call and returns
// [ErrNotWritten].
func DryRun(p Provider) Provider { return dryRun{p} }

// A dryRun names its provider instead of embedding it, so that no method passes unless it is passed on here.
type dryRun struct{ provider Provider }

func (d dryRun) Server(ctx context.Context) (string, error) { return d.provider.Server(ctx) }

func (d dryRun) Read(ctx context.Context, addrs []netip.Addr) (map[netip.Addr]Holding, error) {
	return d.provider.Read(ctx, addrs)
}

func (d dryRun) Assign(_ context.Context, addr netip.Addr, server string, _ []string) error {
	return fmt.Errorf("assigning %v to %s: %w", addr, server, ErrNotWritten)
}
