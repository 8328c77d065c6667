package keepalived

import "sync/atomic"

// Stats is what a [Listener] has seen and counted since [New], for metrics and status pages. Its maps must not be changed.
type Stats struct {
	Snapshot
	Events   map[EventKind]uint64 // how many lines of each kind have been parsed
	BadLines uint64               // how many lines were malformed
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

// Stats returns what the Listener has seen and counted so far. It may be called at any time, and waits for nothing.
func (l *Listener) Stats() Stats {
	return Stats{Snapshot: *l.reported.Load(), Events: l.counters.kinds(), BadLines: l.counters.malformed.Load()}
}
