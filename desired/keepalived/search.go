package keepalived

import (
	"context"
	"time"
)

const (
	searchEvery = 5 * time.Minute       // through all processes, where nothing was found
	searchPoll  = 20 * time.Millisecond // for its result
	searchTakes = 3 * time.Second       // before its result can wait for the next wake-up
	searchEnds  = time.Second           // after which one that hangs in the system is given up
)

// A search goes through all processes for the VRRP process, beside the listener.
type search struct {
	due   time.Time // zero: it is not needed
	begun time.Time
	fifo  *pipe         // whose writer is looked for
	found chan *Process // nil: none is under way
	why   error         // that the pid file does not tell
	stop  context.CancelFunc
}

// candidate returns the VRRP process where a quick look tells: the one that the pid file names or the last known one, whichever
// holds the FIFO open for writing. Where that may not be seen, the pid file decides. Nil: another search is needed.
func (l *Listener) candidate() *Process {
	named, err := FindProcess(l.opts.PIDFile())
	if l.search.why = err; err == nil {
		named.registered = true
	}
	writes, unseen := named.holds(l.current)
	if writes {
		return named
	}
	known := l.process
	if !known.Alive() {
		known = nil
	}
	knownWrites, knownUnseen := known.holds(l.current)
	switch {
	case knownWrites:
		named.Close()
		return known
	case named != nil && unseen != nil:
		return named
	case known != nil && knownUnseen != nil:
		named.Close()
		return known
	}
	named.Close()
	return nil
}

// adopt notes who the VRRP process is; nil: that cannot be told. If the one before was another, or has ended, nothing counts that it
// said.
func (l *Listener) adopt(fresh *Process, now time.Time) {
	same := l.process.Alive() && l.process.Same(fresh)
	if l.doubt != nil && !same {
		l.doubt.another = true
	}
	switch {
	case fresh == l.process:
	case same:
		l.process.registered = fresh.registered
		fresh.Close()
	default:
		if l.process != nil && (fresh != nil || !l.process.Alive()) {
			l.forget(now)
		}
		l.process.Close()
		l.process = fresh
	}
	l.search.due = time.Time{}
	if l.process == nil {
		l.search.due = now
	}
}

// ask asks for the VRRP process now and then, as long as no pid file names it: that may come late, or a better one.
func (l *Listener) ask(now time.Time) {
	if l.search.found != nil {
		l.answer(now)
	}
	if !l.connected || l.process != nil && l.process.registered || now.Sub(l.asked) < l.askEvery(now) {
		return
	}
	l.asked = now
	if fresh := l.candidate(); fresh != nil {
		l.adopt(fresh, now)
	}
}

// answer takes what a search has found.
func (l *Listener) answer(now time.Time) {
	select {
	case fresh := <-l.search.found:
		l.search.stop()
		l.search.found = nil
		if l.process != nil || !l.connected || l.search.fifo != l.current {
			fresh.Close() // it comes too late
			return
		}
		l.adopt(fresh, now)
		if fresh == nil {
			l.search.due = now.Add(searchEvery)
		}
	default:
	}
}

// seek begins a search if one is due. It comes after all else, for it may take a while, and other processes wait for nothing.
func (l *Listener) seek(now time.Time) {
	s := &l.search
	if s.found != nil || s.due.IsZero() || now.Before(s.due) || !l.connected || l.process != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	found, fifo, pidFile := make(chan *Process, 1), l.current, l.opts.PIDFile()
	s.begun, s.due, s.fifo, s.found, s.stop = now, time.Time{}, fifo, found, stop
	go func() { found <- fifo.writer(ctx, pidFile) }()
}

// searching reports whether a result may come at any moment.
func (s *search) searching(now time.Time) bool {
	return s.found != nil && now.Sub(s.begun) < searchTakes
}

// end ends the one that is under way.
func (s *search) end() {
	if s.found == nil {
		return
	}
	s.stop()
	select {
	case p := <-s.found:
		p.Close()
	case <-time.After(searchEnds):
	}
	s.found = nil
}
