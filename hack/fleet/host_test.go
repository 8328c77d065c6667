package fleet

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"floaty/controller"
	"floaty/desired"
	"floaty/desired/keepalived"
	"floaty/observed"
	"floaty/providers"
)

// A host is floaty on one server, with the defaults of its configuration.
type host struct {
	cloud   *cloud
	server  string
	own     []netip.Addr
	peers   []netip.Addr
	desired desired.State
	seen    *observed.Observed
	ctl     *controller.Controller
	paced   *providers.Paced
	dead    chan struct{} // closed when the host dies
}

// newHost returns a host that has not started. It has long been MASTER of own, and is BACKUP of peers.
func newHost(c *cloud, server string, own, peers []netip.Addr, share float64) *host {
	h := &host{cloud: c, server: server, own: own, peers: peers, dead: make(chan struct{})}
	c.settle(server, own)
	h.desired.SetServer(server)
	h.desired.SetSettings(desired.Settings{Instances: map[string][]netip.Addr{"own": own, "peer": peers}})
	h.desired.SetKeepalived(map[string]keepalived.Status{
		"own": {State: keepalived.Master}, "peer": {State: keepalived.Backup},
	})
	backOff := observed.BackOff{Initial: time.Second, Multiplier: 1.1, Max: 10 * time.Second}
	log := logr.Discard()
	h.paced = providers.NewPaced(&account{cloud: c, server: server}, providers.PacedOptions{
		MaxInterval: backOff.Max, Spread: share, Resumed: func() { h.ctl.Resume() }, Log: log,
	})
	h.seen = observed.New(observed.Options{
		Provider: h.paced, Addresses: h.desired.Addresses, Interval: interval, Timeout: 10 * time.Second,
		BackOff: backOff, Found: func(string) {}, OnRead: func(addrs []netip.Addr) { h.ctl.ReadDone(addrs) }, Log: log,
	})
	h.ctl = controller.New(controller.Options{
		Desired: &h.desired, Observed: h.seen, Provider: h.paced, Interval: interval, Timeout: 10 * time.Second,
		BackOff: backOff, Concurrent: 100, Log: log,
	})
	return h
}

// live runs the host after a delay, until it dies or ctx ends.
func (h *host) live(ctx context.Context, delay time.Duration) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	var parts sync.WaitGroup
	parts.Go(func() {
		defer end()
		select {
		case <-h.dead:
		case <-ctx.Done():
		}
	})
	if sleep(ctx, delay) == nil {
		parts.Go(func() { h.seen.Run(ctx) })
		parts.Go(func() { h.ctl.Run(ctx) })
	}
	parts.Wait()
}

// inherit makes the host MASTER of its dead peer's instance.
func (h *host) inherit() {
	h.cloud.elect(h.server, h.peers)
	h.paced.Probe()
	change := h.desired.SetKeepalived(map[string]keepalived.Status{
		"own": {State: keepalived.Master}, "peer": {State: keepalived.Master, Claims: 1},
	})
	h.ctl.Enqueue(change.Addresses()...)
}
