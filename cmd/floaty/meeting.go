package main

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/report"
	"floaty/desired/keepalived"
	"floaty/providers/failurelog"
	"floaty/providers/logkey"
)

const (
	warnHopeless  = "the path given for the FIFO cannot be used"
	warnNoFIFO    = "keepalived.conf has no vrrp_notify_fifo: Keepalived tells this daemon nothing"
	warnOtherFIFO = "keepalived.conf has Keepalived write to another FIFO than this daemon reads"
	noteNoFIFO    = "keepalived.conf has no vrrp_notify_fifo: the daemon would be told nothing, only notify scripts are"
)

// errSilent is why an instance may have no state though the FIFO has a writer.
var errSilent = errors.New("restart Keepalived, for a reload repeats no MASTER; vrrp_startup_delay, vrrp_delay_after_boot or a slow first check may be why, too")

// meeting returns why Keepalived and the daemon do not meet at the FIFO.
func (s setup) meeting() []warning {
	one := func(text, reason string) []warning {
		return []warning{{Warning: report.Warning{Error: true, Text: text}, reason: reason}}
	}
	if s.fifo == nil {
		return nil
	}
	if err := keepalived.CheckPath(*s.fifo); err != nil {
		return one(warnHopeless, err.Error())
	}
	if s.keepalived == nil {
		return nil
	}
	if len(s.keepalived.FIFOs) == 0 {
		return one(warnNoFIFO, "add to global_defs: vrrp_notify_fifo "+resolved(*s.fifo))
	}
	var others []string
	for _, f := range s.keepalived.FIFOs {
		if samePath(f.Path, *s.fifo) {
			return nil
		}
		others = append(others, f.Path)
	}
	return one(warnOtherFIFO, "it writes to "+strings.Join(others, " and ")+", this daemon reads "+*s.fifo)
}

// samePath reports whether two paths are those of one file, which need not be there yet.
func samePath(a, b string) bool {
	one, err := os.Stat(a)
	if other, otherErr := os.Stat(b); err == nil && otherErr == nil && os.SameFile(one, other) {
		return true
	}
	return resolved(a) == resolved(b)
}

// resolved is a path without the symbolic links in its directory.
func resolved(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, filepath.Base(path))
}

// fifoOwners returns the users whom keepalived.conf names for the daemon's FIFO, as far as this host knows them.
func (s setup) fifoOwners() []uint32 {
	var owners []uint32
	if s.fifo == nil || s.keepalived == nil {
		return owners
	}
	names := []string{s.keepalived.ScriptUser}
	for _, f := range s.keepalived.FIFOs {
		if samePath(f.Path, *s.fifo) {
			names = append(names, f.User)
		}
	}
	for _, name := range names {
		if u, err := user.Lookup(name); err == nil {
			if uid, err := strconv.ParseUint(u.Uid, 10, 32); err == nil {
				owners = append(owners, uint32(uid))
			}
		}
	}
	return owners
}

// lonelyAfter is how long the FIFO may have no writer while a Keepalived runs: its start takes about a second, a reload less.
const lonelyAfter = 10 * time.Second

// A lonely daemon has a Keepalived beside it that does not write to its FIFO.
type lonely struct {
	log     logr.Logger
	tick    *time.Ticker
	trouble failurelog.Entry
}

// newLonely returns one that looks while there is no writer, if there is a FIFO at all.
func newLonely(log logr.Logger, fifo bool) *lonely {
	l := &lonely{log: log, tick: time.NewTicker(lonelyAfter)}
	if !fifo {
		l.stop()
	}
	return l
}

func (l *lonely) stop() { l.tick.Stop() }

// connected is told that the FIFO has a writer, or has none any more.
func (l *lonely) connected(on bool) {
	if !on {
		l.tick.Reset(lonelyAfter)
		return
	}
	l.stop()
	if l.trouble.Succeeded(time.Now()) {
		l.log.Info("the FIFO has a writer now")
	}
}

// look says that Keepalived is there and the FIFO has no writer, and again at a growing distance.
func (l *lonely) look(s setup) {
	sign := s.keepalivedRuns()
	if sign == "" {
		l.trouble = failurelog.Entry{} // Keepalived is gone, and so nothing is wrong
		return
	}
	if l.trouble.Failed(time.Now()) {
		l.log.Error(errors.New(sign+": keepalived.conf may name another FIFO, or Keepalived was reloaded where it must be restarted, or it "+
			"refuses a FIFO that is neither its own user's nor that of the user named (vrrp_notify_fifo PATH USER, since 2.4)"),
			"no process has the FIFO open for writing: nothing is known of any instance", logkey.Path, *s.fifo)
	}
}

// keepalivedRuns returns a sign that Keepalived is at work on this host; empty: there is none.
func (s setup) keepalivedRuns() string {
	if p, err := keepalived.FindProcess(s.pidFile()); err == nil {
		defer p.Close()
		return "Keepalived runs (process " + strconv.Itoa(p.PID) + ")"
	}
	local, err := net.InterfaceAddrs()
	if err != nil || s.keepalived == nil {
		return ""
	}
	for _, inst := range s.keepalived.Instances {
		for _, vip := range slices.Concat(inst.Addresses, inst.Excluded) {
			if slices.ContainsFunc(local, func(a net.Addr) bool {
				here, err := netip.ParsePrefix(a.String())
				return err == nil && here.Addr() == vip.Addr()
			}) {
				return vip.Addr().String() + ", an address of " + inst.Name + ", is on an interface here"
			}
		}
	}
	return ""
}
