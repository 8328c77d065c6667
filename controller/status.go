package controller

import (
	"time"

	"floaty/desired"
	"floaty/observed"
	"floaty/providers/failurelog"
)

// verifyDelays are the ages at which an acknowledged write, or a rival that was heard, is verified with a reading: a slow rival's
// write may land later. One of an old master was seen 15 s after the takeover.
var verifyDelays = [...]time.Duration{time.Second, 3 * time.Second, 10 * time.Second, 30 * time.Second}

const (
	// maxSlack bounds how early a write is verified, so that nothing is missed for long between the last time and the refresh.
	maxSlack = 2500 * time.Millisecond

	// afterLoss is when a host that lost an address reads where the new master has put it.
	afterLoss = 3 * time.Second

	// rivalRest is the time between two readings because of rivals: a master of lower priority speaks once a second, or oftener.
	rivalRest = time.Second
)

// A status is what the controller keeps of one address, in addition to what desired and observed hold. It belongs to whoever processes
// the address: the goroutine of Run, or the write that is in progress.
type status struct {
	seen     uint64 // number of the latest change in desired that was taken into account
	answered uint64 // number of the latest claim or rival that a reading or an acknowledged write has answered

	readAfter time.Time   // a reading begun earlier cannot say "in place"
	verify    []time.Time // when the address is to be verified with further readings, in order
	conflict  conflict
	readings  readings
	writes    writes

	slot slot // guarded by the controller's mu
}

// readings are what the readings of an address have told, good or bad.
type readings struct {
	judged  uint64           // Seq of the one that was judged last
	failing failurelog.Entry // those that carried an error
	again   time.Time        // when one that carries an error may be replaced
}

// writes are how the writes of an address have gone.
type writes struct {
	acknowledged time.Time // the last one; zero: it was not, or there was none since the last claim
	failing      failurelog.Entry
	shown        string    // the difference that a dry run has reported
	takeover     *Takeover // in progress; nil: none is
}

// notice takes into account what has changed since the address was last processed.
func (s *status) notice(want desired.Address, now time.Time) (lost, claimed bool) {
	lost, claimed = want.Losses > s.seen, want.Claims > s.seen
	gained, rival, idle := want.Gains > s.seen, want.Rivals > s.seen, s.seen <= s.answered
	s.seen = max(s.seen, want.Last())
	if lost { // what came before it does not matter any more
		s.lose(want)
	}
	if !want.Ours {
		s.answered = s.seen
		return lost, claimed
	}
	switch {
	case gained, claimed:
		s.readAfter = want.Changed
	case rival && idle: // else it waits until the reading that is awaited has been judged, which may have begun later anyway
		s.readForRival(want)
	}
	if claimed { // a new master owes nothing to the conflicts of the last
		s.conflict, s.writes.acknowledged = conflict{}, time.Time{}
		if s.writes.takeover == nil {
			s.writes.takeover = &Takeover{Claimed: want.Changed}
		}
	}
	if rival && len(s.verify) < len(verifyDelays) { // its write may land after the reading that is made now
		s.verifyFrom(now)
	}
	return lost, claimed
}

// lose forgets what the address was like while it was ours.
func (s *status) lose(want desired.Address) {
	s.answered = max(s.answered, want.Losses)
	s.readAfter, s.verify, s.conflict, s.writes = time.Time{}, nil, conflict{}, writes{failing: s.writes.failing}
	if !want.Ours {
		s.verify = []time.Time{want.Changed.Add(afterLoss)}
	}
}

// readForRival asks for a reading because of the last rival, at once or a second after the last that was asked for. All addresses of an
// instance reckon with the same instants, and share a read.
func (s *status) readForRival(want desired.Address) {
	s.readAfter = later(want.Changed, s.readAfter.Add(rivalRest))
}

// verifyFrom begins to verify the address. In a conflict, the refresh is enough.
func (s *status) verifyFrom(now time.Time) {
	s.verify = nil
	if s.conflict.on() {
		return
	}
	s.verify = make([]time.Time, 0, len(verifyDelays))
	for _, delay := range verifyDelays {
		s.verify = append(s.verify, now.Add(delay))
	}
}

// verifyAfter returns the time from which on a reading serves as the next verification, of which there must be one. It is a little early,
// so that addresses written together are served by one read: ten thousand are written within half a second.
func (s *status) verifyAfter() time.Time {
	delay := verifyDelays[len(verifyDelays)-len(s.verify)]
	return s.verify[0].Add(-min(delay/4, maxSlack))
}

// verifyDue reports whether a verification is due.
func (s *status) verifyDue(now time.Time) bool {
	return len(s.verify) > 0 && !now.Before(s.verifyAfter())
}

// justWritten reports whether the last write was acknowledged after the last doubt, and is not yet to be verified.
func (s *status) justWritten(now time.Time) bool {
	return len(s.verify) > 0 && s.verify[0].After(now) && s.readAfter.Before(s.writes.acknowledged)
}

// needs returns the time before which a reading cannot say "in place": the last doubt, the verification that is due, and two intervals,
// since while reads fail an old reading would say it for ever.
func (s *status) needs(interval time.Duration, now time.Time) time.Time {
	need := later(s.readAfter, now.Add(-2*interval))
	if s.verifyDue(now) {
		need = later(need, s.verifyAfter())
	}
	return need
}

// reread returns the time from which on a reading serves in place of last, if that carries an error and may be tried again; the zero
// time if last serves.
func (c *Controller) reread(st *status, last observed.Reading, now time.Time) time.Time {
	if last.Err == nil || last.Seq != st.readings.judged {
		return time.Time{}
	}
	switch resumed := c.lastResumed(); {
	case last.At.Before(resumed):
		return resumed
	case now.Before(st.readings.again):
		return time.Time{}
	}
	return st.readings.again
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
