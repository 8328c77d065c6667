package keepalived

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"floaty/providers/logkey"
)

const (
	settleTime = 300 * time.Millisecond // after a writer's return: silence for this long means that nothing has changed
	awayAtMost = 3 * time.Second        // a writer that comes back later may be another process, or lines may have been lost; a reload takes milliseconds
)

// trust holds the states of the instances and decides which of them count.
type trust struct {
	opts        *Options
	fifo        *fifo
	states      states
	vrrp        vrrpProcess
	suspension  *suspension // nil: there is a writer, and every state counts
	standstills int         // so far
}

// A suspension lasts from the loss of the writer until it is clear what that meant.
type suspension struct {
	gone     time.Time // when the writer was lost
	back     time.Time // when a writer came back; zero: not yet
	replaced bool      // a writer has come since then that is not known to be the process that reported the states

	restored bool // the states were reported to an earlier run of floaty, and a BACKUP may have been lost since
	known    bool // that run knew the process that reported them
}

func newTrust(opts *Options) *trust {
	return &trust{opts: opts, states: states{}, vrrp: vrrpProcess{pidFile: opts.PIDFile}}
}

// readFrom names the FIFO that the events come from.
func (t *trust) readFrom(f *fifo) { t.fifo, t.vrrp.fifo = f, f }

// event applies an event to the states.
func (t *trust) event(e Event, now time.Time) {
	log := t.opts.Log.V(1)
	var members []string
	switch e.Type {
	case typeInstance:
	case typeGroup:
		members = t.opts.Conf.Members(e.Name)
	default:
		log.Info("ignoring a line that is not about an instance or a group", logkey.Type, e.Type)
		return
	}
	if !t.states.apply(e, members, now) {
		if e.IsGroup() {
			log = log.WithValues(logkey.Group, e.Name)
		} else {
			log = log.WithValues(logkey.Instance, e.Name)
		}
		log.Info("ignoring a line with an unknown state", logkey.State, e.State)
	}
}

// writerConnected is called when the FIFO gets a writer. Keepalived writes the pid file of its VRRP process before that process
// opens the FIFO (seen on 2.2.7), so the process can be identified from now on.
func (t *trust) writerConnected(now time.Time) {
	t.vrrp.mayHaveChanged(now)
	if t.suspension != nil {
		t.suspension.back = now
	}
	if p, registered := t.vrrp.lookUp(); p != nil {
		t.adopt(p, registered, now)
	} else if !t.vrrp.process.Alive() {
		t.adopt(nil, false, now)
	} // else another process is the writer, perhaps only until the known one opens the FIFO: that is clear after settleTime
	t.opts.Log.V(1).Info("the FIFO has a writer", logkey.Path, t.opts.Path)
	if err := t.vrrp.pidFileErr; err != nil {
		t.opts.Log.V(1).Info("the pid file does not identify the VRRP process", logkey.Path, t.opts.PIDFile(), logkey.Err, err.Error())
	}
}

// writerGone is called when the FIFO has lost its writer. No state counts until it is clear why.
func (t *trust) writerGone(now time.Time) {
	before := t.suspension
	t.suspension = &suspension{gone: now}
	if before != nil && t.states.unconfirmed() { // some state is older than the last writer, so what was in doubt still is
		t.suspension.replaced, t.suspension.restored, t.suspension.known = before.replaced, before.restored, before.known
	}
	t.states.suspend()
	t.opts.Log.V(1).Info("the FIFO has no writer", logkey.Path, t.opts.Path)
}

// processEnded is called when the VRRP process has ended, after what it wrote was applied. All of that is forgotten. If the FIFO
// still has a writer, the last lines may be the successor's first ones: they count like those of a process that is not known.
func (t *trust) processEnded(now time.Time) {
	t.opts.Log.Info("Keepalived's VRRP process has ended, so its states no longer count: not assigning any address until Keepalived says MASTER")
	t.vrrp.ended(now)
	t.forget(now)
	if t.fifo.connected {
		t.suspension = nil
		t.suspendReplaced(now)
	}
}

