package exoscale

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	v3 "github.com/exoscale/egoscale/v3"

	"floaty/providers"
)

// Assign makes server the only holder of addr, or one of its holders if addr is managed. It attaches server first, and then detaches all
// others concurrently. It finds and confirms the other holders while the attachment is in progress, which costs no extra time.
//
// If seen contains server, it may already be attached, as after an interrupted takeover. Then Assign asks the instance first, and if
// it is attached, goes straight to the detachment: until that takes effect, part of the traffic goes to a host that may be dead.
func (p *Provider) Assign(ctx context.Context, addr netip.Addr, server string, seen []string) error {
	if err := p.assign(ctx, addr, server, seen); err != nil {
		return fmt.Errorf("assigning %v: %w", addr, err)
	}
	return nil
}

func (p *Provider) assign(ctx context.Context, addr netip.Addr, server string, seen []string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	api, err := p.connect(ctx)
	if err != nil {
		return err
	}
	ip, err := p.find(ctx, api, addr)
	if err != nil {
		return err
	}
	return p.flights.do(ctx, change{ip: ip.id, instance: server, attach: true}, func() error {
		return p.aim(ctx, api, ip, server, seen)
	})
}

// aim does the work of Assign for an elastic IP.
func (p *Provider) aim(ctx context.Context, api *v3.Client, ip elasticIP, server string, seen []string) error {
	alone := ip.managed && !p.opts.DetachManaged
	var others []string
	var asking error
	var wait sync.WaitGroup
	if !alone {
		wait.Go(func() { others, asking = p.others(ctx, api, ip, server, seen) })
	}
	attachment := change{ip: ip.id, instance: server, attach: true}
	err := p.attach(ctx, api, attachment, slices.Contains(seen, server))
	wait.Wait()
	if errors.Is(err, providers.ErrNotFound) { // the address may have been recreated with another ID
		p.account.forget()
	}
	if err != nil {
		return fmt.Errorf("attaching %s: %w", server, err)
	}
	if err := p.detach(ctx, api, ip, others); err != nil {
		return err
	}
	if asking != nil {
		return asking
	}
	p.started.forget(attachment)
	return nil
}

// others returns the holders of an elastic IP other than server. Candidates are those seen last or, if none of them holds it now, those
// that the API lists: a third host may have taken the address over since. Each candidate is read by itself, because lists have been seen to
// name too many.
func (p *Provider) others(ctx context.Context, api *v3.Client, ip elasticIP, server string, seen []string) ([]string, error) {
	candidates := slices.DeleteFunc(slices.Clone(seen), func(id string) bool { return id == server })
	if others, err := p.confirmed(ctx, api, ip, candidates); len(others) > 0 || err != nil {
		return others, err
	}
	listed, err := p.listed(ctx, api, ip, server)
	if err != nil {
		return nil, err
	}
	return p.confirmed(ctx, api, ip, listed)
}

// confirmed returns those of candidates that show the attachment themselves.
func (p *Provider) confirmed(ctx context.Context, api *v3.Client, ip elasticIP, candidates []string) ([]string, error) {
	var mu sync.Mutex // guards others
	var others []string
	group := p.group()
	for _, id := range candidates {
		group.Go(func() error {
			ids, err := p.holds(ctx, api, id)
			if slices.Contains(ids, ip.id) {
				mu.Lock()
				defer mu.Unlock()
				others = append(others, id)
			}
			return err
		})
	}
	err := group.Wait()
	return others, err
}

// listed returns the instances other than server that the API lists as holders. If its filter does not work, these are all instances.
func (p *Provider) listed(ctx context.Context, api *v3.Client, ip elasticIP, server string) ([]string, error) {
	works, err := p.tryFilter(ctx, api)
	if err != nil {
		return nil, err
	}
	text := ip.text
	if !works {
		text = ""
	}
	list, err := p.instances(ctx, api, text)
	return slices.DeleteFunc(list, func(id string) bool { return id == server }), err
}

// attach makes an attachment. If the instance may already be attached, it reads first and does nothing if so; a takeover does not pay
// that round trip.
func (p *Provider) attach(ctx context.Context, api *v3.Client, c change, seen bool) error {
	if _, before := p.started.get(c); seen || before {
		shown, err := p.shown(ctx, api, c)
		if shown || general(err) {
			return err
		}
	}
	return p.make(ctx, api, c)
}

// detach detaches an elastic IP from all of others concurrently, and waits for all of them even if one fails.
func (p *Provider) detach(ctx context.Context, api *v3.Client, ip elasticIP, others []string) error {
	group := p.group()
	for _, other := range others {
		group.Go(func() error {
			c := change{ip: ip.id, instance: other}
			if err := p.make(ctx, api, c); err != nil {
				return fmt.Errorf("detaching %s: %w", other, err)
			}
			p.started.forget(c)
			return nil
		})
	}
	return group.Wait()
}
