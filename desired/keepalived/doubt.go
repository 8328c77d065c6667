package keepalived

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"floaty/providers/logkey"
)

// appear is when the FIFO gets a writer. Keepalived writes the pid file of its VRRP process before that opens the FIFO
// (seen on 2.2.7), so that the process can be known from now on.
func (l *Listener) appear(now time.Time) {
	l.connected, l.unknown, l.asked = true, now, now
	if l.doubt != nil {
		l.doubt.back = now
	}
	if fresh := l.candidate(); fresh != nil {
		l.adopt(fresh, now)
	} else if !l.process.Alive() {
		l.adopt(nil, now)
	} // else another process is the writer, perhaps a moment before the known one: that is clear when the doubt is over
	l.opts.Log.V(1).Info("the FIFO has a writer", logkey.Path, l.opts.Path)
	if l.search.why != nil {
		l.opts.Log.V(1).Info("the pid file does not tell the VRRP process", logkey.Path, l.opts.PIDFile(), logkey.Err, l.search.why.Error())
	}
}

// vanish is when the FIFO has no writer any more: nothing is to be relied on until it is clear what that means.
func (l *Listener) vanish(now time.Time) {
	l.connected = false
	l.lines.writerGone()
	before := l.doubt
	l.doubt = &doubt{gone: now}
	if before != nil && l.states.suspended() { // and not decided yet: some state is from before the last writer
		l.doubt.another, l.doubt.recalled, l.doubt.named = before.another, before.recalled, before.named
	}
	l.states.suspend()
	l.opts.Log.V(1).Info("the FIFO has no writer", logkey.Path, l.opts.Path)
}

// forget drops every state that is in doubt.
func (l *Listener) forget(now time.Time) {
	l.states.settle(func(string) bool { return false }, now)
}

// watch decides doubts.
func (l *Listener) watch(now time.Time) {
	l.ask(now)
	l.states.resume(now)
	d := l.doubt
	switch {
	case d == nil:
	case d.back.IsZero() && l.process == nil && now.Sub(d.gone) >= awayAtMost:
		l.opts.Log.Info("Keepalived is gone: what it said is forgotten")
		l.forget(now)
		l.doubt = nil
	case !d.back.IsZero() && l.connected && now.Sub(d.back) >= settleTime:
		l.settle(d, now)
	}
}

// ended is when the VRRP process is no more: all that it said is in doubt, and forgotten. Where no end of file was seen, what
// has just been read may be its last words or its successor's first ones, as of a process that is not known.
func (l *Listener) ended(now time.Time) {
	l.opts.Log.Info("Keepalived's VRRP process has ended: what it said is forgotten")
	l.process.Close()
	l.process, l.unknown = nil, now
	l.search.due = now.Add(askEvery) // its successor needs a moment
	l.forget(now)
	if l.connected {
		l.states.suspend()
		l.doubt = &doubt{gone: now, back: now, another: true}
	}
}

// settle decides a doubt after a writer has come back and had time to speak.
func (l *Listener) settle(d *doubt, now time.Time) {
	l.adopt(l.candidate(), now)
	l.doubt = nil
	if !l.states.suspended() {
		return
	}
	late := d.back.Sub(d.gone) > awayAtMost
	local := sync.OnceValues(l.local) // the kernel may have thousands of addresses to tell
	sure := func(instance string) bool { return l.credible(instance, !d.another && !late, local) }
	switch {
	case d.another && (late || d.named):
		sure = func(string) bool { return false }
	case !d.another && !late && !d.recalled:
		sure = func(string) bool { return true }
	}
	l.states.settle(sure, now)
	l.opts.Log.V(1).Info("what Keepalived said before counts again, where it is credible", logkey.Path, l.opts.Path)
}

// NoEvidence is said of an instance whose MASTER is forgotten, for nothing tells whether it still is.
const NoEvidence = "cannot identify Keepalived's process, and the instance has no virtual_ipaddress here: after a reload, floaty cannot " +
	"know whether it is still MASTER; share the PID namespace or set keepalived-pid-file; until then restart Keepalived instead of reloading it"

// credible reports whether what is remembered of an instance may be so. Only MASTER claims anything: one of its addresses must be on
// an interface, and if it has none, the process must be the one that said MASTER. Keepalived takes them off before it says that it is
// no longer MASTER, and a restarted one within 0.2 s (seen on 2.2.7).
func (l *Listener) credible(instance string, same bool, local func() (map[netip.Addr]bool, error)) bool {
	if l.states[instance].State != Master {
		return true
	}
	vips := l.opts.VIPs(instance)
	if len(vips) == 0 {
		switch {
		case same || !l.opts.Named(instance): // of one that keepalived.conf does not name, nothing is to be said
		case l.process == nil:
			l.opts.Log.Error(l.search.why, NoEvidence, logkey.Instance, instance)
		default:
			l.opts.Log.Error(nil, "Keepalived was gone for too long, and the instance has no virtual_ipaddress that would tell "+
				"whether it is still MASTER: its state is forgotten until Keepalived says it again", logkey.Instance, instance)
		}
		return same
	}
	addrs, err := local()
	if err != nil {
		l.opts.Log.Error(err, "listing local addresses failed: the instance's state is forgotten", logkey.Instance, instance)
		return false
	}
	return slices.ContainsFunc(vips, func(vip netip.Addr) bool { return addrs[vip] })
}

// local returns the addresses on the interfaces that the VRRP process sees, or where that is not known, on ours.
func (l *Listener) local() (map[netip.Addr]bool, error) {
	if l.process != nil {
		if addrs, err := addrsElsewhere(l.process.PID); err == nil && addrs != nil {
			return addrs, nil
		}
	}
	return l.opts.Local()
}
