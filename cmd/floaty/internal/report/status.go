package report

import (
	"bytes"
	"encoding/json"
	"io"
	"net/netip"
	"time"

	"floaty/cmd/floaty/internal/printable"
)

// A Status is what a running daemon knows. Times that are zero stand for "never" or "not known", and JSON leaves them out.
type Status struct {
	Version    string            `json:"version"`
	PID        int               `json:"pid"`
	Started    time.Time         `json:"started,omitzero"`
	Provider   string            `json:"provider"`
	DryRun     bool              `json:"dry_run,omitempty"` // it assigns nothing
	Server     StatusServer      `json:"server"`
	Names      map[string]string `json:"names,omitempty"` // of the servers that addresses point at, by ID, as far as known
	Ready      bool              `json:"ready"`
	NotReady   []string          `json:"not_ready"` // what is missing; empty if it is ready
	Instances  []StatusInstance  `json:"instances"`
	Addresses  []StatusAddress   `json:"addresses"`
	Keepalived StatusKeepalived  `json:"keepalived"`
	Config     StatusConfig      `json:"config"`
	Cloud      StatusCloud       `json:"cloud"`
	Events     []StatusEvent     `json:"events"` // the last ones, oldest first
}

// A StatusServer is the server that the daemon runs on.
type StatusServer struct {
	ID   string `json:"id"`   // empty: not known
	Name string `json:"name"` // of the host
}

// A StatusInstance is one VRRP instance.
type StatusInstance struct {
	Name  string    `json:"name"`
	State string    `json:"state"` // MASTER, BACKUP, FAULT, STOP, DELETED, unknown
	Since time.Time `json:"since,omitzero"`
}

// A StatusAddress is one managed address.
type StatusAddress struct {
	Address   netip.Addr `json:"address"`
	Instances []string   `json:"instances"`
	Desired   bool       `json:"desired"`           // it belongs on this server now
	InPlace   bool       `json:"in_place"`          // it is desired, and the last valid reading shows it on this server
	Targets   []string   `json:"targets"`           // IDs of the servers that it points at, by the last reading without an error
	Since     time.Time  `json:"since,omitzero"`    // it has been in place since
	Verified  time.Time  `json:"verified,omitzero"` // that reading's request was sent
	Next      time.Time  `json:"next,omitzero"`     // when it is reconciled next, unless an event comes first
	Contested bool       `json:"contested"`
	Rival     string     `json:"rival,omitempty"` // ID of the server that contests it, where it is known
	Error     string     `json:"error"`           // of the last read or write of it; empty: none
}

// A StatusKeepalived shows whether the daemon hears Keepalived.
type StatusKeepalived struct {
	Connected bool `json:"connected"` // the FIFO has a writer
}

// A StatusConfig shows which configuration is in force.
type StatusConfig struct {
	Loaded time.Time `json:"loaded,omitzero"`
	Error  string    `json:"error"` // why a later edit is not in force; empty: it is
}

// A StatusCloud shows how the cloud has answered recently.
type StatusCloud struct {
	LastRead time.Time `json:"last_read,omitzero"` // the last successful read's request was sent
	Error    string    `json:"error"`              // of the last read; empty: it succeeded
	Retry    time.Time `json:"retry,omitzero"`     // no call before
}

// A StatusEvent is something that happened.
type StatusEvent struct {
	Time     time.Time `json:"time"`
	Kind     EventKind `json:"kind"`
	Instance string    `json:"instance,omitempty"`
	Address  string    `json:"address,omitempty"`
	From     string    `json:"from,omitempty"`
	To       string    `json:"to,omitempty"`
	Text     string    `json:"text,omitempty"`
}

// An EventKind is what an event is about.
type EventKind string

// The kinds of events.
const (
	EventState   EventKind = "state"   // a VRRP instance changed
	EventAssign  EventKind = "assign"  // an address was assigned, or could not be
	EventContest EventKind = "contest" // an address became contested, or no longer is
	EventReload  EventKind = "reload"  // an edited configuration was put into force, or refused
	EventCloud   EventKind = "cloud"   // the cloud began or stopped failing
)

// WriteJSON writes the status in one line. Markup and unprintable characters are escaped.
func (s Status) WriteJSON(w io.Writer) error {
	var line bytes.Buffer
	if err := json.NewEncoder(&line).Encode(s); err != nil {
		return err
	}
	_, err := w.Write(printable.Encoded(line.Bytes()))
	return err
}
