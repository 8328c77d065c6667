package controller

import (
	"time"

	"golang.org/x/time/rate"

	"floaty/observed"
)

// looks are the ages at which an acknowledged write is looked at again: a slow rival's write may land after ours.
var looks = [...]time.Duration{time.Second, 3 * time.Second, 10 * time.Second}

// afterLoss is when a host that lost an address looks where the new master has put it.
const afterLoss = 3 * time.Second

// A memory is what the controller remembers of one address.
type memory struct {
	claimed bool      // MASTER was said, and neither a write was acknowledged nor a reading had since
	suspect bool      // a rival was heard: one write is allowed
	resumed bool      // waits asked for by the cloud are over; guarded by the controller's mu
	need    time.Time // a reading begun earlier cannot say "in place"

	written  time.Time     // the last write was acknowledged
	look     time.Time     // the next look at it is due; zero: none
	looked   int           // looks at it so far
	writes   *rate.Limiter // of attempts to write
	failures int           // in a row, which the back-off counts
	hold     time.Time     // no write before
	trouble  observed.Trouble
	shown    string // the difference that a dry run has said

	contest contest
}

// newMemory allows four writes in a row: a claim and the answers to three rivals, after which the address is contested.
func newMemory() *memory {
	return &memory{writes: rate.NewLimiter(rate.Every(time.Second), 4)}
}

// hear takes in what has happened.
func (m *memory) hear(s signal, now time.Time) {
	if s.lost {
		*m = memory{writes: m.writes, look: now.Add(afterLoss)}
	}
	if s.gained || s.claimed || s.rival {
		m.need = now
	}
	if s.gained {
		m.look = time.Time{}
	}
	if s.claimed { // tries at once, and a new master owes nothing to the fights of the last
		m.claimed, m.failures, m.hold, m.contest = true, 0, time.Time{}, contest{}
	}
	m.suspect = m.suspect || s.rival
}

// slack is by how much a look may be early: addresses written together are then served by one read.
func (m *memory) slack() time.Duration { return looks[m.looked] / 10 }

// from is the time from which on a reading serves as the next look.
func (m *memory) from() time.Time { return m.look.Add(-m.slack()) }

// due reports whether a look at the last write is due.
func (m *memory) due(now time.Time) bool {
	return !m.look.IsZero() && !now.Before(m.from())
}

// acknowledged takes note of a write.
func (m *memory) acknowledged(now time.Time) {
	m.claimed, m.suspect, m.failures, m.hold = false, false, 0, time.Time{}
	m.trouble.Over()
	m.written, m.looked, m.look = now, 0, now.Add(looks[0])
	m.contest.acknowledged()
	if m.contest.on { // the refresh is enough
		m.look = time.Time{}
	}
}

// advance sets the next look at the last write after one that was due.
func (m *memory) advance(now time.Time) {
	if !m.due(now) {
		return
	}
	m.looked++
	if m.looked == len(looks) {
		m.looked, m.look = 0, time.Time{}
		return
	}
	m.look = m.written.Add(looks[m.looked])
}
