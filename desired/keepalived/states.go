package keepalived

import (
	"fmt"
	"maps"
	"time"
)

// A State is the state of an instance, as Keepalived last reported it.
type State int

// The states. Only Master makes addresses belong here.
const (
	Unknown State = iota // Keepalived has said nothing yet, or what it said no longer counts
	Backup
	Master
	Fault
	Stop
	Deleted
)

// String returns the state as Keepalived writes it, or "unknown".
func (s State) String() string {
	switch s {
	case Unknown:
		return "unknown"
	case Backup:
		return "BACKUP"
	case Master:
		return "MASTER"
	case Fault:
		return "FAULT"
	case Stop:
		return "STOP"
	case Deleted:
		return "DELETED"
	}
	return fmt.Sprintf("State(%d)", int(s))
}

// parseState returns the state that Keepalived writes as word.
func parseState(word string) (State, bool) {
	for s := Backup; s <= Deleted; s++ {
		if s.String() == word {
			return s, true
		}
	}
	return Unknown, false
}

// A Status is what is known about one VRRP instance.
type Status struct {
	State     State
	Since     time.Time // when State began
	Suspended bool      // State is in doubt: no address may be assigned for the instance
	Claims    uint64    // how many lines have said MASTER; a MASTER_RX_LOWER_PRI counts if it was not MASTER before
	Rivals    uint64    // how many MASTER_RX_LOWER_PRI lines there have been

	unconfirmed bool      // in doubt because the writer was lost, or the process that wrote has ended
	resumes     time.Time // State is in doubt until then, because of a standstill; zero: it is not
	claimed     time.Time // when a line last said that the instance is MASTER
}

// confirmed returns s after a line about the instance, which ends every doubt.
func (s Status) confirmed() Status {
	s.Suspended, s.unconfirmed, s.resumes = false, false, time.Time{}
	return s
}

// derived returns s with Suspended as it follows from the reasons for doubt.
func (s Status) derived() Status {
	s.Suspended = s.unconfirmed || !s.resumes.IsZero()
	return s
}

// A Snapshot is all that Keepalived has said, as far as it still counts.
type Snapshot struct {
	Instances   map[string]Status // by name: every instance that Keepalived has written about
	Connected   bool              // the FIFO has a writer
	PID         int               // the process ID of Keepalived's VRRP process; 0: not known
	Standstills int               // how often floaty has stood still so far (SIGSTOP, a suspended machine and the like)
}

// states are the instances that Keepalived has written about, by name.
type states map[string]Status

// apply applies an event about an instance, or about a group with the given members. It reports whether it knows the event's state.
// Events about a priority are known and change nothing.
func (s states) apply(e Event, members []string, now time.Time) bool {
	switch e.State {
	case masterPriority, backupPriority: // Keepalived 2.2.7 writes the latter for a MASTER on a reload
		return true
	case lowerPriorityHeard:
		if e.Type != typeInstance {
			return false
		}
		s.rival(e.Name, now)
		return true
	}
	state, ok := parseState(e.State)
	if !ok {
		return false
	}
	if e.Type == typeInstance {
		s.set(e.Name, state, now)
		return true
	}
	for _, name := range members {
		// Keepalived writes about the members before it writes about their group, so MASTER for a group adds something only for a member of
		// which nothing is known.
		if state != Master || s[name].State == Unknown {
			s.set(name, state, now)
		}
	}
	return true
}

// maxInstances bounds how many names are kept. VRRP has 255 virtual routers per interface, and Keepalived names few.
const maxInstances = 10_000

func (s states) set(name string, state State, now time.Time) {
	inst, known := s[name]
	if !known && len(s) >= maxInstances {
		return
	}
	if inst.State != state || inst.Since.IsZero() {
		inst.State, inst.Since = state, now
	}
	if state == Master {
		inst.Claims++
		inst.claimed = now
	}
	s[name] = inst.confirmed()
}

// rival notes that an instance, which must then be MASTER, has received an advertisement with a lower priority: another host also acts as
// MASTER.
func (s states) rival(name string, now time.Time) {
	if inst := s[name]; inst.State != Master {
		s.set(name, Master, now)
	}
	inst, known := s[name]
	if !known {
		return
	}
	inst.Rivals++
	inst.claimed = now
	s[name] = inst.confirmed()
}

// suspend makes every known state unconfirmed.
func (s states) suspend() {
	for name, inst := range s {
		inst.unconfirmed = inst.State != Unknown
		s[name] = inst.derived()
	}
}

// confirm decides about the unconfirmed states: each is confirmed if sure returns true, and becomes unknown otherwise.
func (s states) confirm(sure func(name string) bool, now time.Time) {
	for name, inst := range s {
		if !inst.unconfirmed {
			continue
		}
		inst.unconfirmed = false
		if !sure(name) {
			inst.State, inst.Since, inst.resumes = Unknown, now, time.Time{}
		}
		s[name] = inst.derived()
	}
}

// unconfirmed reports whether any state is unconfirmed.
func (s states) unconfirmed() bool {
	for _, inst := range s {
		if inst.unconfirmed {
			return true
		}
	}
	return false
}

// suspendMasters suspends MASTERs after a standstill, in which the machine was suspended for asleep. Keepalived may have stood still too.
// If nobody heard from this host for three advertisement intervals, another one took over, and Keepalived would only notice now. An
// instance for which a line said MASTER less than three intervals ago is not suspended, because no other host can have waited that long
// since. A suspension that has begun is not extended. suspendMasters returns when the last of the new suspensions ends; zero: there is
// none.
func (s states) suspendMasters(now time.Time, asleep time.Duration, advert func(name string) time.Duration) (until time.Time) {
	for name, inst := range s {
		interval := advert(name)
		unheard := inst.claimed.IsZero() || now.Sub(inst.claimed)+asleep >= 3*interval
		if inst.State != Master || inst.resumes.After(now) || !unheard {
			continue
		}
		inst.resumes = now.Add(min(3*interval+time.Second, maxSuspension))
		s[name] = inst.derived()
		if inst.resumes.After(until) {
			until = inst.resumes
		}
	}
	return until
}

// endSuspensions ends the suspensions after a standstill whose time is over, and reports whether there were any.
func (s states) endSuspensions(now time.Time) (ended bool) {
	for name, inst := range s {
		if !inst.resumes.IsZero() && !inst.resumes.After(now) {
			inst.resumes = time.Time{}
			s[name] = inst.derived()
			ended = true
		}
	}
	return ended
}

// nextEnd returns when the first suspension after a standstill ends; zero: there is none.
func (s states) nextEnd() (first time.Time) {
	for _, inst := range s {
		if at := inst.resumes; !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// anyMaster reports whether an instance is MASTER.
func (s states) anyMaster() bool {
	for _, inst := range s {
		if inst.State == Master {
			return true
		}
	}
	return false
}

func (s states) clone() map[string]Status { return maps.Clone(map[string]Status(s)) }
