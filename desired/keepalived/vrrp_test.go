package keepalived

import (
	"errors"
	"maps"
	"net/netip"
	"testing"
	"time"
)

// identity returns a Process for the fakeVRRP.
func (k *fakeVRRP) identity() *Process {
	k.t.Helper()
	p, err := OpenProcess(k.cmd.Process.Pid)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(p.Close)
	return p
}

func TestAdoptingAProcess(t *testing.T) {
	env := newEnv(t)
	one, other, dead := env.process("keepalived"), env.process("keepalived"), env.process("keepalived")
	ended := dead.identity()
	dead.kill()
	for _, c := range []struct {
		what           string
		before, next   *Process
		same, replaced bool
		searches       bool
	}{
		{what: "no process, and none found", searches: true},
		{what: "the first process", next: one.identity()},
		{what: "the same process", before: one.identity(), next: one.identity(), same: true},
		{what: "another process", before: one.identity(), next: other.identity(), replaced: true},
		{what: "another process after the end of the first", before: ended, next: other.identity(), replaced: true},
		{what: "none found, but the first is alive", before: one.identity(), searches: true},
		{what: "none found, and the first has ended", before: dead.identityOf(ended), replaced: true, searches: true},
	} {
		now := time.Now()
		v := vrrpProcess{process: c.before}
		same, replaced := v.adopt(c.next, true, now)
		if same != c.same || replaced != c.replaced || v.search.due.IsZero() == c.searches {
			t.Errorf("%s: got same %v, replaced %v, a search due at %v, want %v, %v, a search: %v", c.what, same, replaced, v.search.due, c.same, c.replaced, c.searches)
		}
		if c.next != nil && !v.process.Same(c.next) || c.next == nil && v.process != nil {
			t.Errorf("%s: got process %v, want %v", c.what, v.process, c.next)
		}
	}
}

// identityOf returns a second Process for a process that has ended.
func (*fakeVRRP) identityOf(p *Process) *Process { return &Process{Stat: p.Stat, fd: -1} }

func TestHowOftenTheProcessIsLookedFor(t *testing.T) {
	now := time.Now()
	connected := &fifo{connected: true}
	for _, c := range []struct {
		what    string
		v       vrrpProcess
		want    bool
		between time.Duration
	}{
		{"unknown for a moment", vrrpProcess{fifo: connected, unknown: now, checked: now.Add(-identifyEvery)}, true, identifyEvery},
		{"checked just now", vrrpProcess{fifo: connected, unknown: now, checked: now}, false, identifyEvery},
		{"unknown for a long time", vrrpProcess{fifo: connected, unknown: now.Add(-identifyFast), checked: now.Add(-identifyEvery)}, false, restEvery},
		{"unknown and not checked for a long time", vrrpProcess{fifo: connected, unknown: now.Add(-time.Hour), checked: now.Add(-restEvery)}, true, restEvery},
		{"found by a search", vrrpProcess{fifo: connected, unknown: now, process: &Process{}, checked: now.Add(-identifyEvery)}, true, identifyEvery},
		{"found by its pid file", vrrpProcess{fifo: connected, unknown: now, process: &Process{}, registered: true}, false, identifyEvery},
		{"no writer", vrrpProcess{fifo: &fifo{}, unknown: now}, false, identifyEvery},
	} {
		if got, between := c.v.due(now), c.v.interval(now); got != c.want || between != c.between {
			t.Errorf("%s: got due %v, every %v, want %v, every %v", c.what, got, between, c.want, c.between)
		}
	}
}

func TestWhichStatesAreCredible(t *testing.T) {
	t.Parallel()
	local := map[netip.Addr]bool{vip: true}
	none := errors.New("no netlink")
	for _, c := range []struct {
		what  string
		state State
		vips  []netip.Addr
		same  bool // whether it is the process that wrote the state
		err   error
		want  bool
	}{
		{what: "a BACKUP claims nothing", state: Backup, want: true},
		{what: "MASTER with a local address", state: Master, vips: []netip.Addr{netip.MustParseAddr("192.0.2.250"), vip}, want: true},
		{what: "MASTER whose address is not local", state: Master, vips: []netip.Addr{netip.MustParseAddr("192.0.2.250")}, same: true},
		{what: "MASTER without addresses, by the same process", state: Master, same: true, want: true},
		{what: "MASTER without addresses, by an unidentified process", state: Master},
		{what: "MASTER, and the addresses cannot be listed", state: Master, vips: []netip.Addr{vip}, same: true, err: none},
	} {
		env := testEnv{vips: map[string][]netip.Addr{"A": c.vips}}
		opts := Options{Conf: Conf{
			VIPs:  func(instance string) []netip.Addr { return env.vips[instance] },
			Named: func(string) bool { return true },
		}}
		trust := newTrust(&opts)
		trust.states["A"] = Status{State: c.state}
		got := trust.credible("A", c.same, func() (map[netip.Addr]bool, error) { return maps.Clone(local), c.err })
		if got != c.want {
			t.Errorf("%s: got credible %v, want %v", c.what, got, c.want)
		}
	}
}
