package exoscale

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	v3 "github.com/exoscale/egoscale/v3"
	"golang.org/x/sync/errgroup"

	"floaty/providers"
	"floaty/providers/httpapi"
)

// countFor is how long the last known number of instances decides which way of reading is cheaper.
const countFor = 10 * time.Minute

// nobody is an address that no instance has (RFC 5737). A filter that lists an instance for it does not work.
const nobody = "192.0.2.255"

// A filter holds what is known about the API's filter of instances by address, and about the account's size.
type filter struct {
	mu       sync.Mutex // guards all below
	answered bool       // works is known
	works    bool
	count    int       // of instances
	counted  time.Time // when; zero: never
}

// Read returns the holders of each of addrs.
func (p *Provider) Read(ctx context.Context, addrs []netip.Addr) (map[netip.Addr]providers.Holding, error) {
	if len(addrs) == 0 {
		return map[netip.Addr]providers.Holding{}, nil
	}
	api, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	var looking error
	var wait sync.WaitGroup
	if p.account.knows(addrs) {
		wait.Go(func() { looking = p.list(ctx, api) }) // IDs and health checks rarely change: list them at the same time as the rest
	} else if err := p.list(ctx, api); err != nil {
		return nil, err
	}
	holders, err := p.holders(ctx, api, addrs)
	wait.Wait()
	if looking != nil { // first, because only this error distinguishes a refused credential from a refused call
		return nil, looking
	}
	if err != nil {
		return nil, err
	}
	holdings := make(map[netip.Addr]providers.Holding, len(addrs))
	for _, addr := range addrs {
		holdings[addr] = p.holding(addr, holders)
	}
	return holdings, nil
}

// A held is what was found out about an elastic IP's holders.
type held struct {
	instances []string
	err       error
}

func (p *Provider) holding(addr netip.Addr, holders map[v3.UUID]held) providers.Holding {
	ip, ok := p.account.get(addr)
	if !ok {
		return providers.Holding{Err: absent(addr)}
	}
	h, ok := holders[ip.id]
	if !ok {
		return providers.Holding{Resource: string(ip.id), Err: fmt.Errorf("reading the holders of %v: the address has just become known", addr)}
	}
	return providers.Holding{
		Resource: string(ip.id), Servers: h.instances, Shared: ip.managed && !p.opts.DetachManaged, Err: h.err,
	}
}

// holders reads the holders of the elastic IPs that contain addrs, in the cheaper way. It skips addresses that the account lacks.
func (p *Provider) holders(ctx context.Context, api *v3.Client, addrs []netip.Addr) (map[v3.UUID]held, error) {
	ips := map[v3.UUID]elasticIP{}
	for _, addr := range addrs {
		if ip, ok := p.account.get(addr); ok {
			ips[ip.id] = ip
		}
	}
	if len(ips) == 0 {
		return nil, nil
	}
	works, err := p.tryFilter(ctx, api)
	if err != nil {
		return nil, err
	}
	if !works {
		return p.byInstance(ctx, api, ips, nil)
	}
	count, known := p.filter.size(time.Now())
	if len(ips) <= 2 || known && count+1 >= len(ips) { // reading one instance takes two calls
		return p.byAddress(ctx, api, ips), nil
	}
	list, err := p.instances(ctx, api, "")
	if err != nil {
		return nil, err
	}
	if len(list) >= len(ips) {
		return p.byAddress(ctx, api, ips), nil
	}
	holders, err := p.byInstance(ctx, api, ips, list)
	if err != nil && ctx.Err() == nil && !general(err) { // one unreadable instance must not fail every address
		return p.byAddress(ctx, api, ips), nil
	}
	return holders, err
}

// size returns the last known number of instances, if it is recent.
func (f *filter) size(now time.Time) (count int, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count, !f.counted.IsZero() && now.Sub(f.counted) < countFor
}

// tryFilter finds out whether the API obeys the filter by address, and keeps the result. An older SDK dropped the filter, so that every
// instance was listed. A refusal proves nothing: the filter just cannot be used now.
func (p *Provider) tryFilter(ctx context.Context, api *v3.Client) (works bool, err error) {
	if works, answered := p.filter.get(); answered {
		return works, nil
	}
	err = p.flights.do(ctx, "filter", func() error {
		list, err := p.instances(ctx, api, nobody)
		if errors.Is(err, providers.ErrRefused) || errors.Is(err, providers.ErrNotFound) {
			return nil
		}
		if err == nil {
			p.filter.set(len(list) == 0)
		}
		return err
	})
	works, _ = p.filter.get()
	return works, err
}

