package controller

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"floaty/desired"
	"floaty/desired/keepalived"
	"floaty/observed"
	"floaty/providers"
	"floaty/providers/providertest"
)

const (
	interval = time.Minute
	trip     = 100 * time.Millisecond
	here     = "server-here"
	there    = "server-there"
)

var (
	one = netip.MustParseAddr("198.51.100.1")
	two = netip.MustParseAddr("198.51.100.2")
)

// A cloud is an in-memory provider. A call takes one trip: a read returns the state halfway through, and a write takes effect halfway
// through.
type cloud struct {
	mu      sync.Mutex // guards all below
	holders map[netip.Addr]string
	parts   map[netip.Addr]netip.Addr // from an address to the one that names its resource
	reads   []time.Time               // when each was sent
	writes  []*write
	read    func(ctx context.Context) error                                 // before each read, if set
	assign  func(ctx context.Context, addr netip.Addr, server string) error // before each write, if set
	errs    map[netip.Addr]error                                            // per address, returned in its readings
	landing func(addr netip.Addr, server string)                            // when a write lands, if set
	began   time.Time
}

type write struct {
	at     time.Time
	addr   netip.Addr
	server string
	landed bool
}

func newCloud(addrs ...netip.Addr) *cloud {
	c := &cloud{holders: map[netip.Addr]string{}, errs: map[netip.Addr]error{}, parts: map[netip.Addr]netip.Addr{}, began: time.Now()}
	for _, addr := range addrs {
		c.holders[addr] = there
	}
	return c
}

func (c *cloud) Server(context.Context) (string, error) { return here, nil }

func (c *cloud) Read(ctx context.Context, addrs []netip.Addr) (map[netip.Addr]providers.Holding, error) {
	c.mu.Lock()
	c.reads = append(c.reads, time.Now())
	before := c.read
	c.mu.Unlock()
	if before != nil {
		if err := before(ctx); err != nil {
			return nil, err
		}
	}
	if err := pass(ctx, trip/2); err != nil {
		return nil, err
	}
	answer := map[netip.Addr]providers.Holding{}
	c.mu.Lock()
	for _, addr := range addrs {
		resource := c.resource(addr)
		switch server, ok := c.holders[resource]; {
		case c.errs[addr] != nil:
			answer[addr] = providers.Holding{Err: c.errs[addr]}
		case !ok:
			answer[addr] = providers.Holding{Err: providers.ErrNotFound}
		case server == "":
			answer[addr] = providers.Holding{Resource: resource.String()}
		default:
			answer[addr] = providers.Holding{Resource: resource.String(), Servers: []string{server}}
		}
	}
	c.mu.Unlock()
	return answer, pass(ctx, trip/2)
}

func (c *cloud) Assign(ctx context.Context, addr netip.Addr, server string, _ []string) error {
	c.mu.Lock()
	w := &write{at: time.Now(), addr: addr, server: server}
	c.writes = append(c.writes, w) // count may remove it from the list while it is in progress
	before := c.assign
	c.mu.Unlock()
	if before != nil {
		if err := before(ctx, addr, server); err != nil {
			return err
		}
	}
	if err := pass(ctx, trip/2); err != nil {
		return err
	}
	if c.landing != nil {
		c.landing(addr, server)
	}
	c.mu.Lock()
	c.holders[c.resource(addr)] = server
	w.landed = true
	c.mu.Unlock()
	return pass(ctx, trip/2)
}

// resource returns the address that names the resource of addr. c.mu is held.
func (c *cloud) resource(addr netip.Addr) netip.Addr {
	if whole, ok := c.parts[addr]; ok {
		return whole
	}
	return addr
}

// join makes addrs part of the resource that the first of them names.
func (c *cloud) join(addrs ...netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, addr := range addrs {
		c.parts[addr] = addrs[0]
	}
}

func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func hang(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// move makes the cloud point addr at server, as another host's write would.
func (c *cloud) move(addr netip.Addr, server string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holders[c.resource(addr)] = server
}

func (c *cloud) set(read func(context.Context) error, assign func(context.Context, netip.Addr, string) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read, c.assign = read, assign
}

// spoil makes readings of addr carry err; nil ends that.
func (c *cloud) spoil(addr netip.Addr, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errs[addr] = err
}

// spoilt reports whether readings of addr carry an error.
func (c *cloud) spoilt(addr netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.errs[addr] != nil
}

func (c *cloud) holder(addr netip.Addr) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.holders[c.resource(addr)]
}

// count returns how many reads and writes were sent since it was last called.
func (c *cloud) count() (reads, writes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	reads, writes = len(c.reads), len(c.writes)
	c.reads, c.writes = nil, nil
	return reads, writes
}

func (c *cloud) written() []*write {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.writes)
}

