package controller

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"floaty/desired"
	"floaty/desired/keepalived"
	"floaty/providers"
)

// A pair is two hosts that share the addresses of two instances in one cloud, and a random sequence of events: instances change hosts, with
// and without a time in which both or neither are MASTER; rivals are heard; instances are suspended; a server's ID becomes unknown; edits of
// the configuration replace the controller; addresses are added and removed; and the cloud refuses, hangs, and asks to wait.
type pair struct {
	t     *testing.T
	dice  *dice
	cloud *cloud
	hosts [2]*member

	mu     sync.Mutex // guards all below
	mode   string     // the fault that the cloud injects into calls
	events []string   // with their times, logged if the test fails
}

// A member is a host with the paced provider that the daemon puts around the cloud.
type member struct {
	*host
	name  string // its server's ID
	paced *providers.Paced
}

var (
	singles = following(one, 4) // wanted by A; the last one also by B
	parts   = inside[:3]        // of one resource; the first two wanted by A, the last one by B
)

func newPair(t *testing.T, seed uint64) *pair {
	t.Helper()
	p := &pair{t: t, dice: newDice(seed), cloud: newCloud(append(slices.Clone(singles), parts[0])...)}
	p.cloud.join(parts...)
	for i, name := range []string{here, there} {
		m := &member{host: &host{t: t, cloud: p.cloud, desired: &desired.State{}, memo: &memo{}, states: map[string]keepalived.Status{}}, name: name}
		m.desired.SetServer(name)
		p.hosts[i] = m
		p.build(m)
	}
	p.manage(len(singles), len(parts))
	for _, m := range p.hosts {
		m.start()
	}
	p.cloud.landing = p.landed
	p.cloud.set(func(ctx context.Context) error { return p.trouble(ctx, false) },
		func(ctx context.Context, _ netip.Addr, _ string) error { return p.trouble(ctx, true) })
	return p
}

func (p *pair) build(m *member) {
	m.paced = providers.NewPaced(p.cloud, providers.PacedOptions{
		MaxInterval: 10 * time.Second, Spread: 0.5, Resumed: func() { m.ctl.Resume() }, Log: m.log.Logger(),
	})
	m.build(m.paced)
	m.ctl.opts.Concurrent = 1 + p.dice.roll(3)
	m.slots(m.ctl.opts.Concurrent)
}

func (p *pair) logf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, time.Since(p.cloud.began).String()+" "+fmt.Sprintf(format, args...))
}

func (p *pair) manage(single, part int) {
	a := append(slices.Clone(singles[:single]), parts[:min(part, 2)]...)
	b := append(slices.Clone(singles[3:]), parts[min(part, 2):part]...)
	for _, m := range p.hosts {
		m.wants(map[string][]netip.Addr{"A": a, "B": b})
	}
}

// modes are the faults that the cloud may inject into calls; the first one injects none.
var modes = []string{
	"", "reads fail", "writes fail", "all fail", "reads hang", "writes hang", "deadlines are ignored", "slow", "429", "some 429", "401", "writes are refused", "mixed",
}

// trouble injects the fault of the current mode into a call, before the call takes effect.
func (p *pair) trouble(ctx context.Context, write bool) error {
	p.mu.Lock()
	mode := p.mode
	p.mu.Unlock()
	roll := p.dice.roll
	if mode == "mixed" || mode == "some 429" && roll(3) == 0 {
		mode = modes[roll(len(modes)-1)]
	}
	switch {
	case mode == "all fail", mode == "reads fail" && !write, mode == "writes fail" && write:
		return errDown
	case mode == "reads hang" && !write, mode == "writes hang" && write:
		return hang(ctx)
	case mode == "writes are refused" && write:
		return providers.ErrRefused
	}
	switch mode {
	case "deadlines are ignored":
		time.Sleep(time.Duration(roll(40)) * time.Second)
	case "slow":
		return pass(ctx, time.Duration(roll(5000))*time.Millisecond)
	case "429":
		return &providers.WaitError{Wait: time.Duration(1+roll(20)) * time.Second, Err: errDown}
	case "401":
		return providers.ErrUnauthorized
	}
	return nil
}