// get reports whether the filter works, and whether that is known.
func (f *filter) get() (works, answered bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.works, f.answered
}

func (f *filter) set(works bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answered, f.works = true, works
}

// byAddress lists the holders of each elastic IP separately.
func (p *Provider) byAddress(ctx context.Context, api *v3.Client, ips map[v3.UUID]elasticIP) map[v3.UUID]held {
	var mu sync.Mutex // guards holders
	holders := make(map[v3.UUID]held, len(ips))
	group := p.group()
	for id, ip := range ips {
		group.Go(func() error {
			list, err := p.instances(ctx, api, ip.text)
			mu.Lock()
			defer mu.Unlock()
			holders[id] = held{list, err}
			return nil
		})
	}
	_ = group.Wait() // each elastic IP carries its own error
	return holders
}

// byInstance asks each instance what it holds: those in list, or all if list is nil.
func (p *Provider) byInstance(ctx context.Context, api *v3.Client, ips map[v3.UUID]elasticIP, list []string) (map[v3.UUID]held, error) {
	if list == nil {
		var err error
		if list, err = p.instances(ctx, api, ""); err != nil {
			return nil, err
		}
	}
	holders := make(map[v3.UUID]held, len(ips))
	for id := range ips {
		holders[id] = held{}
	}
	var mu sync.Mutex // guards holders
	group := p.group()
	for _, id := range list {
		group.Go(func() error {
			held, err := p.holds(ctx, api, id)
			mu.Lock()
			defer mu.Unlock()
			for _, ip := range held {
				if h, ok := holders[ip]; ok {
					h.instances = append(h.instances, id)
					holders[ip] = h
				}
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, h := range holders {
		slices.Sort(h.instances)
	}
	return holders, nil
}

func (p *Provider) group() *errgroup.Group {
	group := new(errgroup.Group)
	group.SetLimit(max(p.opts.MaxConcurrentRequests, 1))
	return group
}

// instances lists the IDs of the instances that hold an address, or of all if ip is empty, sorted.
func (p *Provider) instances(ctx context.Context, api *v3.Client, ip string) ([]string, error) {
	var opts []v3.ListInstancesOpt
	if ip != "" {
		opts = append(opts, v3.ListInstancesWithIPAddress(ip))
	}
	ctx, answer := httpapi.CaptureList(ctx)
	list, err := api.ListInstances(ctx, opts...)
	if err == nil && !answer.IsObject() {
		err = errors.New("unusable response (want a list of instances)")
	}
	if err := answer.Err(err); err != nil {
		return nil, fmt.Errorf("listing instances: %w", err)
	}
	ids := make([]string, 0, len(list.Instances))
	for _, instance := range list.Instances {
		ids = append(ids, string(instance.ID))
		p.names.Keep(string(instance.ID), instance.Name)
	}
	slices.Sort(ids)
	if ip == "" {
		p.filter.mu.Lock()
		defer p.filter.mu.Unlock()
		p.filter.count, p.filter.counted = len(ids), time.Now()
	}
	return ids, nil
}

// holds returns the IDs of the elastic IPs that an instance holds; none if the instance does not exist.
func (p *Provider) holds(ctx context.Context, api *v3.Client, instance string) ([]v3.UUID, error) {
	ctx, answer := httpapi.Capture(ctx)
	found, err := api.GetInstance(ctx, v3.UUID(instance))
	if err == nil && found.ID == "" {
		err = errors.New("unusable response (want an instance)")
	}
	err = answer.Err(err)
	if errors.Is(err, providers.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading instance %s: %w", instance, err)
	}
	ids := make([]v3.UUID, 0, len(found.ElasticIPS))
	for _, ip := range found.ElasticIPS {
		ids = append(ids, ip.ID)
	}
	return ids, nil
}

// general reports whether err concerns every call and not only the one that failed.
func general(err error) bool {
	var told *providers.WaitError
	return errors.As(err, &told) || errors.Is(err, providers.ErrUnauthorized)
}

// ServerName returns the name of an instance, or the empty string if no list has named it yet.
func (p *Provider) ServerName(id string) string { return p.names.Name(id) }
