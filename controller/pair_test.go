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

// A pair is two hosts that share the addresses of two instances, in one cloud, and a story of them that dice tell: of instances that
// change hosts, with and without a time in which both or none are MASTER, of rivals, suspensions, unknown servers, edits of the
// configuration that replace the controller, addresses that come and go, and a cloud that refuses, hangs, and asks to wait.
type pair struct {
	t     *testing.T
	dice  *dice
	cloud *cloud
	hosts [2]*member

	mu    sync.Mutex // guards all below
	mode  string     // what the cloud does to calls
	story []string
}

// A member is a host with what the daemon puts around its controller.
type member struct {
	*host
	name  string // its server's ID
	paced *providers.Paced
}

var (
	singles = following(one, 4) // wanted by A, and the last one also by B
	parts   = inside[:3]        // of one resource, wanted by A, and the last one by B
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

func (p *pair) tell(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.story = append(p.story, time.Since(p.cloud.began).String()+" "+fmt.Sprintf(format, args...))
}

func (p *pair) manage(single, part int) {
	a := append(slices.Clone(singles[:single]), parts[:min(part, 2)]...)
	b := append(slices.Clone(singles[3:]), parts[min(part, 2):part]...)
	for _, m := range p.hosts {
		m.wants(map[string][]netip.Addr{"A": a, "B": b})
	}
}

// modes are what a cloud may do to calls; the first one is nothing.
var modes = []string{
	"", "reads fail", "writes fail", "all fail", "reads hang", "writes hang", "deaf", "slow", "429", "some 429", "401", "writes are refused", "mixed",
}

// trouble is what becomes of a call before it is made.
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
	case "deaf": // it does not listen
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
	p.tell("the cloud becomes %q", mode)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = mode
}

// landed demands that a write that takes effect is made by a host to which the address, or another part of its resource, belongs.
func (p *pair) landed(addr netip.Addr, server string) {
	p.tell("a write of %s to %v lands", server, addr)
	whole := []netip.Addr{addr}
	if slices.Contains(parts, addr) {
		whole = parts
	}
	for _, m := range p.hosts {
		ours := func(addr netip.Addr) bool { is, _ := m.desired.Address(addr); return is.Ours }
		if m.name == server && !slices.ContainsFunc(whole, ours) {
			p.t.Errorf("a write of %s to %v landed, which is not its own", server, addr)
		}
	}
}

// says makes Keepalived say something about an instance, which ends a suspension of it.
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

// elect makes a host MASTER of an instance; how says what becomes of the other one: 0: BACKUP before, 1: BACKUP afterwards, 2: it stays what
// it is, 3: FAULT, and nobody becomes MASTER.
func (p *pair) elect(instance string, winner, how int) {
	p.tell("%s becomes MASTER of %s, in the way %d", p.hosts[winner].name, instance, how)
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

// rebuild replaces a host's controller as a reload does: the new one is told of what happens while the old one ends.
func (p *pair) rebuild(m *member, meanwhile func()) {
	p.tell("%s replaces its controller", m.name)
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

// happen is one thing that happens.
func (p *pair) happen() {
	roll := p.dice.roll
	instance, m := []string{"A", "B"}[roll(2)], p.hosts[roll(2)]
	switch roll(14) {
	case 0, 1, 2, 3:
		p.elect(instance, roll(2), roll(4))
	case 4:
		if m.states[instance].State == keepalived.Master {
			p.tell("%s hears a rival of %s", m.name, instance)
			m.hearsRivalOf(instance)
		}
	case 5:
		p.tell("%s is suspended", m.name)
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
		p.tell("%s does not know its server", m.name)
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

// end ends all trouble and makes one host MASTER of everything. It returns its index, and how long its addresses may take.
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
	case 0: // at once: the cloud may have asked to wait for 30 s, and the other host's writes may still land
		within = 45 * time.Second
	case 1: // after a rest: one trip per address if there is only one slot, or the other host's last write is found by the first verification
		before := roll(2)
		p.elect("A", before, 0)
		p.elect("B", before, 0)
		time.Sleep(90 * time.Second)
		within = time.Second + 9*trip
	case 2: // without a MASTER line, if it is MASTER already: a refresh finds what is wrong
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

// calm demands that nothing is written any more, and that both hosts report what is.
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
				p.t.Errorf("%s reports %+v, want nothing unusual, and desired and in place: %v", m.name, is, i == winner)
			}
			if next < 0 || next > interval*11/10 || age > interval*11/10+trip {
				p.t.Errorf("%s reports %v: verified %v ago, next in %v, want both within an interval", m.name, is.Addr, age, next)
			}
		}
		for _, t := range m.memo.takeovers {
			if t.FirstWrite.Before(t.Claimed) || t.Acknowledged.Before(t.FirstWrite) || t.Verified.Before(t.Acknowledged) {
				p.t.Errorf("%s reports the takeover %+v, want its parts in order", m.name, t)
			}
		}
		if left := m.leftovers(m.ctl.opts.Concurrent); left != "" {
			p.t.Errorf("%s: left over in the end: %s", m.name, left)
		}
	}
}

func TestAfterRandomEventsEveryAddressIsWithItsMasterInTime(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, seed)
				defer func() {
					for _, m := range p.hosts {
						m.stop()
					}
					if t.Failed() {
						t.Logf("the story was\n%s", strings.Join(p.story, "\n"))
					}
				}()
				for range 30 {
					time.Sleep(time.Duration(p.dice.roll(4e9))) // finely, so that nothing happens in the instant in which a write lands
					p.happen()
				}
				winner, within := p.end()
				server, from := p.hosts[winner].name, time.Now()
				for len(p.misplaced(server)) > 0 && time.Since(from) < within {
					time.Sleep(10 * time.Millisecond)
				}
				if left := p.misplaced(server); len(left) > 0 {
					t.Errorf("%v after the end of all trouble, %v are not at %s", time.Since(from), left, server)
				}
				time.Sleep(3 * interval)
				p.calm(winner)
			})
		})
	}
}
