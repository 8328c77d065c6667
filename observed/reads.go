package observed

import (
	"net/netip"
	"slices"
	"time"
)

// read does what Read does, but starts a read only if managed is not nil; if one must be started, it otherwise returns the zero Reading. So
// Options.Addresses, which has a lock of its own and sorts, is called neither for a reading that is there already nor with o.mu held.
func (o *Observed) read(addr netip.Addr, after time.Time, managed []netip.Addr) (reading Reading, pending bool, err error) {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	reading, ok := o.last(addr)
	switch {
	case ok && !reading.At.Before(after):
		return reading, false, nil
	case o.backingOff(now):
		return Reading{}, false, o.failure.err
	case o.inProgress(addr, after):
		return Reading{}, true, nil
	case managed == nil:
		return Reading{}, false, nil
	case now.Before(o.due):
		o.begin(now, o.covered(addr, managed, now), false)
	default: // one read serves as the refresh, too
		slices.SortFunc(managed, netip.Addr.Compare)
		o.beginRefresh(now, slices.Compact(managed))
	}
	return Reading{}, true, nil
}

// startRefresh starts a read of addrs, which are all that are managed, if it is due.
func (o *Observed) startRefresh(addrs []netip.Addr) {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(addrs) == 0 { // nothing is read, so there is nothing to try again
		o.failure.err, o.failure.retry = nil, time.Time{}
	}
	switch {
	case now.Before(o.due): // an address has just asked for it
	case o.backingOff(now):
		o.due = o.failure.retry
	default:
		o.beginRefresh(now, addrs)
	}
}

// beginRefresh begins a read of addrs, which are all that are managed, and sets the next common instant. o.mu is held.
func (o *Observed) beginRefresh(now time.Time, addrs []netip.Addr) {
	o.due = now.Add(Jitter(o.opts.Interval, 0.1))
	if len(addrs) > 0 {
		o.begin(now, addrs, true)
	}
}

// toStart returns the reads that are to be started now.
func (o *Observed) toStart() []*read {
	o.mu.Lock()
	defer o.mu.Unlock()
	var reads []*read
	for _, r := range o.reads {
		if !r.started {
			r.started = true
			reads = append(reads, r)
		}
	}
	return reads
}

// entry returns what is known of addr, for the caller to change. o.mu is held.
func (o *Observed) entry(addr netip.Addr) *entry {
	e := o.known[addr]
	if e == nil {
		e = &entry{}
		o.known[addr] = e
	}
	return e
}

func (o *Observed) last(addr netip.Addr) (Reading, bool) {
	e := o.known[addr]
	if e == nil {
		return Reading{}, false
	}
	return e.reading, e.reading.Seq > e.invalidated
}

// invalidated returns the Seq up to which readings of addr do not count.
func (o *Observed) invalidated(addr netip.Addr) uint64 {
	if e := o.known[addr]; e != nil {
		return e.invalidated
	}
	return 0
}

// backingOff reports whether the last read failed, and its back-off is not over yet: until then, every caller gets its error.
func (o *Observed) backingOff(now time.Time) bool {
	return o.failure.err != nil && now.Before(o.failure.retry)
}

// inProgress reports whether a read that was begun at after or later will yield a valid reading of addr.
func (o *Observed) inProgress(addr netip.Addr, after time.Time) bool {
	return slices.ContainsFunc(o.reads, func(r *read) bool { return !r.at.Before(after) && o.tells(r, addr) })
}

// tells reports whether a read will yield a valid reading of addr.
func (o *Observed) tells(r *read, addr netip.Addr) bool {
	_, covered := slices.BinarySearchFunc(r.addrs, addr, netip.Addr.Compare)
	return covered && r.seq > o.invalidated(addr)
}

// covered returns addr and every managed address that a read for it covers as well, sorted.
func (o *Observed) covered(addr netip.Addr, managed []netip.Addr, now time.Time) []netip.Addr {
	addrs := []netip.Addr{addr}
	for _, other := range managed {
		last, ok := o.last(other)
		var scheduled time.Time
		if e := o.known[other]; e != nil {
			scheduled = e.scheduled
		}
		if other != addr && (!ok || !now.Before(scheduled) && last.At.Before(scheduled)) {
			addrs = append(addrs, other)
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return addrs
}

// begin hands a read to Run. Its time is now, so that it does not count as having seen anything that happens after this.
func (o *Observed) begin(now time.Time, addrs []netip.Addr, refresh bool) {
	o.seq++
	o.reads = append(o.reads, &read{addrs: addrs, at: now, seq: o.seq, refresh: refresh})
	select {
	case o.wake <- struct{}{}:
	default: // Run is about to look
	}
}
