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
	Suspended bool      // State is in doubt, for there is no writer: nothing may be written for it
	Claims    uint64    // MASTER lines so far
	Rivals    uint64    // MASTER_RX_LOWER_PRI lines so far
}

// A Snapshot is all that Keepalived has said, as far as it still counts.
type Snapshot struct {
	Instances map[string]Instance // by name; those that have been heard of
	Connected bool                // the FIFO has a writer
}

// states are the instances that have been heard of. They change by what is heard, never by time alone.
type states map[string]Instance

// hear takes in an event of an instance, or of the group of the given members. It reports whether it understood it; the
// events that change a priority are understood and change nothing.
func (s states) hear(e Event, members []string, now time.Time) bool {
	switch e.State {
	case "MASTER_PRIORITY", "BACKUP_PRIORITY": // no states: 2.2.7 says the latter of a MASTER on a reload
		return true
	case "MASTER_RX_LOWER_PRI":
		if e.Type != "INSTANCE" {
			return false
		}
		s.rival(e.Name, now)
		return true
	}
	state, ok := parseState(e.State)
	if !ok {
		return false
	}
	if e.Type == "INSTANCE" {
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
	}
	inst.Suspended = false
	s[name] = inst
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
	inst.Suspended = false
	s[name] = inst
}

// suspend puts every state in doubt.
func (s states) suspend() {
	for name, inst := range s {
		inst.Suspended = inst.State != Unknown
		s[name] = inst
	}
}

// settle ends the doubt: a suspended state goes on if sure says so, and is forgotten otherwise.
func (s states) settle(sure func(name string) bool, now time.Time) {
	for name, inst := range s {
		if !inst.Suspended {
			continue
		}
		inst.Suspended = false
		if !sure(name) {
			inst.State, inst.Since = Unknown, now
		}
		s[name] = inst
	}
}

// suspended reports whether any state is in doubt.
func (s states) suspended() bool {
	for _, inst := range s {
		if inst.Suspended {
			return true
		}
	}
	return false
}

func (s states) clone() map[string]Instance { return maps.Clone(map[string]Instance(s)) }
