package keepalived

import (
	"context"
	"time"
)

const (
	searchEvery = 5 * time.Minute       // while searches find nothing
	searchPoll  = 20 * time.Millisecond // how often to ask for a result that may come soon
	searchTakes = 3 * time.Second       // a result that is not there by then can wait until the listener wakes up anyway
	searchEnds  = time.Second           // how long to wait at the end for a search that hangs in the kernel
)

// A search looks through all processes for the one that writes to a FIFO, in a goroutine of its own.
type search struct {
	due   time.Time // when to begin the next one; zero: none is needed
	begun time.Time
	fifo  *fifoFile     // whose writer is looked for
	found chan *Process // the result; nil: no search is in progress
	stop  context.CancelFunc
}

func (s *search) isDue(now time.Time) bool {
	return s.found == nil && !s.due.IsZero() && !now.Before(s.due)
}

// start begins a search. Of fifo it uses the device and inode only, so that fifo may be closed meanwhile.
func (s *search) start(fifo *fifoFile, pidFile string, now time.Time) {
	ctx, stop := context.WithCancel(context.Background())
	found := make(chan *Process, 1)
	s.begun, s.due, s.fifo, s.found, s.stop = now, time.Time{}, fifo, found, stop
	go func() { found <- fifo.findWriter(ctx, pidFile) }()
}

// result returns the result of a search that has just ended; p is nil if it found none.
func (s *search) result() (p *Process, ok bool) {
	select {
	case p = <-s.found: // never, while found is nil
		s.stop()
		s.found = nil
		return p, true
	default:
		return nil, false
	}
}

// resultIsNear reports whether a result may come at any moment.
func (s *search) resultIsNear(now time.Time) bool {
	return s.found != nil && now.Sub(s.begun) < searchTakes
}

// end stops the search that is in progress.
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
