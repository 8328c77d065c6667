package controller

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"floaty/observed"
	"floaty/providers"
)

// reconcile makes the cloud's target of addr what it should be. It acts on what desired and observed say now, never on why
// it was called, so one call too many is harmless. It returns when to look again; 0: at the next refresh.
func (c *Controller) reconcile(ctx context.Context, addr netip.Addr, m *memory) time.Duration {
	want, ours := c.opts.Desired.Server(addr)
	if !ours {
		return c.standBy(addr, m)
	}
	now := time.Now()
	if wait := m.rivalWait(now); wait > 0 {
		c.opts.Observed.Expect(addr, m.doubted)
		return wait
	}
	need := c.need(m, now)
	reading, valid := c.opts.Observed.Last(addr)
	switch {
	case valid:
	case m.claimed: // a takeover does not wait for a read
		return c.assign(ctx, addr, want, m, reading)
	case m.look.After(now) && m.need.Before(m.written): // just written, and nothing since: the look is early enough
		return c.next(addr, m, now)
	}
	elsewhere := valid && reading.Err == nil && !reading.Holding.At(want)
	if !elsewhere && (!valid || reading.At.Before(need)) {
		if m.lined {
			return c.unread(ctx, addr, want, m, reading)
		}
		fresh, pending, err := c.ask(addr, need)
		if pending {
			return 0
		}
		if err != nil {
			return c.unread(ctx, addr, want, m, reading)
		}
		reading = fresh
	}
	m.lined = false
	c.judge(addr, want, m, reading)
	switch {
	case reading.Err != nil:
		return c.unjudged(ctx, addr, want, m, reading)
	case reading.Holding.At(want):
		return c.inPlace(addr, m)
	case m.contest.allows(reading) || m.suspect:
		return c.assign(ctx, addr, want, m, reading)
	}
	return 0 // contested: the next refresh may write
}

// need returns the time before which a reading cannot say "in place": the last doubt, the look that is due, and two
// intervals, since while reads fail an old reading would say it for ever.
func (c *Controller) need(m *memory, now time.Time) time.Time {
	need := m.need
	if stale := now.Add(-2 * c.opts.Interval); need.Before(stale) {
		need = stale
	}
	if m.due(now) && need.Before(m.from()) {
		need = m.from()
	}
	return need
}

// standBy keeps what is known of an address fresh that is not ours, so that a takeover can begin with a write.
func (c *Controller) standBy(addr netip.Addr, m *memory) time.Duration {
	m.claimed, m.suspect = false, false
	if _, managed := c.opts.Desired.Want(addr); !managed {
		return 0
	}
	if wait := time.Until(m.look); wait > 0 {
		return wait
	}
	m.look = time.Time{}
	reading, pending, err := c.ask(addr, time.Time{})
	if pending || err != nil {
		return 0 // observed has said it, and the refresh comes back when it may
	}
	if reading.Err != nil {
		c.complain(reading.Err, "judging the address failed", addr, m)
	} else if m.trouble.Over() {
		c.opts.Log.Info("judging the address works again", "address", addr)
	}
	return 0
}

// judge counts what a reading says about rivals.
func (c *Controller) judge(addr netip.Addr, want string, m *memory, r observed.Reading) {
	if r.Err != nil {
		return
	}
	began, ended := m.contest.judge(r, r.Holding.At(want), contestWindow*c.opts.Interval)
	if began {
		c.opts.Log.Error(nil, "address is contested: another host keeps moving it; from now on one write an interval",
			"address", addr, "server", want, "from", m.contest.rival)
	}
	if ended {
		c.opts.Log.Info("address is no longer contested", "address", addr, "server", want)
	}
}

// inPlace is what a reading says that leaves nothing to do.
func (c *Controller) inPlace(addr netip.Addr, m *memory) time.Duration {
	now := time.Now()
	m.claimed, m.suspect, m.failures, m.hold, m.shown = false, false, 0, time.Time{}, ""
	if m.trouble.Over() {
		c.opts.Log.Info("address is where it belongs again", "address", addr)
	}
	m.advance(now)
	return c.next(addr, m, now)
}

// next announces the next look at the last write and says when it is due.
func (c *Controller) next(addr netip.Addr, m *memory, now time.Time) time.Duration {
	if m.look.IsZero() {
		return 0
	}
	c.opts.Observed.Expect(addr, m.from())
	return max(m.look.Sub(now), time.Millisecond)
}

// unread is where no reading is to be had. Writes may work all the same, and assigning is idempotent: so it is assigned,
// once an interval, or when there is a reason to think that somebody else has moved it.
func (c *Controller) unread(ctx context.Context, addr netip.Addr, want string, m *memory, seen observed.Reading) time.Duration {
	now := time.Now()
	last := m.written
	if m.tried.After(last) { // one that failed counts too: reads and writes mostly fail together
		last = m.tried
	}
	if m.lined || m.claimed || m.suspect || now.Sub(last) >= c.opts.Interval {
		wait := c.assign(ctx, addr, want, m, seen)
		m.lined = wait == 0 && !m.turn // it does not ask again when its turn comes: the next reading may take long
		return wait
	}
	return max(time.Until(c.opts.Observed.Retry()), time.Millisecond)
}

