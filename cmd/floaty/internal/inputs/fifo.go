package inputs

import (
	"errors"
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

// Messages about the FIFO, for log lines and reports.
const (
	WarnUnusableFIFO = "the path given for the FIFO cannot be used"
	warnNoFIFO       = "keepalived.conf has no vrrp_notify_fifo: Keepalived sends this daemon no events"
	warnOtherFIFO    = "keepalived.conf names a different FIFO from the one that this daemon reads"
	NoteNoFIFO       = "keepalived.conf has no vrrp_notify_fifo: a daemon would receive no events; only notify scripts are called"
)

// checkFIFO tells why Keepalived's events would not reach the daemon's FIFO.
func (s Inputs) checkFIFO() []warning {
	one := func(text, reason string) []warning {
		return []warning{{Warning: report.Warning{Error: true, Text: text}, reason: reason}}
	}
	if s.FIFO == nil {
		return nil
	}
	if err := keepalived.CheckPath(*s.FIFO); err != nil {
		return one(WarnUnusableFIFO, err.Error())
	}
	if s.Keepalived == nil {
		return nil
	}
	if len(s.Keepalived.FIFOs) == 0 {
		return one(warnNoFIFO, "add to global_defs: vrrp_notify_fifo "+resolved(*s.FIFO))
	}
	var others []string
	for _, f := range s.Keepalived.FIFOs {
		if samePath(f.Path, *s.FIFO) {
			return nil
		}
		others = append(others, f.Path)
	}
	return one(warnOtherFIFO, "it writes to "+strings.Join(others, " and ")+", this daemon reads "+*s.FIFO)
}

// samePath reports whether two paths name the same file, which need not exist.
func samePath(a, b string) bool {
	one, err := os.Stat(a)
	if other, otherErr := os.Stat(b); err == nil && otherErr == nil && os.SameFile(one, other) {
		return true
	}
	return resolved(a) == resolved(b)
}

// resolved returns path with the symbolic links in its directory resolved.
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

// findFIFOOwners returns those users whom keepalived.conf names for the daemon's FIFO and who exist on this host.
func (s Inputs) findFIFOOwners() []uint32 {
	var owners []uint32
	if s.FIFO == nil || s.Keepalived == nil {
		return owners
	}
	names := []string{s.Keepalived.ScriptUser}
	for _, f := range s.Keepalived.FIFOs {
		if samePath(f.Path, *s.FIFO) {
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

// writerTimeout is how long the FIFO may have no writer while Keepalived runs. Keepalived's start takes about a
// second, and a reload less.
const writerTimeout = 10 * time.Second

// A WriterWatch notices that Keepalived runs but does not have the FIFO open. Its owner calls Connected, and Check
// when Tick fires, from one goroutine.
type WriterWatch struct {
	log      logr.Logger
	Tick     *time.Ticker
	failures failurelog.Entry
}

// NewWriterWatch returns a WriterWatch whose Tick asks for a check while there is no writer. Without a FIFO it never
// ticks.
func NewWriterWatch(log logr.Logger, fifo bool) *WriterWatch {
	w := &WriterWatch{log: log, Tick: time.NewTicker(writerTimeout)}
	if !fifo {
		w.Stop()
	}
	return w
}

// Stop releases the ticker.
func (w *WriterWatch) Stop() { w.Tick.Stop() }

// Connected is called when the FIFO has got a writer, or lost the last one.
func (w *WriterWatch) Connected(on bool) {
	if !on {
		w.Tick.Reset(writerTimeout)
		return
	}
	w.Stop()
	if w.failures.Succeeded(time.Now()) {
		w.log.Info("the FIFO has a writer again")
	}
}

// Check logs that Keepalived runs without having the FIFO open: at once, and then at growing intervals.
func (w *WriterWatch) Check(s Inputs) {
	sign := s.keepalivedSign()
	if sign == "" {
		w.failures = failurelog.Entry{} // Keepalived does not run, so nothing is wrong
		return
	}
	if w.failures.Failed(time.Now()) {
		w.log.Error(errors.New(sign+": keepalived.conf may name another FIFO, or Keepalived was reloaded and must be restarted, or it "+
			"rejects a FIFO owned by neither its own user nor the named one (vrrp_notify_fifo PATH USER, since 2.4)"),
			"no process has the FIFO open for writing: the states of all instances are unknown", logkey.Path, *s.FIFO)
	}
}

// keepalivedSign returns a sign that Keepalived runs on this host; empty: there is none.
func (s Inputs) keepalivedSign() string {
	if p, err := keepalived.FindProcess(s.PIDFile()); err == nil {
		defer p.Close()
		return "Keepalived is running (process " + strconv.Itoa(p.PID) + ")"
	}
	local, err := keepalived.LocalAddrs()
	if err != nil || s.Keepalived == nil {
		return ""
	}
	for _, inst := range s.Keepalived.Instances {
		for _, vip := range slices.Concat(inst.Addresses, inst.Excluded) {
			if local[vip.Addr()] {
				return vip.Addr().String() + ", an address of " + inst.Name + ", is on an interface of this host"
			}
		}
	}
	return ""
}
