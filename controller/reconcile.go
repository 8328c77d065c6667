package controller

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"floaty/observed"
	"floaty/providers"
	"floaty/providers/logkey"
)

// reconcile makes the cloud's target of addr what it should be. It acts on what desired and observed say now, never on why
// it was called, so one call too many is harmless. It returns the write to be made, or when to look again; 0: at the next
// refresh.
func (c *Controller) reconcile(addr netip.Addr, m *memory) (time.Duration, *attempt) {
	want, ours := c.server(addr)
	if !ours {
		return c.standBy(addr, m), nil
	}
	now := time.Now()
	if wait := m.rivalWait(now); wait > 0 {
		c.opts.Observed.Expect(addr, m.sought)
		return wait, nil
	}
	reading, valid := c.opts.Observed.Last(addr)
	need := c.need(m, reading, now)
	switch {
	case valid && (reading.Err == nil || permanent(reading.Err)):
	case m.claimed: // a takeover does not wait for a read
		return c.attempt(addr, want, m, reading)
	case valid:
	case m.look.After(now) && m.need.Before(m.written): // just written, and nothing since: the look is early enough
		return c.next(addr, m, now), nil
	}
	elsewhere := valid && reading.Err == nil && !reading.Holding.At(want)
	if !elsewhere && (!valid || reading.At.Before(need)) {
		if m.lined {
			return c.unread(addr, want, m, reading)
		}
		fresh, pending, err := c.opts.Observed.Read(addr, need)
		if pending {
			return 0, nil
		}
		if err != nil {
			return c.unread(addr, want, m, reading)
		}
		reading = fresh
	}
	m.lined = false
	c.judge(addr, want, m, reading)
	switch {
	case reading.Err != nil:
		return c.unjudged(addr, want, m, reading)
	case reading.Holding.At(want):
		return c.inPlace(addr, want, m, reading), nil
	case m.contest.allows(reading) || m.suspect:
		return c.attempt(addr, want, m, reading)
	}
	return 0, nil // contested: the next refresh may write
}

// need returns the time before which a reading cannot say "in place": the last doubt, the look that is due, and two
// intervals, since while reads fail an old reading would say it for ever. One that carries an error waits until it may be
// tried again.
func (c *Controller) need(m *memory, last observed.Reading, now time.Time) time.Time {
	need := m.need
	if again := m.again(last, now); need.Before(again) {
		need = again
	}
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
	if _, managed := c.opts.Desired.Address(addr); !managed {
		return 0
	}
	if wait := time.Until(m.look); wait > 0 {
		c.opts.Observed.Expect(addr, m.look)
		return wait
	}
	last, _ := c.opts.Observed.Last(addr)
	after := m.again(last, time.Now())
	if after.Before(m.look) { // a reading may have begun just after the loss, before the new master's write
		after = m.look
	}
	m.look = time.Time{}
	reading, pending, err := c.opts.Observed.Read(addr, after)
	if !pending && err == nil { // else observed has said it, and the refresh comes back when it may
		c.readable(addr, m, reading)
	}
	return 0
}

// readable takes note of whether a reading carries an error, and says when that begins and ends.
func (c *Controller) readable(addr netip.Addr, m *memory, r observed.Reading) {
	now := time.Now()
	switch {
	case r.Err == nil:
		if m.unreadable.Over() {
			c.opts.Log.Info("the address's current target can be read again", logkey.Address, addr)
		}
		return
	case r.Order == m.failed:
		return
	}
	m.failed = r.Order
	say := m.unreadable.Fail(now)
	wait := c.opts.BackOff.Wait(m.unreadable.Attempts)
	var told *providers.WaitError
	switch limit := c.opts.BackOff.MaxElapsed; {
	case errors.As(r.Err, &told): // said once for the whole cloud
		wait, say = max(told.Wait, wait), false
	case errors.Is(r.Err, providers.ErrUnauthorized):
		say = false
	case permanent(r.Err) || limit > 0 && now.Sub(m.unreadable.Since) >= limit: // the refresh reads it again
		wait = 2 * c.opts.Interval
	}
	m.retry = now.Add(wait)
	if say {
		c.opts.Log.Error(r.Err, "cannot read the address's current target", logkey.Address, addr, logkey.Attempt, m.unreadable.Attempts)
	}
}