// writerReplaced is called when it turns out that the writer is no longer the same process, although no end of file was seen. Nobody knows
// which of them has reported the states.
func (t *trust) writerReplaced(now time.Time) {
	t.vrrp.mayHaveChanged(now)
	t.adopt(nil, false, now)
	t.suspendReplaced(now)
}

// suspendReplaced suspends every state until the writer, which is not known, has had time to say what has changed.
func (t *trust) suspendReplaced(now time.Time) {
	t.states.suspend()
	if t.suspension == nil {
		t.suspension = &suspension{gone: now}
	}
	t.suspension.back, t.suspension.replaced = now, true
}

// adopt takes p as the VRRP process; nil: it is not known. What an earlier process said is forgotten if it is known not to be p.
func (t *trust) adopt(p *Process, registered bool, now time.Time) {
	same, replaced := t.vrrp.adopt(p, registered, now)
	if t.suspension != nil && !same {
		t.suspension.replaced = true
	}
	if replaced {
		t.forget(now)
	}
}

// forget makes every unconfirmed state unknown.
func (t *trust) forget(now time.Time) {
	t.states.confirm(func(string) bool { return false }, now)
}

// reporter returns the process that has reported the states; nil: it is not known, even if the VRRP process is.
func (t *trust) reporter() *Process {
	if t.suspension != nil && t.suspension.replaced && t.states.unconfirmed() {
		return nil
	}
	return t.vrrp.process
}

// review looks for the VRRP process while it is not known, and ends the suspensions whose time is over: those after a standstill, and the
// one that began when the writer was lost.
func (t *trust) review(now time.Time) {
	t.identify(now)
	t.states.endSuspensions(now)
	s := t.suspension
	switch {
	case s == nil:
	case s.back.IsZero() && t.vrrp.process == nil && now.Sub(s.gone) >= awayAtMost:
		t.opts.Log.Info("Keepalived has gone, so its states no longer count: not assigning any address until Keepalived says MASTER")
		t.forget(now)
		t.suspension = nil
	case !s.back.IsZero() && t.fifo.connected && now.Sub(s.back) >= settleTime:
		t.conclude(s, now)
	}
}

// identify looks for the VRRP process as long as no pid file names it: that file may come late, and is more reliable than a search.
func (t *trust) identify(now time.Time) {
	switch p, found := t.vrrp.searchResult(); {
	case !found:
	case p == nil:
		t.adopt(nil, false, now)
		t.vrrp.searchLater(now)
	case !t.vrrp.isWriter(p):
		p.Close()
		t.writerReplaced(now)
	default:
		t.adopt(p, false, now)
	}
	if !t.vrrp.due(now) {
		return
	}
	t.vrrp.checked = now
	if p, registered := t.vrrp.lookUp(); p != nil {
		t.adopt(p, registered, now)
	}
}

// conclude ends a suspension after a writer has come back and has had time to say what has changed.
func (t *trust) conclude(s *suspension, now time.Time) {
	p, registered := t.vrrp.lookUp()
	t.adopt(p, registered, now)
	t.suspension = nil
	if !t.states.unconfirmed() {
		return
	}
	late := s.back.Sub(s.gone) > awayAtMost
	local := sync.OnceValues(t.localAddresses) // the kernel may have thousands of addresses to list
	sure := func(instance string) bool { return t.credible(instance, !s.replaced && !late, local) }
	switch {
	case s.replaced && (late || s.known):
		sure = func(string) bool { return false }
	case !s.replaced && !late && !s.restored:
		sure = func(string) bool { return true }
	}
	t.states.confirm(sure, now)
	t.opts.Log.V(1).Info("the suspension is over: the states that are credible count again", logkey.Path, t.opts.Path)
}

// NoEvidence is logged for an instance whose MASTER is forgotten because nothing shows whether it still holds.
const NoEvidence = "cannot identify Keepalived's process, and the instance has no virtual_ipaddress here, so after a reload floaty cannot " +
	"know whether it is still MASTER: share the PID namespace or set keepalived-pid-file, and until then restart Keepalived instead of reloading it"

