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

// perform calls the provider and handles the result. It calls over at the end.
func (o *Observed) perform(ctx context.Context, r *read, over func()) {
	call, cancel := context.WithTimeout(ctx, o.opts.Timeout)
	read := func() (map[netip.Addr]providers.Holding, error) { return o.opts.Provider.Read(call, r.addrs) }
	providers.Bounded(call, read, func(holdings map[netip.Addr]providers.Holding, err error) {
		defer over()
		if err != nil && call.Err() != nil {
			err = fmt.Errorf("no answer within %v: %w", o.opts.Timeout, err)
		}
		cancel()
		if ctx.Err() == nil { // else Run is ending
			o.finish(r, holdings, err)
		}
	})
}

// finish stores the result of a read, logs when reading begins or ceases to fail, and calls OnRead.
func (o *Observed) finish(r *read, holdings map[netip.Addr]providers.Holding, err error) {
	o.mu.Lock()
	o.reads = slices.DeleteFunc(o.reads, func(other *read) bool { return other == r })
	var say bool
	since := o.failure.log.Since
	switch {
	case err == nil:
		say = o.succeed(r)
		o.keep(r, holdings)
	case r.seq >= o.failure.newest: // else a newer read has succeeded already
		say = o.fail(time.Now(), r, err)
	case r.refresh: // the newer read may have covered other addresses only
		if again := time.Now().Add(Jitter(o.opts.BackOff.Max, 0.2)); again.Before(o.due) {
			o.due = again
		}
	}
	log, retry := o.failure.log, o.failure.retry
	o.mu.Unlock()
	switch {
	case !say:
	case err == nil:
		o.opts.Log.Info("reading the cloud works again", logkey.Since, since)
	case log.Intermittent():
		o.opts.Log.Error(err, "reading the cloud fails now and then", logkey.Failures, log.Failures, logkey.Since, log.Since, logkey.Next, retry)
	default:
		o.opts.Log.Error(err, "reading the cloud failed: addresses cannot be verified until it works again; takeovers are attempted all the same",
			logkey.Attempt, log.Attempts, logkey.Next, retry)
	}
	if o.opts.OnRead != nil {
		o.opts.OnRead(r.addrs)
	}
}

// succeed notes that a read has succeeded, and reports whether that is worth a log line. o.mu is held.
func (o *Observed) succeed(r *read) bool {
	o.failure.newest, o.failure.err, o.failure.retry = max(o.failure.newest, r.seq), nil, time.Time{}
	return o.failure.log.Succeeded(time.Now())
}

// fail notes that a read has failed, so that every caller gets its error, and reports whether that is worth a log line: not if the cloud
// asked to wait, because that has been logged already. o.mu is held.
func (o *Observed) fail(now time.Time, r *read, err error) bool {
	o.failure.err = err
	var say bool
	var told *providers.WaitError
	if errors.As(err, &told) {
		o.failure.retry = now.Add(max(told.Wait, minWait))
	} else {
		say = o.failure.log.Failed(now)
		o.failure.retry = now.Add(o.opts.BackOff.Wait(o.failure.log.Attempts))
	}
	if r.refresh && o.failure.retry.Before(o.due) {
		o.due = o.failure.retry
	}
	return say
}

// keep stores what a read has returned. o.mu is held.
func (o *Observed) keep(r *read, holdings map[netip.Addr]providers.Holding) {
	moved := false // from one resource to another
	for _, addr := range r.addrs {
		holding, ok := holdings[addr]
		if !ok {
			holding.Err = fmt.Errorf("%w: the answer does not mention it", providers.ErrNotFound)
		}
		e := o.entry(addr)
		last := e.reading
		if last.Seq >= r.seq {
			continue
		}
		if holding.Err != nil && holding.Resource == "" && !errors.Is(holding.Err, providers.ErrNotFound) {
			holding.Resource = last.Resource // a failure says nothing about it
		}
		moved = moved || holding.Resource != last.Resource
		e.reading = Reading{Holding: holding, At: r.at, Since: r.at, Refresh: r.refresh, Seq: r.seq}
		if last.Seq > 0 && slices.Equal(last.Servers, holding.Servers) {
			e.reading.Since = last.Since
		}
		switch {
		case holding.Err == nil:
			e.known = nil
		case last.Seq > 0 && last.Err == nil:
			e.known = &last
		}
	}
	if moved {
		o.share()
	}
}
