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

// Assign makes server the only holder of addr, or one of them if addr is managed: it attaches server and then detaches all
// others side by side. Who they are is found out, and confirmed, while the attachment is under way: it costs no time.
//
// Where seen names server, it may be attached already, as after a takeover that was cut off. Then the instance is asked
// first, and if it is attached the first change is the detachment: until that lands, a share of the traffic goes to a host
// that may be dead.
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

// aim is Assign for an elastic IP.
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
	if errors.Is(err, providers.ErrNotFound) { // the address may have been made anew, with another ID
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

// others returns those that hold an elastic IP beside server: of those seen last, or if none was, of those listed now. Each
// has been asked itself, for a list has been seen to name more than it should.
func (p *Provider) others(ctx context.Context, api *v3.Client, ip elasticIP, server string, seen []string) ([]string, error) {
	suspects := slices.DeleteFunc(slices.Clone(seen), func(id string) bool { return id == server })
	if len(suspects) == 0 {
		var err error
		if suspects, err = p.listed(ctx, api, ip, server); err != nil {
			return nil, err
		}
	}
	var mu sync.Mutex // guards others
	var others []string
	group := p.group()
	for _, id := range suspects {
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

// listed returns the instances beside server that the API lists as holders, or may be some where it does not say.
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

// attach makes an attachment, unless a reading shows that there is nothing left to do. It is asked for only where the
// instance may be attached already: a takeover does not pay a round trip for it.
func (p *Provider) attach(ctx context.Context, api *v3.Client, c change, seen bool) error {
	if _, before := p.started.get(c); seen || before {
		shown, err := p.shown(ctx, api, c)
		if shown || general(err) {
			return err
		}
	}
	return p.make(ctx, api, c)
}

// detach takes an elastic IP from all of others, side by side. It waits for all of them, whatever one comes to.
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