// credible reports whether an unconfirmed state of an instance may count. Only MASTER claims anything. It is credible if one of the
// instance's addresses is on an interface, because Keepalived removes them before it says that it is no longer MASTER, and a restarted
// Keepalived removes them within 0.2 s (seen on 2.2.7). An instance without addresses is credible if the same process has said MASTER.
func (t *trust) credible(instance string, sameProcess bool, local func() (map[netip.Addr]bool, error)) bool {
	if t.states[instance].State != Master {
		return true
	}
	vips := t.opts.Conf.VIPs(instance)
	if len(vips) == 0 {
		switch {
		case sameProcess || !t.opts.Conf.Named(instance): // one that keepalived.conf does not name is logged elsewhere
		case t.vrrp.process == nil:
			t.opts.Log.Error(t.vrrp.pidFileErr, NoEvidence, logkey.Instance, instance)
		default:
			t.opts.Log.Error(nil, "Keepalived was gone for too long, and the instance has no virtual_ipaddress that would show whether it "+
				"is still MASTER: not assigning its addresses until Keepalived says MASTER again", logkey.Instance, instance)
		}
		return sameProcess
	}
	addrs, err := local()
	if err != nil {
		t.opts.Log.Error(err, "cannot list the local addresses, which would show whether the instance is still MASTER: "+
			"not assigning its addresses until Keepalived says MASTER again", logkey.Instance, instance)
		return false
	}
	return slices.ContainsFunc(vips, func(vip netip.Addr) bool { return addrs[vip] })
}

// localAddresses returns the addresses on the interfaces that the VRRP process sees, or, if that process is not known, on ours.
func (t *trust) localAddresses() (map[netip.Addr]bool, error) {
	if p := t.vrrp.process; p != nil {
		if addrs, err := otherNamespaceAddrs(p.PID); err == nil && addrs != nil {
			return addrs, nil
		}
	}
	return t.opts.Local()
}

// standstill suspends every MASTER that another host may have taken over meanwhile.
func (t *trust) standstill(p standstill, now time.Time) {
	t.standstills++
	t.states.stoodStill(p, now, t.opts.Conf.AdvertInterval, t.opts.Log)
}

// restore takes over the states that an earlier run of floaty saved, except those of instances that have been heard of since. They
// count once the suspension that this begins is over.
func (t *trust) restore(r record, now time.Time) {
	if !t.vrrp.restore(r) {
		return
	}
	before, doubted, restored := t.suspension, t.states.unconfirmed(), false
	for name, saved := range r.Instances {
		_, heard := t.states[name]
		if state, ok := parseState(saved.State); ok && !heard && t.opts.Conf.Named(name) {
			t.states[name] = Status{State: state, Since: saved.Since, unconfirmed: true, resumes: saved.resumes(now)}.derived()
			restored = true
		}
	}
	if !restored {
		return
	}
	t.suspension = &suspension{gone: now, restored: true, known: r.PID != 0}
	if t.fifo.connected {
		t.suspension.back, t.suspension.replaced = now, r.PID == 0
	}
	if before != nil && doubted { // some state was in doubt already, and still is
		t.suspension.gone, t.suspension.back = before.gone, before.back
		t.suspension.replaced = t.suspension.replaced || before.replaced
	}
}

// wait returns how long there will be nothing to do, unless one of the descriptors that it appends to fds becomes readable.
func (t *trust) wait(now time.Time, fds []int) (time.Duration, []int) {
	wait, fds := t.vrrp.wait(now, fds)
	if t.suspension != nil && t.fifo.connected {
		wait = min(wait, settleTime-now.Sub(t.suspension.back)+time.Millisecond)
	}
	if ends := t.states.nextEnd(); !ends.IsZero() {
		wait = min(wait, ends.Sub(now))
	}
	return wait, fds
}
