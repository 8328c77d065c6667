package controller

import (
	"errors"
	"net/netip"
	"time"

	"floaty/desired"
	"floaty/observed"
	"floaty/providers"
	"floaty/providers/failurelog"
	"floaty/providers/logkey"
)

// minRest is the minimum time until an unreadable address is processed again, so that a miscalculated time cannot keep a CPU busy.
const minRest = 100 * time.Millisecond

// atRefresh means that the address needs no time of its own: an event, the end of a read or a free slot brings it back, and the refresh at
// the latest.
const atRefresh time.Duration = 0

// soon means at once, since 0 means atRefresh.
const soon = time.Millisecond

// An outcome is the result of processing an address.
type outcome string

const (
	standby    outcome = "standby"     // it is not ours
	inPlace    outcome = "in_place"    // a reading shows it here
	verifying  outcome = "verifying"   // it was written, or a rival was heard, and a later reading will show the result
	reading    outcome = "reading"     // a read is in progress
	unreadable outcome = "unreadable"  // it cannot be read
	contested  outcome = "contested"   // it is elsewhere, and only the next refresh may lead to a write
	waiting    outcome = "waiting"     // its write waits for a slot
	backingOff outcome = "backing_off" // its write waits, after a failure or after many writes
	writing    outcome = "writing"     // a write has begun
	assigned   outcome = "assigned"    // the write was acknowledged
	failed     outcome = "failed"      // the write failed
	notWritten outcome = "not_written" // it was a dry run
	lost       outcome = "lost"        // it stopped being ours, or the controller is stopping
)

// reconcile decides what to do about addr. It acts on what desired and observed hold now, and never on why it was called, so an extra call
// is harmless. It returns the write to be made, if there is one, or else the time until addr is processed again.
func (c *Controller) reconcile(addr netip.Addr, st *status, want desired.Address, now time.Time) (outcome, time.Duration, *attempt) {
	last, valid := c.opts.Observed.Last(addr)
	claimed, rival := want.LastClaim > st.answered, want.LastRival > st.answered
	usable := valid && (last.Err == nil || permanent(last.Err))
	maxAge := max(2*c.opts.Interval, c.opts.Interval+c.opts.Timeout) // or a read that takes two intervals would never be of use
	need := later(st.oldestUsable(maxAge, now), c.reread(st, last, now))
	switch wait := st.readAfter.Sub(now); {
	case !want.Ours:
		return standby, c.standBy(addr, st, last, now), nil
	case rival && !claimed && wait > 0:
		c.opts.Observed.ScheduleRead(st.readAfter, addr)
		return verifying, wait, nil
	case valid && last.Err == nil && !last.Holding.At(want.Server): // an old reading may justify a write
		return c.decide(addr, st, want, last, now)
	case usable && !last.At.Before(need):
		return c.decide(addr, st, want, last, now)
	case claimed && !usable: // a takeover does not wait for a read
		return c.attempt(st, want, last, now)
	case !valid && st.justWritten(now):
		return verifying, c.scheduleVerification(addr, st, now), nil
	case c.writeDecided(st): // it was decided to write without a reading, and another read may take as long as the last
		return c.assignBlind(addr, st, want, last, now)
	}
	r, pending, err := c.opts.Observed.Read(addr, need)
	switch {
	case pending:
		return reading, atRefresh, nil
	case err != nil:
		return c.assignBlind(addr, st, want, last, now)
	}
	return c.decide(addr, st, want, r, now)
}

// standBy keeps the readings of an address that is not ours up to date, so that a takeover can begin with a write. It returns the time
// until the address is processed again.
func (c *Controller) standBy(addr netip.Addr, st *status, last observed.Reading, now time.Time) time.Duration {
	after := c.reread(st, last, now)
	if st.verify.pending() {
		if wait := st.verify.due().Sub(now); wait > 0 {
			c.opts.Observed.ScheduleRead(st.verify.due(), addr)
			return wait
		}
		after = later(after, st.verify.due()) // an earlier reading may be from before the new master's write
		st.verify = verifications{}
	}
	r, pending, err := c.opts.Observed.Read(addr, after)
	if !pending && err == nil { // observed has logged the error, and a refresh follows once its back-off is over
		c.recordReading(addr, st, r, now)
	}
	return atRefresh
}

// decide decides what to do about an address that is ours, given a reading.
func (c *Controller) decide(addr netip.Addr, st *status, want desired.Address, r observed.Reading, now time.Time) (outcome, time.Duration, *attempt) {
	isNew := r.Seq != st.readings.lastSeq
	c.recordReading(addr, st, r, now)
	if isNew && r.Err == nil {
		c.recordConflict(addr, st, want.Server, r)
	}
	rival := want.LastRival > st.answered
	switch {
	case permanent(r.Err):
		st.answered, st.verify = st.noticed, verifications{}
		return unreadable, atRefresh, nil
	case r.Err != nil:
		return c.assignBlind(addr, st, want, r, now)
	case r.Holding.At(want.Server):
		after := c.inPlace(addr, st, want, r, now)
		return inPlace, after, nil
	case st.conflict.allows(r) || rival:
		return c.attempt(st, want, r, now)
	}
	return contested, atRefresh, nil
}

