package controller

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"floaty/desired"
	"floaty/observed"
	"floaty/providers"
	"floaty/providers/failurelog"
	"floaty/providers/logkey"
)

// An attempt is one call of Assign.
type attempt struct {
	server  string
	reading observed.Reading // the reading that it answers
	news    bool             // it answers a claim or a rival, or is the first one, so it is worth a log line
	claims  bool             // it answers a claim
	began   time.Time        // set by begin
	call    context.Context  // ends when the address stops being ours, or at the deadline
	end     context.CancelFunc
}

// attempt returns a write in answer to a reading, or how long to wait: rivals cause at most one write per second of a contested address.
func (c *Controller) attempt(st *status, want desired.Address, seen observed.Reading, now time.Time) (outcome, time.Duration, *attempt) {
	claims, rivals := want.LastClaim > st.answered, want.LastRival > st.answered
	if wait := time.Second - now.Sub(st.writes.acknowledged); st.conflict.on() && rivals && wait > 0 {
		return backingOff, wait, nil
	}
	return writing, atRefresh, &attempt{server: want.Server, reading: seen, claims: claims, news: claims || rivals || st.writes.acknowledged.IsZero()}
}

// begin prepares a write if there is a slot for it, the address is still ours, and its pace allows it. If anew is true, the wait and the
// failure count that earlier writes left behind do not apply.
func (c *Controller) begin(ctx context.Context, addr netip.Addr, st *status, w *attempt, anew bool) (outcome, time.Duration) {
	ctx, lose := context.WithCancelCause(ctx)
	check := func(want desired.Address) {
		if !want.Ours || want.Server != w.server {
			lose(errLost)
		}
	}
	if !c.acquire(addr, st, check) {
		lose(nil)
		if anew {
			c.pace.Forget(addr)
		}
		return waiting, atRefresh
	}
	// The write is registered by now, so a loss that comes after this check finds the write and cancels it.
	want, _ := c.want(addr)
	if check(want); ctx.Err() != nil {
		lose(nil)
		return lost, atRefresh
	}
	if wait := c.pace.Reserve(addr, anew); wait > 0 {
		lose(nil)
		return backingOff, wait
	}
	w.began = time.Now()
	var cancel context.CancelFunc
	w.call, cancel = context.WithTimeoutCause(ctx, c.opts.Timeout, errTimeout)
	w.end = func() {
		cancel()
		lose(nil)
	}
	st.writes.acknowledged = time.Time{}
	if t := st.writes.takeover; t != nil && t.FirstWrite.IsZero() {
		t.FirstWrite = time.Now()
	}
	return writing, atRefresh
}

// write makes a write and passes its error to done, even if the write was given up.
func (c *Controller) write(addr netip.Addr, w *attempt, done func(error)) {
	assign := func() (struct{}, error) {
		return struct{}{}, c.opts.Provider.Assign(w.call, addr, w.server, w.reading.Servers)
	}
	providers.Bounded(w.call, assign, func(_ struct{}, err error) { done(err) })
}

// concluded handles the result of a write.
func (c *Controller) concluded(addr netip.Addr, st *status, w *attempt, err error) (outcome, time.Duration) {
	defer w.end()
	now := time.Now()
	switch {
	case err == nil:
		c.opts.Recorder.Assigned(addr, w.reading.Servers, w.server, nil)
		c.logAssigned(addr, st, w)
		c.opts.Observed.Invalidate(addr)
		st.acknowledge(now)
		return assigned, c.scheduleVerification(addr, st, now)
	case errors.Is(err, providers.ErrNotWritten):
		return c.notWritten(addr, st, w)
	case w.call.Err() != nil && !errors.Is(context.Cause(w.call), errTimeout): // no longer ours, or the controller is stopping
		return lost, atRefresh
	case errors.Is(err, providers.ErrGivenUp): // it may have taken effect, or still will
		c.opts.Observed.Invalidate(addr)
	}
	c.opts.Recorder.Assigned(addr, w.reading.Servers, w.server, err)
	if w.began.Before(c.lastResumed()) { // it may have failed because of the old credential
		return failed, soon
	}
	return failed, atRefresh
}

// logFailure logs a failed write if that is worth a line. A wait that the cloud asked for is logged once for all addresses, by
// [providers.Paced].
func (c *Controller) logFailure(addr netip.Addr, st *status, err error, next time.Time) {
	var told *providers.WaitError
	if errors.As(err, &told) {
		return
	}
	if st.writes.failing == nil {
		st.writes.failing = new(failurelog.Entry)
	}
	if !st.writes.failing.Failed(time.Now()) {
		return
	}
	about := []any{logkey.Address, addr, logkey.Attempt, st.writes.failing.Attempts, logkey.Next, next}
	if permanent(err) {
		c.opts.Log.Error(err, "assigning the address was refused: its traffic may go elsewhere; correct the address, the account or the credential's rights", about...)
		return
	}
	c.opts.Log.Error(err, "assigning the address failed: until a try succeeds, its traffic may go elsewhere", about...)
}

// acknowledge notes that the cloud has accepted a write.
func (s *status) acknowledge(now time.Time) {
	s.answered, s.writes.acknowledged = s.noticed, now
	s.writes.failing.Succeeded(now)
	s.verifyFrom(now)
	if s.writes.takeover != nil && s.writes.takeover.Acknowledged.IsZero() {
		s.writes.takeover.Acknowledged = now
	}
}

// logAssigned logs an acknowledged write. It does so at debug level while the address is contested, and where the write only repeats the
// last one: while nothing can be read, an address is written again once per interval.
func (c *Controller) logAssigned(addr netip.Addr, st *status, w *attempt) {
	last, valid := c.opts.Observed.Last(addr)
	elsewhere := valid && last.Seq == w.reading.Seq && w.reading.Err == nil && !w.reading.Holding.At(w.server)
	log := c.opts.Log.WithValues(logkey.Address, addr)
	if st.conflict.on() || !elsewhere && !w.news {
		log = log.V(1)
	}
	message := "address assigned"
	if elsewhere && !w.claims && len(st.conflict.times) > 0 { // it was here before
		message = "address moved back"
	}
	if from := others(w.reading.Servers, w.server); elsewhere && len(from) > 0 {
		log = log.WithValues(logkey.From, strings.Join(from, ", "))
	}
	if w.reading.Shared { // its other holders stay
		log = log.WithValues(logkey.Shared, true)
	}
	log.Info(message, logkey.To, w.server, logkey.Attempt, c.pace.NumRequeues(addr)+1)
}

// notWritten handles a write of a dry run. What it would have changed is logged once, and only if a reading from after the claim shows
// it. A takeover does not wait for a reading, so the address is read now if necessary.
func (c *Controller) notWritten(addr netip.Addr, st *status, w *attempt) (outcome, time.Duration) {
	st.answered = st.noticed
	if last, valid := c.opts.Observed.Last(addr); !valid || last.Seq != w.reading.Seq || last.At.Before(st.readAfter) {
		c.opts.Observed.Invalidate(addr)
		return verifying, soon
	}
	from := strings.Join(others(w.reading.Servers, w.server), ", ")
	if w.reading.Err != nil || st.writes.shown == from+w.server {
		return notWritten, atRefresh
	}
	st.writes.shown = from + w.server
	log := c.opts.Log.WithValues(logkey.Address, addr)
	if from != "" {
		log = log.WithValues(logkey.From, from)
	}
	log.Info("dry run: address would be assigned", logkey.To, w.server)
	return notWritten, atRefresh
}
