package serve

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"floaty/providers"
)

// Watch returns a provider that calls p, tells the monitor how its reads end, and marks what its requests are for.
func (m *Monitor) Watch(p providers.Provider) providers.Provider { return watched{p, m} }

// operationKey is the key of what a request is for, in its context.
type operationKey struct{}

type watched struct {
	providers.Provider
	monitor *Monitor
}

// Read implements [providers.Provider]. A read that does not return counts as failed at its deadline; a cancelled one is ignored.
func (w watched) Read(ctx context.Context, addrs []netip.Addr) (map[netip.Addr]providers.Holding, error) {
	ctx = context.WithValue(ctx, operationKey{}, "read")
	begun := time.Now()
	var once sync.Once
	ended := func(err error) {
		once.Do(func() {
			if !errors.Is(context.Cause(ctx), context.Canceled) {
				w.monitor.readEnded(begun, err)
			}
		})
	}
	stop := context.AfterFunc(ctx, func() { ended(context.Cause(ctx)) })
	defer stop()
	holdings, err := w.Provider.Read(ctx, addrs)
	ended(err)
	return holdings, err
}

// Assign implements [providers.Provider].
func (w watched) Assign(ctx context.Context, addr netip.Addr, server string, seen []string) error {
	return w.Provider.Assign(context.WithValue(ctx, operationKey{}, "assign"), addr, server, seen)
}

// Server implements [providers.Provider].
func (w watched) Server(ctx context.Context) (string, error) {
	return w.Provider.Server(context.WithValue(ctx, operationKey{}, "server"))
}