// unjudged is where the cloud answered, but not for this address.
func (c *Controller) unjudged(ctx context.Context, addr netip.Addr, want string, m *memory, r observed.Reading) time.Duration {
	if !permanent(r.Err) {
		return c.unread(ctx, addr, want, m, r)
	}
	c.complain(r.Err, "judging the address failed", addr, m)
	m.claimed, m.suspect, m.look = false, false, time.Time{}
	return 0
}

// assign makes one write, if it is still wanted and may be made now.
func (c *Controller) assign(ctx context.Context, addr netip.Addr, want string, m *memory, seen observed.Reading) time.Duration {
	if wait := m.barred(time.Now()); wait > 0 {
		return wait
	}
	ctx, done, ok := c.write(ctx, addr, m)
	if !ok { // its turn comes
		return 0
	}
	defer done()
	if server, ours := c.opts.Desired.Server(addr); !ours || server != want {
		return 0
	}
	if wait := m.spend(time.Now()); wait > 0 {
		return wait
	}
	before := m.contest
	m.contest.attempted(seen)
	m.tried = time.Now()
	call, stop := context.WithTimeoutCause(ctx, c.opts.Timeout, errTimeout)
	defer stop()
	err := c.opts.Provider.Assign(call, addr, want, seen.Servers)
	now := time.Now()
	switch {
	case err == nil:
		log := c.opts.Log
		if !c.newsworthy(addr, want, m, seen) {
			log = log.V(1)
		}
		if seen.Shared { // the others that hold it stay
			log = log.WithValues("shared", true)
		}
		log.Info("address assigned", "address", addr, "from", strings.Join(seen.Servers, ", "), "to", want, "attempt", m.failures+1)
		c.opts.Observed.Void(addr)
		m.acknowledged(now)
		return c.next(addr, m, now)
	case errors.Is(err, providers.ErrNotWritten):
		return c.notWritten(ctx, addr, want, m)
	case ctx.Err() != nil:
		return 0
	}
	if !permanent(err) { // a contest's write of the interval is not used up by what did not come to pass
		m.contest.spent = before.spent
	}
	return c.failed(err, addr, m, now)
}

// newsworthy reports whether a write in answer to seen is more than a repetition: while nothing can be read, an address is
// written again each interval.
func (c *Controller) newsworthy(addr netip.Addr, want string, m *memory, seen observed.Reading) bool {
	last, valid := c.opts.Observed.Last(addr)
	elsewhere := valid && last.Order == seen.Order && !seen.Holding.At(want)
	return elsewhere || m.claimed || m.suspect || m.written.IsZero()
}

// failed says how long a failed write waits.
func (c *Controller) failed(err error, addr netip.Addr, m *memory, now time.Time) time.Duration {
	var told *providers.WaitError
	var wait time.Duration
	if errors.As(err, &told) { // said once for the whole cloud
		wait = told.Wait
	} else {
		c.complain(err, "assigning the address failed", addr, m)
		m.failures++
		wait = c.opts.BackOff.Wait(m.failures)
		if limit := c.opts.BackOff.MaxElapsed; permanent(err) || limit > 0 && now.Sub(m.trouble.Since) >= limit {
			wait = observed.Jitter(c.opts.Interval, 0.1)
		}
	}
	m.hold = now.Add(wait)
	return wait
}

// notWritten is a dry run: what would have been written is said once, after a reading has shown that it would change
// anything.
func (c *Controller) notWritten(ctx context.Context, addr netip.Addr, want string, m *memory) time.Duration {
	m.claimed, m.suspect, m.hold = false, false, time.Now().Add(observed.Jitter(c.opts.Interval, 0.1))
	reading, err := c.opts.Observed.Read(ctx, addr, m.need)
	if err != nil || reading.Err != nil || reading.Holding.At(want) {
		return 0
	}
	if from := strings.Join(reading.Servers, ", "); m.shown != from+want {
		m.shown = from + want
		c.opts.Log.Info("dry run: address would be assigned", "address", addr, "from", from, "to", want)
	}
	return 0
}

// complain says a failure if it is worth a line.
func (c *Controller) complain(err error, message string, addr netip.Addr, m *memory) {
	if m.trouble.Fail(time.Now()) {
		c.opts.Log.Error(err, message, "address", addr, "attempt", m.trouble.Attempts)
	}
}

// permanent reports whether asking again at once would be refused again.
func permanent(err error) bool {
	return errors.Is(err, providers.ErrNotFound) || errors.Is(err, providers.ErrRefused)
}