// recordReading notes whether a reading carries an error, and logs when that begins and ends.
func (c *Controller) recordReading(addr netip.Addr, st *status, r observed.Reading, now time.Time) {
	isNew := r.Seq != st.readings.lastSeq
	st.readings.lastSeq = r.Seq
	var told *providers.WaitError
	switch {
	case r.Err == nil:
		if st.readings.failing.Succeeded(now) {
			c.opts.Log.Info("the address's current target can be read again", logkey.Address, addr)
		}
		return
	case !isNew:
		return
	case errors.As(r.Err, &told): // it is logged once for the whole cloud
		st.readings.again = now.Add(max(told.Wait, c.opts.BackOff.Initial))
		return
	case errors.Is(r.Err, providers.ErrUnauthorized): // this, too
		st.readings.again = now.Add(c.opts.BackOff.Max)
		return
	}
	if st.readings.failing == nil {
		st.readings.failing = new(failurelog.Entry)
	}
	say := st.readings.failing.Failed(now)
	wait := c.opts.BackOff.Wait(st.readings.failing.Attempts)
	if limit := c.opts.BackOff.MaxElapsed; permanent(r.Err) || limit > 0 && now.Sub(st.readings.failing.RowSince) >= limit { // the refresh reads it again
		wait = 2 * c.opts.Interval // later than the refresh
	}
	st.readings.again = now.Add(wait)
	if say {
		c.opts.Log.Error(r.Err, "cannot read the address's current target", logkey.Address, addr,
			logkey.Attempt, st.readings.failing.Attempts, logkey.Next, earlier(st.readings.again, c.opts.Observed.Due()))
	}
}

// recordConflict takes a reading into account in the detection of conflicts, and logs when a conflict begins and ends.
func (c *Controller) recordConflict(addr netip.Addr, st *status, server string, r observed.Reading) {
	began, ended := st.conflict.record(r, server, !st.writes.acknowledged.IsZero(), conflictWindow*c.opts.Interval)
	if began || ended {
		c.opts.Recorder.Contested(addr, st.conflict.rival, began)
	}
	switch {
	case began && st.conflict.rival == "":
		c.opts.Log.Error(nil, "the cloud does not show this address's assignments: it is contested, and written once per interval; ask the cloud's support",
			logkey.Address, addr, logkey.Server, server)
	case began:
		c.opts.Log.Error(nil, "address is contested: another host keeps moving it, so it is written once per interval; make sure that only one host is MASTER",
			logkey.Address, addr, logkey.Server, server, logkey.From, st.conflict.rival)
	case ended:
		c.opts.Log.Info("address is no longer contested", logkey.Address, addr, logkey.Server, server)
	}
}

// inPlace handles a reading that shows the address here. It returns the time until the address is processed again.
func (c *Controller) inPlace(addr netip.Addr, st *status, want desired.Address, r observed.Reading, now time.Time) time.Duration {
	t := st.writes.takeover
	unwritten := t != nil && t.Acknowledged.IsZero()
	switch {
	case st.writes.failing.Succeeded(now):
		c.opts.Log.Info("address is where it belongs again", logkey.Address, addr)
	case unwritten:
		c.opts.Log.Info("address is already there", logkey.Address, addr, logkey.To, want.Server)
	}
	switch {
	case unwritten:
		st.verifyFrom(now) // a write of the last master may still take effect
	case t != nil:
		t.Address, t.Verified = addr, now
		c.opts.Recorder.TookOver(*t)
	}
	st.writes.takeover, st.writes.shown = nil, ""
	st.verifiedBy(r.At)
	if want.LastRival > st.answered && r.At.Before(want.Changed) { // a rival was heard after that reading began
		st.answered = max(st.answered, want.LastRival-1) // all but that rival
		st.readForRival(want)
		c.opts.Observed.ScheduleRead(st.readAfter, addr)
		return max(st.readAfter.Sub(now), soon)
	}
	st.answered = st.noticed
	return c.scheduleVerification(addr, st, now)
}

// scheduleVerification schedules the read for the next verification and returns the time until it is due.
func (c *Controller) scheduleVerification(addr netip.Addr, st *status, now time.Time) time.Duration {
	if !st.verify.pending() {
		return atRefresh
	}
	c.opts.Observed.ScheduleRead(st.verify.after(), addr)
	return max(st.verify.due().Sub(now), soon)
}

// assignBlind handles an address that cannot be read. Writes may still work, and assigning is idempotent. Therefore the address is assigned
// once per interval, or when there is a reason to think that somebody else has moved it.
func (c *Controller) assignBlind(addr netip.Addr, st *status, want desired.Address, last observed.Reading, now time.Time) (outcome, time.Duration, *attempt) {
	// Idle counts failed writes, too: reads and writes mostly fail together.
	if max(want.LastClaim, want.LastRival) > st.answered || c.writeDecided(st) || c.pace.Idle(addr) >= c.opts.Interval {
		return c.attempt(st, want, last, now)
	}
	retry := c.opts.Observed.Retry()
	if last.Err != nil {
		retry = later(retry, st.readings.again)
	}
	c.opts.Observed.ScheduleRead(retry, addr) // then all addresses that could not be read share one read
	return unreadable, max(retry.Sub(now), minRest), nil
}

// permanent reports whether a repeated call would end the same way, so that once per interval is enough.
func permanent(err error) bool {
	return errors.Is(err, providers.ErrNotFound) || errors.Is(err, providers.ErrRefused) || errors.Is(err, providers.ErrNotWritten)
}