// judge counts what a reading says about rivals.
func (c *Controller) judge(addr netip.Addr, want string, m *memory, r observed.Reading) {
	c.readable(addr, m, r)
	if r.Err != nil {
		return
	}
	began, ended := m.contest.judge(r, want, contestWindow*c.opts.Interval)
	switch {
	case began && m.contest.rival == "":
		c.opts.Log.Error(nil, "the cloud does not show this address's assignments: it is contested, from now on one write an interval",
			logkey.Address, addr, logkey.Server, want)
	case began:
		c.opts.Log.Error(nil, "address is contested: another host keeps moving it; from now on one write an interval",
			logkey.Address, addr, logkey.Server, want, logkey.From, m.contest.rival)
	}
	if began || ended {
		c.opts.Recorder.Contested(addr, m.contest.rival, began)
	}
	if ended {
		c.opts.Log.Info("address is no longer contested", logkey.Address, addr, logkey.Server, want)
	}
}

// inPlace is what a reading says that leaves nothing to do.
func (c *Controller) inPlace(addr netip.Addr, want string, m *memory, r observed.Reading) time.Duration {
	now := time.Now()
	switch {
	case m.trouble.Over():
		c.opts.Log.Info("address is where it belongs again", logkey.Address, addr)
	case m.claimed:
		c.opts.Log.Info("address is already there", logkey.Address, addr, logkey.To, want)
	}
	if t := m.takeover; t != nil && !t.Acknowledged.IsZero() {
		t.Address, t.Verified = addr, now
		c.opts.Recorder.TookOver(*t)
	}
	m.claimed, m.failures, m.hold, m.shown, m.err, m.takeover = false, 0, time.Time{}, "", nil, nil
	m.suspect = m.suspect && r.At.Before(m.rival)
	m.advance(now)
	if m.suspect { // one was heard after that reading began
		m.seek()
		c.opts.Observed.Expect(addr, m.sought)
		return max(m.sought.Sub(now), time.Millisecond)
	}
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
func (c *Controller) unread(addr netip.Addr, want string, m *memory, seen observed.Reading) (time.Duration, *attempt) {
	now := time.Now()
	last := m.written
	if m.tried.After(last) { // one that failed counts too: reads and writes mostly fail together
		last = m.tried
	}
	if m.lined || m.claimed || m.suspect || now.Sub(last) >= c.opts.Interval {
		wait, w := c.attempt(addr, want, m, seen)
		m.lined = wait == 0 && !m.turn // it does not ask again when its turn comes: the next reading may take long
		return wait, w
	}
	retry := c.opts.Observed.Retry()
	if seen.Err != nil && retry.Before(m.retry) {
		retry = m.retry
		c.opts.Observed.Expect(addr, retry)
	}
	return max(time.Until(retry), minRest), nil
}

// unjudged is where the cloud answered, but not for this address.
func (c *Controller) unjudged(addr netip.Addr, want string, m *memory, r observed.Reading) (time.Duration, *attempt) {
	if !permanent(r.Err) {
		return c.unread(addr, want, m, r)
	}
	m.claimed, m.suspect, m.look = false, false, time.Time{}
	return 0, nil
}

// An attempt is a write that reconcile asks for.
type attempt struct {
	server string
	seen   observed.Reading // that it answers
	spent  uint64           // of the contest, as it was before
}

// attempt asks for a write, if it may be made now; else it says how long to wait.
func (c *Controller) attempt(addr netip.Addr, want string, m *memory, seen observed.Reading) (time.Duration, *attempt) {
	if wait := m.barred(time.Now()); wait > 0 {
		return wait, nil
	}
	if !c.takeTurn(addr, m) {
		return 0, nil
	}
	return 0, &attempt{server: want, seen: seen, spent: m.contest.spent}
}

// begun takes note of a write that is about to be made, or says how long to wait: it must still be wanted, and not be one too many.
func (c *Controller) begun(addr netip.Addr, m *memory, w *attempt) (wait time.Duration, ok bool) {
	if server, ours := c.server(addr); !ours || server != w.server {
		return 0, false
	}
	now := time.Now()
	if wait := m.spend(now); wait > 0 {
		return wait, false
	}
	m.contest.attempted(w.seen)
	m.tried = now
	if m.takeover != nil && m.takeover.FirstWrite.IsZero() {
		m.takeover.FirstWrite = now
	}
	return 0, true
}

// written draws the conclusions from how a write ended, and says when to look again; 0: at the next refresh.
func (c *Controller) written(call context.Context, err error, addr netip.Addr, m *memory, w *attempt) time.Duration {
	now := time.Now()
	switch {
	case err == nil:
		c.opts.Recorder.Reconciled("assigned")
		c.opts.Recorder.Assigned(addr, w.seen.Servers, w.server, nil)
		c.logAssigned(addr, w.server, m, w.seen)
		c.opts.Observed.Void(addr)
		m.acknowledged(now)
		return c.next(addr, m, now)
	case errors.Is(err, providers.ErrNotWritten):
		return c.notWritten(addr, m, w)
	case call.Err() != nil && !errors.Is(context.Cause(call), errTimeout): // no longer ours, or the end
		return 0
	case errors.Is(err, providers.ErrGivenUp): // it may have landed, or still will
		c.opts.Observed.Void(addr)
	}
	m.err = err
	c.opts.Recorder.Reconciled("failed")
	c.opts.Recorder.Assigned(addr, w.seen.Servers, w.server, err)
	if !permanent(err) { // a contest's write of the interval is not used up by what did not come to pass
		m.contest.spent = w.spent
	}
	return c.failed(err, addr, m, now)
}

// logAssigned says what an acknowledged write in answer to seen has done. It is no news while the address is contested, nor
// where it only repeats the last one: while nothing can be read, an address is written again each interval.
func (c *Controller) logAssigned(addr netip.Addr, want string, m *memory, seen observed.Reading) {
	last, valid := c.opts.Observed.Last(addr)
	elsewhere := valid && last.Order == seen.Order && seen.Err == nil && !seen.Holding.At(want)
	log := c.opts.Log.WithValues(logkey.Address, addr)
	news := elsewhere || m.claimed || m.suspect || m.written.IsZero()
	if m.contest.on || !news {
		log = log.V(1)
	}
	message := "address assigned"
	if elsewhere && !m.claimed && len(m.contest.times) > 0 { // it was here before
		message = "address moved back"
	}
	if from := others(seen.Servers, want); elsewhere && len(from) > 0 {
		log = log.WithValues(logkey.From, strings.Join(from, ", "))
	}
	if seen.Shared { // the others that hold it stay
		log = log.WithValues(logkey.Shared, true)
	}
	log.Info(message, logkey.To, want, logkey.Attempt, m.failures+1)
}

// failed says how long a failed write waits.
func (c *Controller) failed(err error, addr netip.Addr, m *memory, now time.Time) time.Duration {
	var told *providers.WaitError
	var wait time.Duration
	if errors.As(err, &told) { // said once for the whole cloud
		wait = max(told.Wait, time.Millisecond)
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

// notWritten is a dry run: what would have been written is said once, after a reading has shown that it would change anything. A
// takeover waits for no reading, so that is read now.
func (c *Controller) notWritten(addr netip.Addr, m *memory, w *attempt) time.Duration {
	m.claimed, m.suspect = false, false
	if last, valid := c.opts.Observed.Last(addr); !valid || last.Order != w.seen.Order || last.At.Before(m.need) {
		c.opts.Observed.Void(addr)
		return time.Millisecond
	}
	m.hold = time.Now().Add(observed.Jitter(c.opts.Interval, 0.1))
	from := strings.Join(others(w.seen.Servers, w.server), ", ")
	if w.seen.Err != nil || m.shown == from+w.server {
		return 0
	}
	m.shown = from + w.server
	log := c.opts.Log.WithValues(logkey.Address, addr)
	if from != "" {
		log = log.WithValues(logkey.From, from)
	}
	log.Info("dry run: address would be assigned", logkey.To, w.server)
	return 0
}

// complain says a failure if it is worth a line.
func (c *Controller) complain(err error, message string, addr netip.Addr, m *memory) {
	if m.trouble.Fail(time.Now()) {
		c.opts.Log.Error(err, message, logkey.Address, addr, logkey.Attempt, m.trouble.Attempts)
	}
}

// permanent reports whether asking again at once would be refused again.
func permanent(err error) bool {
	return errors.Is(err, providers.ErrNotFound) || errors.Is(err, providers.ErrRefused)
}
