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

// countFor is how long the number of instances that was seen last decides which way of reading is cheaper.
const countFor = 10 * time.Minute

// nobody is an address that no instance has: a filter that lists any for it is none (RFC 5737).
const nobody = "192.0.2.255"

// A filter is what is known of the API's filter of instances by address, and of the account's size.
type filter struct {
	mu      sync.Mutex // guards all below
	tried   bool
	works   bool
	count   int       // of instances
	counted time.Time // zero: never
}

// Read returns who holds each of addrs.
func (p *Provider) Read(ctx context.Context, addrs []netip.Addr) (map[netip.Addr]providers.Holding, error) {
	if len(addrs) == 0 {
		return map[netip.Addr]providers.Holding{}, nil
	}
	api, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	if p.account.knows(addrs) {
		group.Go(func() error { return p.look(ctx, api) }) // IDs and health checks change seldom: beside the rest
	} else if err := p.look(ctx, api); err != nil {
		return nil, err
	}
	var holders map[netip.Addr]held
	group.Go(func() (err error) {
		holders, err = p.holders(ctx, api, addrs)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	holdings := make(map[netip.Addr]providers.Holding, len(addrs))
	for _, addr := range addrs {
		holdings[addr] = p.holding(addr, holders)
	}
	return holdings, nil
}

// A held is who holds an address, as far as could be found out.
type held struct {
	instances []string
	err       error
}

func (p *Provider) holding(addr netip.Addr, holders map[netip.Addr]held) providers.Holding {
	ip, ok := p.account.get(addr)
	if !ok {
		return providers.Holding{Err: absent(addr)}
	}
	h, ok := holders[plain(addr)]
	if !ok {
		return providers.Holding{Resource: string(ip.id), Err: fmt.Errorf("reading who holds %v: it has just become known", addr)}
	}
	return providers.Holding{
		Resource: string(ip.id), Servers: h.instances, Shared: ip.managed && !p.opts.DetachManaged, Err: h.err,
	}
}

// holders finds out who holds those of addrs that the account has, in the cheaper way.
func (p *Provider) holders(ctx context.Context, api *v3.Client, addrs []netip.Addr) (map[netip.Addr]held, error) {
	ips := map[netip.Addr]elasticIP{}
	for _, addr := range addrs {
		if ip, ok := p.account.get(addr); ok {
			ips[plain(addr)] = ip
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
	if len(ips) <= 2 || known && count+1 >= len(ips) { // one instance takes two calls
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
	if err != nil && ctx.Err() == nil && !general(err) { // an instance that cannot be read must not spoil every address
		return p.byAddress(ctx, api, ips), nil
	}
	return holders, err
}

// size returns the number of instances that was seen last, if it was not long ago.
func (f *filter) size(now time.Time) (count int, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count, !f.counted.IsZero() && now.Sub(f.counted) < countFor
}

// tryFilter finds out, once, whether the filter by address is obeyed: an older API has been seen to list every instance.
func (p *Provider) tryFilter(ctx context.Context, api *v3.Client) (works bool, err error) {
	f := &p.filter
	f.mu.Lock()
	tried, works := f.tried, f.works
	f.mu.Unlock()
	if tried {
		return works, nil
	}
	list, err := p.instances(ctx, api, nobody)
	if err != nil && !errors.Is(err, providers.ErrRefused) && !errors.Is(err, providers.ErrNotFound) {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tried, f.works = true, err == nil && len(list) == 0
	return f.works, nil
}

// byAddress asks for the holders of each address by itself.
func (p *Provider) byAddress(ctx context.Context, api *v3.Client, ips map[netip.Addr]elasticIP) map[netip.Addr]held {
	var mu sync.Mutex // guards holders
	holders := make(map[netip.Addr]held, len(ips))
	group := p.group()
	for addr, ip := range ips {
		group.Go(func() error {
			list, err := p.instances(ctx, api, ip.text)
			mu.Lock()
			defer mu.Unlock()
			holders[addr] = held{list, err}
			return nil
		})
	}
	_ = group.Wait() // each address has its own error
	return holders
}

// byInstance asks each instance of list, or of all, what it holds.
func (p *Provider) byInstance(ctx context.Context, api *v3.Client, ips map[netip.Addr]elasticIP, list []string) (map[netip.Addr]held, error) {
	if list == nil {
		var err error
		if list, err = p.instances(ctx, api, ""); err != nil {
			return nil, err
		}
	}
	addrs := make(map[v3.UUID]netip.Addr, len(ips))
	holders := make(map[netip.Addr]held, len(ips))
	for addr, ip := range ips {
		addrs[ip.id] = addr
		holders[addr] = held{}
	}
	var mu sync.Mutex // guards holders
	group := p.group()
	for _, id := range list {
		group.Go(func() error {
			ids, err := p.holds(ctx, api, id)
			mu.Lock()
			defer mu.Unlock()
			for _, ip := range ids {
				if addr, ok := addrs[ip]; ok {
					holders[addr] = held{instances: append(holders[addr].instances, id)}
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

// instances lists the instances that hold an address, or all of them; sorted.
func (p *Provider) instances(ctx context.Context, api *v3.Client, ip string) ([]string, error) {
	var opts []v3.ListInstancesOpt
	if ip != "" {
		opts = append(opts, v3.ListInstancesWithIPAddress(ip))
	}
	ctx, answer := httpapi.CaptureList(ctx)
	list, err := api.ListInstances(ctx, opts...)
	if err == nil && !answer.IsObject() {
		err = errors.New("it is no list of instances")
	}
	if err := answer.Err(err); err != nil {
		return nil, fmt.Errorf("listing instances: %w", err)
	}
	ids := make([]string, 0, len(list.Instances))
	for _, instance := range list.Instances {
		ids = append(ids, string(instance.ID))
	}
	slices.Sort(ids)
	if ip == "" {
		p.filter.mu.Lock()
		defer p.filter.mu.Unlock()
		p.filter.count, p.filter.counted = len(ids), time.Now()
	}
	return ids, nil
}

// holds returns the IDs of the elastic IPs that an instance holds; none if there is no such instance.
func (p *Provider) holds(ctx context.Context, api *v3.Client, instance string) ([]v3.UUID, error) {
	ctx, answer := httpapi.Capture(ctx)
	found, err := api.GetInstance(ctx, v3.UUID(instance))
	if err == nil && found.ID == "" {
		err = errors.New("it is no instance")
	}
	err = answer.Err(err)
	if errors.Is(err, providers.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("asking for instance %s: %w", instance, err)
	}
	ids := make([]v3.UUID, 0, len(found.ElasticIPS))
	for _, ip := range found.ElasticIPS {
		ids = append(ids, ip.ID)
	}
	return ids, nil
}

// general reports whether err concerns every call, not only the one that failed.
func general(err error) bool {
	var told *providers.WaitError
	return errors.As(err, &told) || errors.Is(err, providers.ErrUnauthorized)
}
