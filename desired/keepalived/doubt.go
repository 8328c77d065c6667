package keepalived

import (
	"net"
	"net/netip"
	"slices"
	"time"
)

// appear is when the FIFO gets a writer. Keepalived writes the pid file of its VRRP process before that opens the FIFO
// (seen on 2.2.7), so that the process can be known from now on.
func (l *Listener) appear(now time.Time) {
	l.connected, l.unknown = true, now
	fresh := l.identify()
	known := l.process.Alive() && (fresh == nil || fresh.Same(l.process))
	switch {
	case known:
		fresh.Close()
	default:
		if l.process != nil { // it was another one
			l.forget(now)
		}
		l.process.Close()
		l.process = fresh
	}
	if l.doubt != nil {
		l.doubt.back, l.doubt.another = now, l.doubt.another || !known
	}
	l.opts.Log.V(1).Info("the FIFO has a writer", "path", l.opts.Path)
}

// identify finds Keepalived's VRRP process; nil: it is not known.
func (l *Listener) identify() *Process {
	p, err := FindProcess(l.opts.PIDFile)
	if err != nil {
		l.opts.Log.V(1).Info("the VRRP process is not known", "path", l.opts.PIDFile, "err", err.Error())
		return nil
	}
	return p
}

// vanish is when the FIFO has no writer any more: nothing is to be relied on until it is clear what that means.
func (l *Listener) vanish(now time.Time) {
	l.connected = false
	l.lines.writerGone()
	l.states.suspend()
	before := l.doubt
	l.doubt = &doubt{gone: now}
	if before != nil { // and not decided yet
		l.doubt.another, l.doubt.recalled = before.another, before.recalled
	}
	l.opts.Log.V(1).Info("the FIFO has no writer", "path", l.opts.Path)
}

// forget drops every state that is in doubt.
func (l *Listener) forget(now time.Time) {
	l.states.settle(func(string) bool { return false }, now)
}

// watch decides doubts.
func (l *Listener) watch(now time.Time) {
	if l.connected && l.process == nil && now.Sub(l.asked) >= l.askEvery(now) {
		l.asked = now
		l.process = l.identify() // its pid file may have come late
	}
	l.states.resume(now)
	d := l.doubt
	switch {
	case d == nil:
	case d.back.IsZero() && l.process == nil && now.Sub(d.gone) >= awayAtMost:
		l.opts.Log.Info("Keepalived is gone: what it said is forgotten")
		l.forget(now)
		l.doubt = nil
	case !d.back.IsZero() && l.connected && now.Sub(d.back) >= settleTime:
		l.doubt = nil
		l.settle(d, now)
	}
}

// ended is when the VRRP process is no more: all that it said is in doubt, and forgotten. Where no end of file was seen, what
// has just been read may be its last words or its successor's first ones, as of a process that is not known.
func (l *Listener) ended(now time.Time) {
	l.opts.Log.Info("Keepalived's VRRP process has ended: what it said is forgotten")
	l.process.Close()
	l.process, l.unknown = nil, now
	l.forget(now)
	if l.connected {
		l.states.suspend()
		l.doubt = &doubt{gone: now, back: now, another: true}
	}
}

// settle decides a doubt after a writer has come back and had time to speak.
func (l *Listener) settle(d *doubt, now time.Time) {
	if !l.states.suspended() {
		return
	}
	late := d.back.Sub(d.gone) > awayAtMost
	sure := l.credible
	switch {
	case d.another && late:
		sure = func(string) bool { return false }
	case !d.another && !late && !d.recalled:
		sure = func(string) bool { return true }
	}
	l.states.settle(sure, now)
	l.opts.Log.V(1).Info("what Keepalived said before counts again, where it is credible", "path", l.opts.Path)
}

// credible reports whether what is remembered of an instance may be so. Only MASTER claims anything: one of its addresses
// must be on a local interface, if it has any. Keepalived takes them off before it says that it is no longer MASTER, and a
// restarted one within 0.2 s (seen on 2.2.7).
func (l *Listener) credible(instance string) bool {
	if l.states[instance].State != Master {
		return true
	}
	vips := l.opts.VIPs(instance)
	if len(vips) == 0 {
		return true
	}
	local, err := l.opts.Local()
	if err != nil {
		l.opts.Log.Error(err, "listing local addresses failed: the instance's state is forgotten", "instance", instance)
		return false
	}
	return slices.ContainsFunc(vips, func(vip netip.Addr) bool { return local[vip] })
}

// localAddrs asks the kernel.
func localAddrs() (map[netip.Addr]bool, error) {
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	addrs := map[netip.Addr]bool{}
	for _, n := range nets {
		if prefix, err := netip.ParsePrefix(n.String()); err == nil {
			addrs[prefix.Addr().Unmap()] = true
		}
	}
	return addrs, nil
}
