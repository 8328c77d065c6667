package controller

import (
	"time"

	"golang.org/x/time/rate"

	"floaty/observed"
	"floaty/providers"
)

// looks are the ages at which an acknowledged write, or a rival that was heard, is looked at again: a slow rival's write may
// land later. One of an old master was seen 15 s after the takeover.
var looks = [...]time.Duration{time.Second, 3 * time.Second, 10 * time.Second, 30 * time.Second}

// maxSlack bounds how early a look may be, so that nothing is missed for long between the last one and the refresh.
const maxSlack = 2500 * time.Millisecond

// afterLoss is when a host that lost an address looks where the new master has put it.
const afterLoss = 3 * time.Second

// A memory is what the controller remembers of one address.
type memory struct {
	claimed bool      // MASTER was said, and neither a write was acknowledged nor a reading had since
	suspect bool      // a rival was heard: one write is allowed
	rival   time.Time // the last one that was heard
	sought  time.Time // when a reading because of a rival was due last, or is due
	need    time.Time // a reading begun earlier cannot say "in place"

	written  time.Time     // the last write was acknowledged
	tried    time.Time     // the last attempt to write
	series   time.Time     // the looks count from here: that write, or a rival that was heard since
	look     time.Time     // the next look is due; zero: none
	looked   int           // looks so far
	writes   *rate.Limiter // of attempts to write
	failures int           // in a row, which the back-off counts
	hold     time.Time     // no write before
	trouble  providers.Trouble
	err      error     // why the last write failed; nil: it did not
	takeover *Takeover // under way; nil: none is
	shown    string    // the difference that a dry run has said

	unreadable providers.Trouble // readings that carried an error
	failed     uint64            // order of the one that was counted last
	retry      time.Time         // a reading that carries an error counts until then

	contest contest
	turn    bool // to write, which ends with the look
	lined   bool // it stands in line to be written for want of a reading

	published published // guarded by the controller's mu
}

// newMemory allows four writes in a row: a claim and the answers to three rivals, after which the address is contested.
func newMemory() *memory {
	return &memory{writes: rate.NewLimiter(rate.Every(time.Second), 4)}
}

// hear takes in what has happened.
func (m *memory) hear(s signal, now time.Time) {
	if s.lost {
		*m = memory{
			writes: m.writes, trouble: m.trouble, unreadable: m.unreadable, failed: m.failed, retry: m.retry,
			look: s.at.Add(afterLoss), turn: m.turn, published: m.published,
		}
	}
	if s.gained || s.claimed {
		m.need = s.at
	}
	if s.gained {
		m.look = time.Time{}
	}
	if s.claimed { // tries at once, and a new master owes nothing to the fights of the last
		m.claimed, m.failures, m.hold, m.contest, m.trouble.Since = true, 0, time.Time{}, contest{}, now
		if m.takeover == nil {
			m.takeover = &Takeover{Claimed: s.at}
		}
	}
	if s.resumed { // what was refused may be granted now
		m.hold = time.Time{}
		if m.unreadable.Attempts > 0 {
			m.retry = s.at
		}
	}
	if s.rival {
		m.hearRival(s.at, now)
	}
}

// rivalRest is the time between two readings because of rivals: a master of lower priority speaks once a second, or oftener. All
// addresses of an instance reckon with the same instants, and share a read.
const rivalRest = time.Second

// hearRival takes in that a rival was heard. While one is looked for already, this one waits until that reading is judged: it may be
// newer than that.
func (m *memory) hearRival(at, now time.Time) {
	m.rival = at
	if !m.suspect {
		m.suspect = true
		m.seek()
	}
	if m.look.IsZero() || m.looked > 0 { // its write may land after the look that is made now
		m.begin(now)
	}
}

// seek has the last rival looked for with a reading, at once or a second after the last such.
func (m *memory) seek() {
	m.sought = later(m.rival, m.sought.Add(rivalRest))
	m.need = later(m.need, m.sought)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// rivalWait is how long until a rival is to be looked for.
func (m *memory) rivalWait(now time.Time) time.Duration {
	if !m.suspect || m.claimed {
		return 0
	}
	return m.sought.Sub(now)
}

// begin starts a series of looks.
func (m *memory) begin(now time.Time) {
	m.series, m.looked, m.look = now, 0, now.Add(looks[0])
	if m.contest.on { // the refresh is enough
		m.look = time.Time{}
	}
}

// again returns the time from which on a reading serves in place of last, if that carries an error and may be tried again.
func (m *memory) again(last observed.Reading, now time.Time) time.Time {
	if last.Err == nil || last.Order != m.failed || now.Before(m.retry) {
		return time.Time{}
	}
	return m.retry
}

// slack is by how much a look may be early: addresses written together are then served by one read. Ten thousand are written
// within half a second.
func (m *memory) slack() time.Duration { return min(looks[m.looked]/4, maxSlack) }

// from is the time from which on a reading serves as the next look.
func (m *memory) from() time.Time { return m.look.Add(-m.slack()) }

// due reports whether a look is due.
func (m *memory) due(now time.Time) bool {
	return !m.look.IsZero() && !now.Before(m.from())
}

// acknowledged takes note of a write.
func (m *memory) acknowledged(now time.Time) {
	m.claimed, m.suspect, m.failures, m.hold = false, false, 0, time.Time{}
	m.trouble.Over()
	m.written, m.err = now, nil
	if m.takeover != nil && m.takeover.Acknowledged.IsZero() {
		m.takeover.Acknowledged = now
	}
	m.contest.acknowledged()
	m.begin(now)
}

// advance sets the next look after one that was due.
func (m *memory) advance(now time.Time) {
	if !m.due(now) {
		return
	}
	m.looked++
	if m.looked == len(looks) {
		m.looked, m.look = 0, time.Time{}
		return
	}
	m.look = m.series.Add(looks[m.looked])
}

// barred returns how long the next write must wait.
func (m *memory) barred(now time.Time) time.Duration {
	if wait := m.hold.Sub(now); wait > 0 {
		return wait
	}
	if wait := time.Second - now.Sub(m.written); m.contest.on && m.suspect && wait > 0 {
		return wait
	}
	return 0
}

// spend takes one of the writes that are allowed in a row, or returns how long until there is one.
func (m *memory) spend(now time.Time) time.Duration {
	r := m.writes.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}
