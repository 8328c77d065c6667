package keepalived

import (
	"maps"
	"sync"
	"time"
)

// Stats is what a [Listener] has seen and counted since [New], for metrics and status pages. Its maps must not be changed.
type Stats struct {
	Snapshot
	ConnectionChanged time.Time            // when Connected last changed; zero if the FIFO has never had a writer
	Events            map[EventKind]uint64 // how many lines of each kind have been parsed
	BadLines          uint64               // how many lines were malformed
}

// An EventKind is an event without its name and priority. There are few of them, whatever is written to the FIFO.
type EventKind struct {
	Type  string // INSTANCE, GROUP or other
	State string // as Keepalived writes it, if floaty knows it; else other; empty if Type is other
}

const other = "other"

// kind returns the kind of an event.
func (e Event) kind() EventKind {
	if e.Type != typeInstance && e.Type != typeGroup {
		return EventKind{Type: other}
	}
	kind := EventKind{Type: e.Type, State: e.State}
	switch _, known := parseState(e.State); {
	case known:
	case e.State == masterPriority, e.State == backupPriority, e.State == lowerPriorityHeard:
	default:
		kind.State = other
	}
	return kind
}

// statistics collects Stats. The listener's goroutine writes them, and any goroutine may read them.
type statistics struct {
	mu    sync.Mutex // guards stats
	stats Stats
}

// event counts a line that was parsed.
func (s *statistics) event(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stats.Events == nil {
		s.stats.Events = map[EventKind]uint64{}
	}
	s.stats.Events[e.kind()]++
}

// badLine counts a malformed line, and returns how many there have been.
func (s *statistics) badLine() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.BadLines++
	return s.stats.BadLines
}

// handedOn keeps the snapshot that is handed on.
func (s *statistics) handedOn(snapshot Snapshot, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if snapshot.Connected != s.stats.Connected {
		s.stats.ConnectionChanged = now
	}
	s.stats.Snapshot = snapshot
}

// get returns a copy. It shares the map in the snapshot, which nobody changes once it has been handed on.
func (s *statistics) get() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Events = maps.Clone(stats.Events)
	return stats
}
