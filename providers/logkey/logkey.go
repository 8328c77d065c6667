// Package logkey names the keys of floaty's log lines, so that each has one meaning and scripts can rely on it.
//
// It holds constants only. Every key that floaty passes to logr comes from here; a test in hack reads the source and
// fails otherwise.
package logkey

// What a line is about.
const (
	Address  = "address"  // the floating (elastic) IP, without prefix length
	Instance = "instance" // the VRRP instance, by name; several are joined with a comma and a blank
	Group    = "group"    // the VRRP sync group, by name
	Provider = "provider" // the cloud, as the configuration's provider key has it
	Path     = "path"     // the file, directory or FIFO that the message is about
	Listen   = "listen"   // where status and metrics are served: the path of a socket, or HOST:PORT
	URL      = "url"      // the request's URL, without query and credentials
)

// Where an address is, and where it goes. A server is shown by its name if that is known, and with --verbose by its ID.
const (
	Server = "server" // this host's server
	From   = "from"   // the value before: the servers that held the address, this host's server, or an instance's state; left out if not known
	To     = "to"     // the value now: the server that the address is assigned to, or this host's new one
	Shared = "shared" // true: the address is meant to have several holders
)

// State, failures and what comes next.
const (
	State    = "state"    // a VRRP state
	Since    = "since"    // when what the line reports began
	Failures = "failures" // how often it has failed since then, with successes in between
	Attempt  = "attempt"  // how many attempts have been made, this one included; from 1
	Next     = "next"     // when floaty tries again
	Err      = "err"      // why, in one line
)

// The parts of a takeover, each counted from Keepalived's MASTER line.
const (
	Written      = "written"      // until the first write was sent
	Acknowledged = "acknowledged" // until the cloud had accepted a write
	Verified     = "verified"     // until a reading showed the address here
)

// Counts and details of single messages.
const (
	Version   = "version"   // of floaty
	FIFO      = "fifo"      // the FIFO that Keepalived writes to, where path names the configuration
	Instances = "instances" // how many VRRP instances have addresses
	Addresses = "addresses" // how many addresses are managed
	Changes   = "changes"   // which keys of the configuration changed, and what it takes to apply them
	Added     = "added"     // the addresses that a reload added: ten of them, and the number of the others
	Removed   = "removed"   // the addresses that a reload removed, in the same way
	Lines     = "lines"     // a number of lines
	Line      = "line"      // the start of a line in the FIFO, quoted
	Type      = "type"      // of a line in the FIFO, such as INSTANCE
	PID       = "pid"       // of another process
	Late      = "late"      // how late a wake-up came
	Asleep    = "asleep"    // for how long the machine was suspended
)
