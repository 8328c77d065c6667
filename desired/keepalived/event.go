package keepalived

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// An Event is one line of Keepalived's notify FIFO.
type Event struct {
	Type     string // INSTANCE or GROUP; of another type (VS, RS …) nothing else is known
	Name     string // as Keepalived wrote it: not escaped, never with a quote
	State    string // MASTER, BACKUP, MASTER_RX_LOWER_PRI …
	Priority int    // 0 to 255; of a GROUP always 0
}

// The types of event that matter here.
const (
	typeInstance = "INSTANCE"
	typeGroup    = "GROUP"
)

// What Keepalived writes in the place of a state, though it is none.
const (
	masterPriority     = "MASTER_PRIORITY" // the priority of a MASTER has changed
	backupPriority     = "BACKUP_PRIORITY" // the same of a BACKUP, and on a reload also of a MASTER (seen on 2.2.7)
	lowerPriorityHeard = "MASTER_RX_LOWER_PRI"
)

// errEvent says what a line should look like.
var errEvent = errors.New(`want TYPE "NAME" STATE PRIORITY`)

// ParseEvent reads a line without its newline. A line of a type that is neither INSTANCE nor GROUP is no error, for
// virtual servers and real servers may share the FIFO.
func ParseEvent(line []byte) (Event, error) {
	kind, rest, _ := bytes.Cut(line, []byte(" "))
	if !isWord(kind) || len(line) > maxLine {
		return Event{}, errEvent
	}
	e := Event{Type: string(kind)}
	if e.Type != typeInstance && e.Type != typeGroup {
		return e, nil
	}
	if len(rest) == 0 || rest[0] != '"' {
		return Event{}, errEvent
	}
	name, rest, closed := bytes.Cut(rest[1:], []byte(`" `))
	if !closed || len(name) == 0 || bytes.IndexByte(name, '"') >= 0 {
		return Event{}, errEvent
	}
	state, priority, _ := bytes.Cut(rest, []byte(" "))
	if !isWord(state) {
		return Event{}, errEvent
	}
	n, err := strconv.ParseUint(string(priority), 10, 8)
	if err != nil {
		return Event{}, fmt.Errorf("priority: %w", errEvent)
	}
	e.Name, e.State, e.Priority = string(name), string(state), int(n)
	return e, nil
}

// isWord reports whether b is made of capital letters and underscores, as all types and states are.
func isWord(b []byte) bool {
	for _, c := range b {
		if (c < 'A' || c > 'Z') && c != '_' {
			return false
		}
	}
	return len(b) > 0
}

// ParseArgs reads the four arguments that Keepalived gives a notify script: INSTANCE or GROUP, a name, a state, a priority. The state may
// be any word: see [Event.IsState].
func ParseArgs(args []string) (Event, error) {
	if len(args) != 4 || args[0] != typeInstance && args[0] != typeGroup {
		return Event{}, errors.New("want INSTANCE or GROUP, a name, a state and a priority")
	}
	n, err := strconv.ParseUint(args[3], 10, 8)
	if err != nil || args[1] == "" {
		return Event{}, fmt.Errorf("%q %q: want a name, and a priority from 0 to 255", args[1], args[3])
	}
	return Event{Type: args[0], Name: args[1], State: args[2], Priority: int(n)}, nil
}

// IsState reports whether an event says what the instance or group is now.
func (e Event) IsState() bool {
	_, ok := parseState(e.State)
	return ok
}

// IsRemark reports whether an event is of a kind that changes no state: a new priority, or that a rival was heard.
func (e Event) IsRemark() bool {
	return strings.HasSuffix(e.State, "_PRIORITY") || e.State == lowerPriorityHeard
}

// Claims reports whether an event says that the instance or group is MASTER.
func (e Event) Claims() bool { return e.State == "MASTER" }
