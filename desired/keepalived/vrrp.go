package keepalived

import (
	"strconv"
	"time"
)

const (
	identifyEvery = 500 * time.Millisecond // between look-ups, while the VRRP process is not known
	identifyFast  = 10 * time.Second       // after that only every restEvery, because there may never be a pid file
)

// A vrrpProcess is what is known of Keepalived's VRRP process, the one that writes to the FIFO.
type vrrpProcess struct {
	fifo       *fifo
	pidFile    func() string // its path
	process    *Process      // nil: not known
	registered bool          // the pid file names process
	unknown    time.Time     // since when process may be out of date: a writer came, or the process ended
	checked    time.Time     // when the pid file was last read
	pidFileErr error         // why the pid file did not identify the process then; nil: it did
	search     search
}

// mayHaveChanged notes that another process may be the VRRP process from now on.
func (v *vrrpProcess) mayHaveChanged(now time.Time) { v.unknown, v.checked = now, now }

// lookUp identifies the VRRP process if that is quick: it is the process that the pid file names, or the one known so far, whichever has
// the FIFO open for writing. If that cannot be seen, the pid file decides. It returns nil if only a search can tell. registered tells
// whether the pid file names the process.
func (v *vrrpProcess) lookUp() (p *Process, registered bool) {
	named, err := FindProcess(v.pidFile())
	v.pidFileErr = err
	writes, unseen := named.writes(v.fifo.current)
	if writes {
		return named, true
	}
	known := v.process
	if !known.Alive() {
		known = nil
	}
	knownWrites, knownUnseen := known.writes(v.fifo.current)
	switch {
	case knownWrites:
		named.Close()
		return known, v.registered
	case named != nil && unseen != nil:
		return named, true
	case known != nil && knownUnseen != nil:
		named.Close()
		return known, v.registered
	}
	named.Close()
	return nil, false
}

// adopt makes p, which may be nil, the VRRP process. same tells whether it is the same process as before, and alive. If not, replaced tells
// whether the one before is known to be no longer the VRRP process.
func (v *vrrpProcess) adopt(p *Process, registered bool, now time.Time) (same, replaced bool) {
	same = v.process.Alive() && v.process.Same(p)
	switch {
	case p == v.process:
	case same:
		p.Close()
	default:
		replaced = v.process != nil && (p != nil || !v.process.Alive())
		v.process.Close()
		v.process = p
	}
	v.registered = registered
	v.search.due = time.Time{}
	if v.process == nil {
		v.search.due = now
	}
	return same, replaced
}

// ended notes that the process has ended.
func (v *vrrpProcess) ended(now time.Time) {
	v.process.Close()
	v.process, v.registered, v.unknown = nil, false, now
	v.search.due = now.Add(identifyEvery) // its successor needs a moment
}

// restore makes the process in a record the VRRP process. It returns false if that process has ended, or if another one is known to be the
// VRRP process. A record without a process proves nothing, and so changes nothing.
func (v *vrrpProcess) restore(r record) bool {
	if r.PID == 0 {
		return true
	}
	p, err := OpenProcess(r.PID)
	if err != nil || p.startText() != r.Start || !IsKeepalived(p.PID) || v.process != nil && !p.Same(v.process) {
		p.Close()
		return false
	}
	v.process.Close()
	v.process = p
	return true
}

// due reports whether it is time for another lookUp.
func (v *vrrpProcess) due(now time.Time) bool {
	return v.fifo.connected && (v.process == nil || !v.registered) && now.Sub(v.checked) >= v.interval(now)
}

// interval is how often to look for the process while the pid file does not name it.
func (v *vrrpProcess) interval(now time.Time) time.Duration {
	if now.Sub(v.unknown) < identifyFast {
		return identifyEvery
	}
	return restEvery
}

// searchResult returns what a search has found, if one has just ended and still matters: it does not if another writer has come since it
// began. p is nil if it found no process.
func (v *vrrpProcess) searchResult() (p *Process, ok bool) {
	p, ok = v.search.result()
	if ok && (v.process != nil || !v.fifo.connected || v.search.fifo != v.fifo.current || v.search.begun.Before(v.unknown)) {
		p.Close()
		return nil, false
	}
	return p, ok
}

// isWriter reports whether p has the FIFO open for writing, as far as that can be seen.
func (v *vrrpProcess) isWriter(p *Process) bool {
	writes, err := p.writes(v.fifo.current)
	return writes && err == nil
}

// searchLater puts off the next search, because one has found nothing.
func (v *vrrpProcess) searchLater(now time.Time) { v.search.due = now.Add(searchEvery) }

// startSearch begins a search through all processes if one is due.
func (v *vrrpProcess) startSearch(now time.Time) {
	if v.fifo.connected && v.process == nil && v.search.isDue(now) {
		v.search.start(v.fifo.current, v.pidFile(), now)
	}
}

// wait is like trust.wait, for what concerns the process.
func (v *vrrpProcess) wait(now time.Time, fds []int) (time.Duration, []int) {
	wait := restEvery
	if fd := v.process.descriptor(); fd >= 0 {
		fds = append(fds, fd)
	} else if v.process != nil { // its end wakes nobody
		wait = checkEvery
	}
	if v.process == nil || !v.registered {
		wait = min(wait, v.interval(now))
	}
	if v.search.resultIsNear(now) {
		wait = min(wait, searchPoll)
	}
	return wait, fds
}

func (v *vrrpProcess) close() {
	v.search.end()
	v.process.Close()
	v.process = nil
}

// startText is the start time as it is saved.
func (p *Process) startText() string { return strconv.FormatUint(p.Start, 10) }
