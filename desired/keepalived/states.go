package keepalived

import (
	"fmt"
	"maps"
	"time"
)

// A State is what Keepalived last said that an instance is.
type State int

// The states. Only Master makes addresses belong here.
const (
	Unknown State = iota // not said yet, or no longer to be relied on
	Backup
	Master
	Fault
	Stop
	Deleted
)

// words are the states as Keepalived writes them.
var words = [...]string{Unknown: "unknown", Backup: "BACKUP", Master: "MASTER", Fault: "FAULT", Stop: "STOP", Deleted: "DELETED"}

func (s State) String() string {
	if s < 0 || int(s) >= len(words) {
		return fmt.Sprintf("State(%d)", int(s))
	}
	return words[s]
}

// parseState returns the state that Keepalived calls word.
func parseState(word string) (State, bool) {
	for s := Backup; int(s) < len(words); s++ {
		if words[s] == word {
			return s, true
		}
	}
	return Unknown, false
}

// An Instance is what is known of one VRRP instance.
type Instance struct {
	State     State
	Since     time.Time // of State
	Suspended bool      // State is in doubt: nothing may be written for it
	Claims    uint64    // MASTER lines so far
	Rivals    uint64    // MASTER_RX_LOWER_PRI lines so far

	unconfirmed bool      // suspended, for the writer went or its process ended
	resumes     time.Time // suspended until then, after a standstill; zero: not
	claimed     time.Time // the last line that said MASTER
}

// heard returns the instance after a line about it, which ends every doubt.
func (i Instance) heard() Instance {
	i.Suspended, i.unconfirmed, i.resumes = false, false, time.Time{}
	return i
}

// judged returns the instance with Suspended as its reasons have it.
func (i Instance) judged() Instance {
	i.Suspended = i.unconfirmed || !i.resumes.IsZero()
	return i
}

// A Snapshot is all that Keepalived has said, as far as it still counts.
type Snapshot struct {
	Instances   map[string]Instance // by name; those that have been heard of
	Connected   bool                // the FIFO has a writer
	PID         int                 // of the VRRP process; 0: not known
	Standstills int                 // so far: SIGSTOP, a suspended machine and the like
}

// states are the instances that have been heard of. They change by what is heard, never by time alone.
type states map[string]Instance

// hear takes in an event of an instance, or of the group of the given members. It reports whether it understood it; the
// events that change a priority are understood and change nothing.
func (s states) hear(e Event, members []string, now time.Time) bool {
	switch e.State {
	case masterPriority, backupPriority: // no states: 2.2.7 says the latter of a MASTER on a reload
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
		// Members speak before their group does, so a group's MASTER is news only where a member was not heard.
		if state != Master || s[name].State == Unknown {
			s.set(name, state, now)
		}
	}
	return true
}

// maxInstances bounds the names that are kept: VRRP knows 255 routers an interface, and Keepalived names few.
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
	s[name] = inst.heard()
}

// rival notes that a master has heard somebody of lower priority speak as master.
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
	s[name] = inst.heard()
}

// suspend puts every state in doubt.
func (s states) suspend() {
	for name, inst := range s {
		inst.unconfirmed = inst.State != Unknown
		s[name] = inst.judged()
	}
}

// settle ends the doubt: an unconfirmed state goes on if sure says so, and is forgotten otherwise.
func (s states) settle(sure func(name string) bool, now time.Time) {
	for name, inst := range s {
		if !inst.unconfirmed {
			continue
		}
		inst.unconfirmed = false
		if !sure(name) {
			inst.State, inst.Since, inst.resumes = Unknown, now, time.Time{}
		}
		s[name] = inst.judged()
	}
}

// suspended reports whether any state is in doubt for want of a writer.
func (s states) suspended() bool {
	for _, inst := range s {
		if inst.unconfirmed {
			return true
		}
	}
	return false
}

// standstill suspends every MASTER after the process has stood still, and the machine perhaps slept: Keepalived may have too, and
// then notices only now that nobody heard it for three advertisements, after which another host takes over. Whoever said MASTER
// less than that ago was heard; a suspension that runs is not renewed. It returns when the last one ends; zero: there is none.
func (s states) standstill(now time.Time, asleep time.Duration, advert func(name string) time.Duration) (until time.Time) {
	for name, inst := range s {
		interval := advert(name)
		unheard := inst.claimed.IsZero() || now.Sub(inst.claimed)+asleep >= 3*interval
		if inst.State != Master || inst.resumes.After(now) || !unheard {
			continue
		}
		inst.resumes = now.Add(min(3*interval+time.Second, maxSuspension))
		s[name] = inst.judged()
		if inst.resumes.After(until) {
			until = inst.resumes
		}
	}
	return until
}

// resume ends the suspensions after a standstill that are over, and reports whether there were any.
func (s states) resume(now time.Time) (some bool) {
	for name, inst := range s {
		if !inst.resumes.IsZero() && !inst.resumes.After(now) {
			inst.resumes = time.Time{}
			s[name] = inst.judged()
			some = true
		}
	}
	return some
}

// masters reports whether an instance is MASTER, and when the first suspension after a standstill ends; zero: there is none.
func (s states) masters() (some bool, resumes time.Time) {
	for _, inst := range s {
		some = some || inst.State == Master
		if at := inst.resumes; !at.IsZero() && (resumes.IsZero() || at.Before(resumes)) {
			resumes = at
		}
	}
	return some, resumes
}

func (s states) clone() map[string]Instance { return maps.Clone(map[string]Instance(s)) }