// A host runs a controller on one server.
type host struct {
	t       *testing.T
	cloud   *cloud
	desired *desired.State
	ctl     *Controller
	memo    *memo
	states  map[string]keepalived.Status
	stop    context.CancelFunc // returns once every goroutine has ended
	log     providertest.Log
}

// newHost starts a host on which the instance VI wants addrs.
func newHost(t *testing.T, cloud *cloud, server string, provider providers.Provider, addrs ...netip.Addr) *host {
	t.Helper()
	h := &host{t: t, cloud: cloud, desired: &desired.State{}, memo: &memo{}, states: map[string]keepalived.Status{}}
	h.desired.SetServer(server)
	h.desired.SetSettings(desired.Settings{Instances: map[string][]netip.Addr{"VI": addrs}})
	h.build(provider)
	h.start()
	return h
}

// build creates the host's observed and controller, which do nothing until start.
func (h *host) build(provider providers.Provider) {
	log := h.log.Logger()
	backOff := observed.BackOff{Initial: time.Second, Multiplier: 1.1, Max: 10 * time.Second}
	var ctl *Controller
	see := observed.New(observed.Options{
		Provider: provider, Addresses: h.desired.Addresses, Interval: interval, Timeout: 10 * time.Second,
		BackOff: backOff, Found: func(string) {}, OnRead: func(addrs []netip.Addr) { ctl.ReadDone(addrs) }, Log: log,
	})
	ctl = New(Options{
		Desired: h.desired, Observed: see, Provider: provider, Interval: interval, Timeout: 10 * time.Second,
		BackOff: backOff, Concurrent: 100, Log: log, Recorder: h.memo,
	})
	h.ctl = ctl
}

// start runs observed and the controller until stop.
func (h *host) start() {
	ctx, stop := context.WithCancel(h.t.Context())
	ctl, done := h.ctl, make(chan struct{})
	h.stop = func() {
		stop()
		<-done
	}
	go func() {
		defer close(done)
		var both sync.WaitGroup
		both.Go(func() { ctl.opts.Observed.Run(ctx) })
		both.Go(func() { ctl.Run(ctx) })
		both.Wait()
	}()
}

// says makes Keepalived report a state of VI.
func (h *host) says(state keepalived.State) {
	vi := h.states["VI"]
	vi.State, vi.Suspended = state, false
	if state == keepalived.Master {
		vi.Claims++
	}
	h.setStatus(vi)
}

func (h *host) setStatus(vi keepalived.Status) {
	h.states = map[string]keepalived.Status{"VI": vi}
	h.apply(h.desired.SetKeepalived(h.states))
}

// apply queues the addresses that a change of the desired set affects.
func (h *host) apply(change desired.Change) { h.ctl.Enqueue(change.Addresses()...) }

// wants makes each instance want its addresses.
func (h *host) wants(instances map[string][]netip.Addr) {
	h.apply(h.desired.SetSettings(desired.Settings{Instances: instances}))
}

// saysOf makes Keepalived report a state of an instance.
func (h *host) saysOf(instance string, state keepalived.State) {
	states := maps.Clone(h.states)
	is := states[instance]
	is.State = state
	if state == keepalived.Master {
		is.Claims++
	}
	states[instance] = is
	h.states = states
	h.apply(h.desired.SetKeepalived(states))
}

// hearsRivalOf makes Keepalived report that an instance has heard a rival.
func (h *host) hearsRivalOf(instance string) {
	states := maps.Clone(h.states)
	is := states[instance]
	is.State = keepalived.Master
	is.Rivals++
	states[instance] = is
	h.states = states
	h.apply(h.desired.SetKeepalived(states))
}

// hearsRival makes Keepalived report MASTER_RX_LOWER_PRI for VI.
func (h *host) hearsRival() {
	vi := h.states["VI"]
	vi.State = keepalived.Master
	vi.Rivals++
	h.setStatus(vi)
}

// lines returns the log lines that contain text.
func (h *host) lines(text string) []string { return h.log.Lines(text) }

// story runs a test of one host with fake time, starting after the first reading.
func story(t *testing.T, tell func(t *testing.T, c *cloud, h *host)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(one, two)
		h := newHost(t, c, here, c, one, two)
		defer h.stop()
		time.Sleep(time.Second)
		c.count()
		tell(t, c, h)
	})
}

// holds demands that addr is at this host's server.
func (h *host) holds(addr netip.Addr) {
	h.t.Helper()
	if got := h.cloud.holder(addr); got != here {
		h.t.Errorf("%v is at %q, want %q", addr, got, here)
	}
}

// wrote demands a number of writes since the last count, "n" or "least..most".
func (h *host) wrote(want string) {
	h.t.Helper()
	_, writes := h.cloud.count()
	var lo, hi int
	if n, _ := fmt.Sscanf(want, "%d..%d", &lo, &hi); n == 1 {
		hi = lo
	}
	if writes < lo || writes > hi {
		h.t.Errorf("%d writes, want %s", writes, want)
	}
}
