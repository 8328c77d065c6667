package observed

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"floaty/providers"
	"floaty/providers/logkey"
)

// perform makes the call and draws the conclusions. It calls over when all is done.
func (o *Observed) perform(ctx context.Context, r *read, over func()) {
	call, cancel := context.WithTimeout(ctx, o.opts.Timeout)
	read := func() (map[netip.Addr]providers.Holding, error) { return o.opts.Provider.Read(call, r.addrs) }
	providers.Bounded(call, read, func(holdings map[netip.Addr]providers.Holding, err error) {
		defer over()
		if err != nil && call.Err() != nil {
			err = fmt.Errorf("no answer within %v: %w", o.opts.Timeout, err)
		}
		cancel()
		o.finish(ctx, r, holdings, err)
	})
}

// finish keeps what a read has told and says that it has ended.
func (o *Observed) finish(ctx context.Context, r *read, holdings map[netip.Addr]providers.Holding, err error) {
	o.mu.Lock()
	o.current = slices.DeleteFunc(o.current, func(c *read) bool { return c == r })
	switch {
	case ctx.Err() != nil || err != nil && r.order < o.answered: // the end, or the world has moved on
	case err != nil:
		o.fail(time.Now(), err)
	default:
		o.keep(r, holdings)
	}
	o.mu.Unlock()
	if o.opts.OnRead != nil {
		o.opts.OnRead(r.addrs)
	}
}

// keep takes over what a read has told. o.mu is held.
func (o *Observed) keep(r *read, holdings map[netip.Addr]providers.Holding) {
	o.answered, o.failed = max(o.answered, r.order), nil
	if o.trouble.Over() {
		o.opts.Log.Info("reading the cloud works again")
	}
	moved := false // from one resource to another
	for _, addr := range r.addrs {
		holding, ok := holdings[addr]
		if !ok {
			holding.Err = fmt.Errorf("%w: the answer does not mention it", providers.ErrNotFound)
		}
		last := o.readings[addr]
		if last.Order >= r.order {
			continue
		}
		if holding.Err != nil && holding.Resource == "" && !errors.Is(holding.Err, providers.ErrNotFound) {
			holding.Resource = last.Resource // a failure says nothing about it
		}
		moved = moved || holding.Resource != last.Resource
		since := r.at
		if last.Order > 0 && slices.Equal(last.Servers, holding.Servers) {
			since = last.Since
		}
		o.readings[addr] = Reading{Holding: holding, At: r.at, Since: since, Refresh: r.refresh, Order: r.order}
	}
	if moved {
		o.share()
	}
}

// fail keeps a failure for all to share. o.mu is held. One that the cloud has asked for, by telling how long to wait, has been said.
func (o *Observed) fail(now time.Time, err error) {
	var told *providers.WaitError
	if errors.As(err, &told) {
		o.failed, o.retry = err, now.Add(max(told.Wait, minWait))
		return
	}
	say := o.trouble.Fail(now)
	o.failed, o.retry = err, now.Add(o.opts.BackOff.Wait(o.trouble.Attempts))
	if say {
		o.opts.Log.Error(err, "reading the cloud failed", logkey.Attempt, o.trouble.Attempts)
	}
}
