package keepalived

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// An Event is what one line of Keepalived's notify FIFO says, or one call of a notify script.
type Event struct {
	Type     string // INSTANCE or GROUP; for another type (VS, RS and so on), all other fields are empty
	Name     string // of the instance or group, as Keepalived writes it: not escaped, never with a quote
	State    string // MASTER, BACKUP, MASTER_RX_LOWER_PRI and so on
	Priority int    // 0 to 255; always 0 for a GROUP
}

// The types of events that matter here.
const (
	typeInstance = "INSTANCE"
	typeGroup    = "GROUP"
)

// What Keepalived writes in place of a state, although it is not one.
const (
	masterPriority     = "MASTER_PRIORITY"     // the priority of a MASTER has changed
	backupPriority     = "BACKUP_PRIORITY"     // the priority of a BACKUP has changed; on a reload also for a MASTER (seen on 2.2.7)
	lowerPriorityHeard = "MASTER_RX_LOWER_PRI" // a MASTER has received an advertisement with a lower priority
)

// errEvent is the error for a malformed line.
var errEvent = errors.New(`want TYPE "NAME" STATE PRIORITY`)

// ParseEvent parses a line without its newline. A line of a type other than INSTANCE and GROUP is not an error, because virtual servers
// and real servers may share the FIFO. The error says what a line should look like.
func ParseEvent(line []byte) (Event, error) {
	eventType, rest, _ := bytes.Cut(line, []byte(" "))
	if !isWord(eventType) || len(line) > maxLine {
		return Event{}, errEvent
	}
	e := Event{Type: string(eventType)}
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

// isWord reports whether b consists of capital letters and underscores, as all types and states do.
func isWord(b []byte) bool {
	for _, c := range b {
		if (c < 'A' || c > 'Z') && c != '_' {
			return false
		}
	}
	return len(b) > 0
}

// ParseArgs parses the four arguments of a notify script: INSTANCE or GROUP, a name, a state and a priority. It accepts any state: see
// [Event.IsState].
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

// IsState reports whether the event names a state that the instance or group now has.
func (e Event) IsState() bool {
	_, ok := parseState(e.State)
	return ok
}

// IsRemark reports whether the event leaves the state as it is: the priority has changed, or a rival's advertisement was received.
func (e Event) IsRemark() bool {
	return strings.HasSuffix(e.State, "_PRIORITY") || e.State == lowerPriorityHeard
}

// IsGroup reports whether the event is about a sync group rather than an instance.
func (e Event) IsGroup() bool { return e.Type == typeGroup }

// Claims reports whether the event says that the instance or group is MASTER.
func (e Event) Claims() bool { return e.State == Master.String() }