func (p *pair) become(mode string) {
	p.logf("the cloud becomes %q", mode)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = mode
}

// landed demands that a write takes effect only if the address, or another part of its resource, is the writing host's.
func (p *pair) landed(addr netip.Addr, server string) {
	p.logf("a write of %[2]v by %[1]s takes effect", server, addr)
	whole := []netip.Addr{addr}
	if slices.Contains(parts, addr) {
		whole = parts
	}
	for _, m := range p.hosts {
		ours := func(addr netip.Addr) bool { is, _ := m.desired.Address(addr); return is.Ours }
		if m.name == server && !slices.ContainsFunc(whole, ours) {
			p.t.Errorf("a write of %[2]v by %[1]s took effect although the address is not that server's", server, addr)
		}
	}
}

// says makes Keepalived report a state of an instance, which ends a suspension of it.
func (m *member) says(instance string, state keepalived.State) {
	states := maps.Clone(m.states)
	is := states[instance]
	is.Suspended = false
	states[instance] = is
	m.states = states
	m.saysOf(instance, state)
}

func (m *member) suspend(suspended bool) {
	states := map[string]keepalived.Status{}
	for name, is := range m.states {
		is.Suspended = suspended && is.State == keepalived.Master
		states[name] = is
	}
	m.states = states
	m.apply(m.desired.SetKeepalived(states))
}

// elect makes a host MASTER of an instance. The other host becomes BACKUP before that (how is 0) or afterwards (1), or keeps its state (2).
// If how is 3, the other host goes to FAULT and no host becomes MASTER.
func (p *pair) elect(instance string, winner, how int) {
	p.logf("%s becomes MASTER of %s, how: %d", p.hosts[winner].name, instance, how)
	wins, loses := p.hosts[winner], p.hosts[1-winner]
	gap := time.Duration(p.dice.roll(8e8))
	switch how {
	case 0:
		loses.says(instance, keepalived.Backup)
		time.Sleep(gap)
		wins.says(instance, keepalived.Master)
	case 1:
		wins.says(instance, keepalived.Master)
		time.Sleep(gap)
		loses.says(instance, keepalived.Backup)
	case 2:
		wins.says(instance, keepalived.Master)
	case 3:
		loses.says(instance, keepalived.Fault)
	}
}

// rebuild replaces a host's controller as a reload does: the new one gets the changes that happen while the old one ends.
func (p *pair) rebuild(m *member, meanwhile func()) {
	p.logf("%s replaces its controller", m.name)
	old, stop, paced := m.ctl, m.stop, m.paced
	p.build(m)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		stop()
	}()
	meanwhile()
	<-ended
	m.ctl.Inherit(old)
	m.paced.Inherit(paced)
	m.start()
}

// happen makes one random event happen.
func (p *pair) happen() {
	roll := p.dice.roll
	instance, m := []string{"A", "B"}[roll(2)], p.hosts[roll(2)]
	switch roll(14) {
	case 0, 1, 2, 3:
		p.elect(instance, roll(2), roll(4))
	case 4:
		if m.states[instance].State == keepalived.Master {
			p.logf("%s hears a rival of %s", m.name, instance)
			m.hearsRivalOf(instance)
		}
	case 5:
		p.logf("%s is suspended", m.name)
		m.suspend(true)
		time.Sleep(time.Duration(roll(4e9)))
		m.suspend(false)
	case 6, 7:
		p.rebuild(m, func() {
			if roll(2) == 0 {
				p.elect(instance, roll(2), roll(4))
			}
		})
	case 8:
		p.manage(roll(len(singles)+1), roll(len(parts)+1))
	case 9:
		m.ctl.Resume()
	case 10:
		p.logf("%s does not know its server's ID", m.name)
		m.apply(m.desired.SetServer(""))
		time.Sleep(time.Duration(roll(2e9)))
		m.apply(m.desired.SetServer(m.name))
	case 11:
		p.cloud.move(p.all()[roll(len(p.all()))], []string{"a stranger", ""}[roll(2)])
	default:
		p.become(modes[max(roll(len(modes)+3)-3, 0)])
	}
}

