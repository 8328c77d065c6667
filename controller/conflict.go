package controller

import (
	"slices"
	"time"

	"floaty/observed"
)

const (
	conflictCount  = 3  // readings that show a rival make an address contested
	conflictWindow = 10 // refresh intervals in which they count
	conflictEnd    = 2  // refresh readings in a row that show us end it
)

// A conflict tells whether somebody else keeps moving an address that is ours, or the cloud does not show what it has
// acknowledged. Counted is each reading that shows another holder, or none, though the one before showed us, or though our
// last write was acknowledged. Three within ten refresh intervals make the address contested: from then on it costs one
// write per interval, until two refresh readings in a row show us.
type conflict struct {
	rival string      // whom a counted reading has shown last; empty: none of them anybody
	times []time.Time // of counted readings, within the window; while it is contested, those that made it so
	here  bool        // the reading that was judged last showed us
	calm  int         // refresh readings in a row that showed us
}

// on reports whether the address is contested.
func (c *conflict) on() bool { return len(c.times) >= conflictCount }

// judge takes a reading into account and reports whether it made the address contested, or ended that. acknowledged is whether our last
// write was.
func (c *conflict) judge(r observed.Reading, want string, acknowledged bool, window time.Duration) (began, ended bool) {
	here := r.Holding.At(want)
	counts := !here && (c.here || acknowledged)
	c.here = here
	switch {
	case !here:
		c.calm = 0
	case r.Refresh:
		c.calm++
	}
	rivals := others(r.Servers, want)
	if counts && len(rivals) > 0 {
		c.rival = rivals[0]
	}
	if c.on() {
		ended = c.calm >= conflictEnd
		if ended {
			*c = conflict{here: here}
		}
		return false, ended
	}
	c.times = slices.DeleteFunc(c.times, func(t time.Time) bool { return r.At.Sub(t) > window })
	if counts {
		c.times = append(c.times, r.At)
	}
	if len(c.times) == 0 {
		c.rival = ""
	}
	if c.on() {
		c.calm = 0
	}
	return c.on(), false
}

// allows reports whether the reading may be answered with a write: while the address is contested, only a refresh may. An acknowledged
// write voids it, so that it is answered once.
func (c *conflict) allows(r observed.Reading) bool { return !c.on() || r.Refresh }

// others returns the servers but this one.
func others(servers []string, this string) []string {
	return slices.DeleteFunc(slices.Clone(servers), func(server string) bool { return server == this })
}
