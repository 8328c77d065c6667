package exoscale

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync"

	v3 "github.com/exoscale/egoscale/v3"

	"floaty/providers"
	"floaty/providers/httpapi"
)

// Assign makes server the only holder of addr, or one of them if addr is managed: it attaches server and then detaches all
// others side by side. Who they are is found out, and confirmed, while the attachment is under way: it costs no time.
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
	alone := ip.managed && !p.opts.DetachManaged
	var others []string
	var asking error
	var wait sync.WaitGroup
	if !alone {
		wait.Go(func() { others, asking = p.others(ctx, api, ip, server, seen) })
	}
	err = p.attach(ctx, api, ip, server)
	wait.Wait()
	if errors.Is(err, providers.ErrNotFound) { // the address may have been made anew, with another ID
		p.account.set(nil)
	}
	if err != nil {
		return err
	}
	group := p.group()
	for _, other := range others {
		group.Go(func() error { return p.detach(ctx, api, ip, other) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return asking
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

// attach makes server a holder. What the API answers if it is one already is not documented: after a conflict it is asked.
func (p *Provider) attach(ctx context.Context, api *v3.Client, ip elasticIP, server string) error {
	call, answer := httpapi.Capture(ctx)
	target := &v3.InstanceTarget{ID: v3.UUID(server)}
	op, err := api.AttachInstanceToElasticIP(call, ip.id, v3.AttachInstanceToElasticIPRequest{Instance: target})
	if err := outcome(answer, op, err); err != nil {
		if answer.Status() == http.StatusConflict {
			if ids, asking := p.holds(ctx, api, server); asking == nil && slices.Contains(ids, ip.id) {
				return nil
			}
		}
		return fmt.Errorf("attaching %s: %w", server, err)
	}
	if err := p.finish(ctx, api, op); err != nil {
		return fmt.Errorf("attaching %s: %w", server, err)
	}
	return nil
}

// detach makes other no holder. One that is none, or that is gone, is what is wanted.
func (p *Provider) detach(ctx context.Context, api *v3.Client, ip elasticIP, other string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	call, answer := httpapi.Capture(ctx)
	target := &v3.InstanceTarget{ID: v3.UUID(other)}
	op, err := api.DetachInstanceFromElasticIP(call, ip.id, v3.DetachInstanceFromElasticIPRequest{Instance: target})
	err = outcome(answer, op, err)
	if errors.Is(err, providers.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = p.finish(ctx, api, op)
	}
	if err != nil {
		return fmt.Errorf("detaching %s: %w", other, err)
	}
	return nil
}

// outcome is the error of a call that is answered with an operation.
func outcome(answer *httpapi.Answer, op *v3.Operation, err error) error {
	if err == nil && (op == nil || op.State == "") {
		err = errors.New("it is no operation") // but how a login page answers, perhaps
	}
	return answer.Err(err)
}
