package controller

import (
	"time"

	"floaty/desired"
	"floaty/observed"
	"floaty/providers/failurelog"
)

// verifyDelays are the times after an acknowledged write, after a claim that found the address in place, or after a rival was heard, at
// which the address is verified with a reading: a rival's slow write may take effect late. A write of an old master was seen to take effect
// 15 s after the takeover.
var verifyDelays = []time.Duration{time.Second, 3 * time.Second, 10 * time.Second, 30 * time.Second}

const (
	// maxSlack limits how early a verification may be, so that the time between the last one and the refresh stays short.
	maxSlack = 2500 * time.Millisecond

	// afterLoss is the time after which a host that lost an address reads where the new master has put it; one of verifyDelays.
	afterLoss = 3 * time.Second

	// rivalRest is the minimum time between two readings because of rivals: a master of lower priority is heard once per second or more.
	rivalRest = time.Second
)

// A status is what the controller keeps of one address, in addition to what desired and observed hold. It belongs to whoever processes
// the address: the goroutine of Run, or the write that is in progress.
type status struct {
	noticed  uint64 // number of the latest change in desired that was taken into account
	answered uint64 // number of the latest claim or rival that a reading or an acknowledged write has answered

	readAfter time.Time // a reading begun earlier cannot show that the address is in place
	verify    verifications
	conflict  conflict
	readings  readings
	writes    writes

	slot slot // guarded by the controller's mu
}

// verifications are the readings by which an address is still to be verified. Zero: none.
type verifications struct {
	from   time.Time       // what is to be verified happened then
	delays []time.Duration // after from, in order
}

// pending reports whether a verification is left.
func (v verifications) pending() bool { return len(v.delays) > 0 }

// due returns when the next verification is due; there must be one.
func (v verifications) due() time.Time { return v.from.Add(v.delays[0]) }

// after returns the earliest time of a reading that serves as the next verification; there must be one. This is a little before the
// verification is due, so that one read serves addresses that were written together: ten thousand are written within half a second.
func (v verifications) after() time.Time { return v.due().Add(-min(v.delays[0]/4, maxSlack)) }

// readings summarizes the readings of an address.
type readings struct {
	lastSeq uint64            // Seq of the last one that was taken into account
	failing *failurelog.Entry // those that carried an error; nil: none did, as with almost every address
	again   time.Time         // when the address may be read again after one that carried an error
}

// writes summarizes the writes of an address.
type writes struct {
	acknowledged time.Time         // when the last one was; zero: it was not, or there was none since the last claim
	failing      *failurelog.Entry // nil: none failed
	shown        string            // the difference that a dry run has logged
	takeover     *Takeover         // in progress; nil: none is
}

// notice takes into account what has changed since the address was last processed.
func (s *status) notice(want desired.Address, now time.Time) (lost, claimed bool) {
	lost, claimed = want.LastLoss > s.noticed, want.LastClaim > s.noticed
	gained, rival, idle := want.LastGain > s.noticed, want.LastRival > s.noticed, s.noticed <= s.answered
	inPart := lost && want.Ours && !gained // another address of its resource was lost, and its new master may write the resource
	wholly := lost && !inPart
	s.noticed = max(s.noticed, want.Last())
	if wholly { // what came before the loss no longer matters
		s.lose(want)
	}
	if wholly || !want.Ours { // a resource may have lost the address that made it ours, without a loss of its own
		s.conflict, s.writes = conflict{}, writes{failing: s.writes.failing}
	}
	if !want.Ours {
		s.answered = s.noticed
		return lost, claimed
	}
	switch {
	case gained, claimed, inPart:
		s.readAfter = want.Changed
	case rival && idle: // otherwise a reading is awaited already: this rival is considered after that
		s.readForRival(want)
	}
	if claimed { // the conflicts of the last master do not concern a new one
		s.conflict, s.writes.acknowledged = conflict{}, time.Time{}
		if s.writes.takeover == nil {
			s.writes.takeover = &Takeover{Claimed: want.Changed}
		}
	}
	if (rival || inPart) && len(s.verify.delays) < len(verifyDelays) { // its write may take effect after the reading that is made now
		s.verifyFrom(now)
	}
	return lost, claimed
}

// lose drops the reading that was still required from the time when the address was ours. Unless it is ours again, it schedules one that
// shows where the new master has put it. Should it become ours again before that, without a claim, a write that was still being verified is
// verified further.
func (s *status) lose(want desired.Address) {
	s.readAfter = time.Time{}
	if want.Ours {
		return
	}
	delays := []time.Duration{afterLoss}
	if s.verify.pending() {
		delays = verifyDelays[1:]
	}
	s.verify = verifications{want.Changed, delays}
}

// readForRival requires a reading because of the latest rival: at once, or a second after the last one that was required. All addresses of
// an instance compute the same times, so they share a read.
func (s *status) readForRival(want desired.Address) {
	s.readAfter = later(want.Changed, s.readAfter.Add(rivalRest))
}

// verifyFrom schedules the verifications that follow now. For a contested address, the refresh is enough.
func (s *status) verifyFrom(now time.Time) {
	s.verify = verifications{}
	if !s.conflict.on() {
		s.verify = verifications{now, verifyDelays}
	}
}

// verifiedBy drops every verification that a reading begun at the given time settles.
func (s *status) verifiedBy(at time.Time) {
	for s.verify.pending() && !at.Before(s.verify.after()) {
		s.verify.delays = s.verify.delays[1:]
	}
}

// justWritten reports whether the last write was acknowledged after the last reason for doubt, and its verification is not due yet.
func (s *status) justWritten(now time.Time) bool {
	return s.verify.pending() && s.verify.due().After(now) && s.readAfter.Before(s.writes.acknowledged)
}

// oldestUsable returns the earliest time of a reading that may show the address in place: it must be from after the last reason for doubt,
// serve the verification that is due, and not be older than maxAge. Otherwise an old reading would serve for ever while reads fail.
func (s *status) oldestUsable(maxAge time.Duration, now time.Time) time.Time {
	need := later(s.readAfter, now.Add(-maxAge))
	if s.verify.pending() && !now.Before(s.verify.due()) { // not before it is due: the addresses written last would each start a read of their own
		need = later(need, s.verify.after())
	}
	return need
}

// reread returns the earliest time of a reading that may replace last, if last carries an error and the address may be read again;
// otherwise the zero time.
func (c *Controller) reread(st *status, last observed.Reading, now time.Time) time.Time {
	if last.Err == nil || last.Seq != st.readings.lastSeq {
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

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
