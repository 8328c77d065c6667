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

// A conflict detects that somebody else keeps moving an address that is ours, or that the cloud does not show what it has
// acknowledged. It counts each reading that shows another holder, or none, although the one before showed us or our last write was
// acknowledged. Three of them within ten refresh intervals make the address contested: from then on it costs one write per interval,
// until two refresh readings in a row show us.
type conflict struct {
	rival string      // the server that a counted reading has shown last; empty: none of them showed any
	times []time.Time // of the counted readings within the window; while the address is contested, of those that made it so
	here  bool        // the last reading that was taken into account showed us
	calm  int         // refresh readings in a row that showed us
}

// on reports whether the address is contested.
func (c *conflict) on() bool { return len(c.times) >= conflictCount }

// record takes a reading into account. It reports whether the reading made the address contested, or ended that. acknowledged tells
// whether our last write was.
func (c *conflict) record(r observed.Reading, want string, acknowledged bool, window time.Duration) (began, ended bool) {
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

// allows reports whether the reading may be answered with a write: while the address is contested, only that of a refresh may. It is
// answered once, because an acknowledged write invalidates it.
func (c *conflict) allows(r observed.Reading) bool { return !c.on() || r.Refresh }

// others returns the servers except this one.
func others(servers []string, this string) []string {
	return slices.DeleteFunc(slices.Clone(servers), func(server string) bool { return server == this })
}
