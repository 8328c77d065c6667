package keepalived

import (
	"sync/atomic"
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

// eventStates returns the states that are counted by their name.
func eventStates() [8]string {
	return [...]string{
		Backup.String(), Master.String(), Fault.String(), Stop.String(), Deleted.String(),
		masterPriority, backupPriority, lowerPriorityHeard,
	}
}

// eventCounters count events. The goroutine of the listener counts them, and any goroutine may read them.
type eventCounters struct {
	instance, group [9]atomic.Uint64 // one for each of eventStates, and one for any other state
	other           atomic.Uint64    // events of another type
	malformed       atomic.Uint64
}

// count counts an event.
func (c *eventCounters) count(e Event) {
	counters := &c.instance
	switch e.Type {
	case typeInstance:
	case typeGroup:
		counters = &c.group
	default:
		c.other.Add(1)
		return
	}
	for i, state := range eventStates() {
		if state == e.State {
			counters[i].Add(1)
			return
		}
	}
	counters[len(counters)-1].Add(1)
}

// kinds returns the counters that are not zero.
func (c *eventCounters) kinds() map[EventKind]uint64 {
	kinds := map[EventKind]uint64{}
	add := func(kind EventKind, counter *atomic.Uint64) {
		if n := counter.Load(); n > 0 {
			kinds[kind] = n
		}
	}
	states := eventStates()
	for i, state := range append(states[:], other) {
		add(EventKind{typeInstance, state}, &c.instance[i])
		add(EventKind{typeGroup, state}, &c.group[i])
	}
	add(EventKind{Type: other}, &c.other)
	return kinds
}

// A reported is the last snapshot that was handed on.
type reported struct {
	Snapshot
	connectionChanged time.Time // as in Stats
}

// next returns what follows r when a snapshot is handed on.
func (r *reported) next(s Snapshot, now time.Time) *reported {
	next := &reported{Snapshot: s, connectionChanged: r.connectionChanged}
	if s.Connected != r.Connected {
		next.connectionChanged = now
	}
	return next
}

// Stats returns what the Listener has seen and counted so far. It may be called at any time, and waits for nothing.
func (l *Listener) Stats() Stats {
	r := l.reported.Load()
	return Stats{
		Snapshot:          r.Snapshot,
		ConnectionChanged: r.connectionChanged,
		Events:            l.counters.kinds(),
		BadLines:          l.counters.malformed.Load(),
	}
}