func (p *pair) all() []netip.Addr { return slices.Concat(singles, parts) }

// misplaced returns the addresses that are not at server.
func (p *pair) misplaced(server string) []netip.Addr {
	return slices.DeleteFunc(p.all(), func(addr netip.Addr) bool { return p.cloud.holder(addr) == server })
}

// end ends all faults and makes one host MASTER of everything. It returns that host's index, and how long its addresses may take to arrive.
func (p *pair) end() (winner int, within time.Duration) {
	roll := p.dice.roll
	p.become("")
	p.manage(len(singles), len(parts))
	for _, m := range p.hosts {
		m.suspend(false)
		m.paced.CredentialChanged()
	}
	winner = roll(2)
	switch roll(3) {
	case 0: // immediately: the cloud may have asked to wait for 30 s, and the other host's writes may still take effect
		within = 45 * time.Second
	case 1: // after a quiet time: one trip per address if there is only one slot, or the first verification finds the other host's last write
		before := roll(2)
		p.elect("A", before, 0)
		p.elect("B", before, 0)
		time.Sleep(90 * time.Second)
		within = time.Second + 9*trip
	case 2: // without a MASTER line if the host is MASTER already: a refresh finds the misplaced addresses
		for _, instance := range []string{"A", "B"} {
			p.hosts[1-winner].says(instance, keepalived.Backup)
			if p.hosts[winner].states[instance].State != keepalived.Master {
				p.hosts[winner].says(instance, keepalived.Master)
			}
		}
		return winner, 2 * interval
	}
	p.elect("A", winner, roll(2))
	p.elect("B", winner, roll(2))
	return winner, within
}

// calm demands that nothing more is written, and that both hosts report the true state.
func (p *pair) calm(winner int) {
	p.cloud.count()
	time.Sleep(5 * interval)
	if reads, writes := p.cloud.count(); reads > 2*6 || writes != 0 {
		p.t.Errorf("%d reads and %d writes in five quiet intervals, want one read per host and interval, and no write", reads, writes)
	}
	for i, m := range p.hosts {
		for _, is := range m.ctl.Statuses() {
			next, age := time.Until(is.Next), time.Since(is.Verified)
			if is.Desired != (i == winner) || is.InPlace != (i == winner) || is.Contested || is.Err != "" {
				p.t.Errorf("%s reports %+v, want no error, no conflict, and both desired and in place: %v", m.name, is, i == winner)
			}
			if next < 0 || next > interval*11/10 || age > interval*11/10+trip {
				p.t.Errorf("%s reports %v: verified %v ago, next in %v, want both within an interval", m.name, is.Addr, age, next)
			}
		}
		for _, t := range m.memo.takeovers {
			if t.FirstWrite.Before(t.Claimed) || t.Acknowledged.Before(t.FirstWrite) || t.Verified.Before(t.Acknowledged) {
				p.t.Errorf("%s reports the takeover %+v, want its times in order", m.name, t)
			}
		}
		if left := m.leftovers(m.ctl.opts.Concurrent); left != "" {
			p.t.Errorf("%s: left over at the end: %s", m.name, left)
		}
	}
}

func TestAfterRandomEventsEveryAddressReachesItsMasterInTime(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, seed)
				defer func() {
					for _, m := range p.hosts {
						m.stop()
					}
					if t.Failed() {
						t.Logf("the events were\n%s", strings.Join(p.events, "\n"))
					}
				}()
				for range 30 {
					time.Sleep(time.Duration(p.dice.roll(4e9))) // in nanoseconds, so that no event falls on the instant at which a write lands
					p.happen()
				}
				winner, within := p.end()
				server, from := p.hosts[winner].name, time.Now()
				for len(p.misplaced(server)) > 0 && time.Since(from) < within {
					time.Sleep(10 * time.Millisecond)
				}
				if left := p.misplaced(server); len(left) > 0 {
					t.Errorf("%v after the last fault, %v are not at %s", time.Since(from), left, server)
				}
				time.Sleep(3 * interval)
				p.calm(winner)
			})
		})
	}
}
