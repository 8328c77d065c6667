package controller

import (
	"slices"
	"time"

	"floaty/observed"
)

const (
	contestCount  = 3  // readings that show a rival make an address contested
	contestWindow = 10 // refresh intervals in which they count
	contestEnd    = 2  // refresh readings in a row that show us end it
)

// A contest tells whether somebody else keeps moving an address that is ours, or the cloud does not show what it has
// acknowledged. Counted is each reading that shows another holder, or none, though the one before showed us, or though our
// last write was acknowledged. Three within ten refresh intervals make the address contested: from then on it costs one
// write an interval, until two refresh readings in a row show us.
type contest struct {
	on    bool
	rival string // whom a counted reading has shown last; empty: none of them anybody

	times  []time.Time // of counted readings, within the window
	judged uint64      // order of the reading that was judged last
	here   bool        // it showed us
	acked  bool        // our last write was acknowledged
	calm   int         // refresh readings in a row that showed us
	spent  uint64      // order of the reading for which the interval's write was made
}

// judge takes in a reading and reports whether it made the address contested, or ended that.
func (c *contest) judge(r observed.Reading, want string, window time.Duration) (began, ended bool) {
	if r.Order == c.judged {
		return false, false
	}
	here := r.Holding.At(want)
	counts := !here && (c.here || c.acked)
	c.judged, c.here = r.Order, here
	for len(c.times) > 0 && r.At.Sub(c.times[0]) > window {
		c.times = c.times[1:]
	}
	if len(c.times) == 0 && !c.on {
		c.rival = ""
	}
	if counts {
		c.times = append(c.times, r.At)
		if rivals := others(r.Servers, want); len(rivals) > 0 {
			c.rival = rivals[0]
		}
	}
	switch {
	case !here:
		c.calm = 0
	case r.Refresh:
		c.calm++
	}
	switch {
	case !c.on && len(c.times) >= contestCount:
		c.on, c.calm = true, 0
		return true, false
	case c.on && c.calm >= contestEnd:
		*c = contest{judged: c.judged, here: c.here, acked: c.acked}
		return false, true
	}
	return false, false
}

// allows reports whether the reading may be answered with a write: in a contest only a refresh may, and once.
func (c *contest) allows(r observed.Reading) bool {
	return !c.on || r.Refresh && r.Order != c.spent
}

// others returns the servers but this one.
func others(servers []string, this string) []string {
	return slices.DeleteFunc(slices.Clone(servers), func(server string) bool { return server == this })
}

// acknowledged takes note of a write that the cloud has accepted.
func (c *contest) acknowledged() { c.acked = true }

// attempted takes note of a write that is about to be made in answer to a reading.
func (c *contest) attempted(r observed.Reading) { c.acked, c.spent = false, r.Order }
