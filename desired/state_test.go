package desired

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"floaty/desired/keepalived"
	"floaty/desired/keepalived/conf"
)

// newState returns the state of a host on which A wants 192.0.2.1 and B wants 192.0.2.2. Both are BACKUP.
func newState() *State {
	var s State
	s.SetServer("s")
	s.SetSettings(Settings{Keepalived: &conf.Config{Instances: []conf.Instance{instance("A", "192.0.2.1/32"), instance("B", "192.0.2.2/32")}}})
	s.SetKeepalived(is("A BACKUP", "B BACKUP"))
	return &s
}

func expect(t *testing.T, what string, got []netip.Addr, want ...string) {
	t.Helper()
	if !slices.Equal(got, addrs(want...)) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// claim is like is, and counts one claim for each MASTER.
func claim(pairs ...string) map[string]keepalived.Status {
	states := is(pairs...)
	for name, inst := range states {
		if inst.State == keepalived.Master {
			inst.Claims++
			states[name] = inst
		}
	}
	return states
}

func TestMasterGainsAndClaims(t *testing.T) {
	s := newState()
	c := s.SetKeepalived(claim("A MASTER", "B BACKUP"))
	expect(t, "gained", c.Gained, "192.0.2.1")
	expect(t, "claimed", c.Claimed, "192.0.2.1")
	expect(t, "lost", c.Lost)
	expect(t, "to be reconciled", c.Addresses(), "192.0.2.1")
	if is, _ := s.Address(addr("192.0.2.1")); is.Server != "s" || !is.Ours {
		t.Errorf("got %q %v, want s true", is.Server, is.Ours)
	}
	if is, _ := s.Address(addr("192.0.2.2")); is.Ours {
		t.Error("got the other instance's address as ours, want it not")
	}
}

func TestARepeatedMasterIsAClaimButNoGain(t *testing.T) {
	s := newState()
	states := claim("A MASTER", "B BACKUP")
	s.SetKeepalived(states)
	c := s.SetKeepalived(states)
	expect(t, "claimed by the same snapshot", c.Claimed)
	again := claim("A MASTER", "B BACKUP")
	a := again["A"]
	a.Claims = 2
	again["A"] = a
	c = s.SetKeepalived(again)
	expect(t, "claimed", c.Claimed, "192.0.2.1")
	expect(t, "gained", c.Gained)
}

func TestTheEndOfASuspensionGainsWithoutAClaim(t *testing.T) {
	s := newState()
	states := claim("A MASTER", "B BACKUP")
	s.SetKeepalived(states)
	suspended := claim("A MASTER?", "B BACKUP?")
	c := s.SetKeepalived(suspended)
	expect(t, "lost", c.Lost, "192.0.2.1")
	c = s.SetKeepalived(states)
	expect(t, "gained", c.Gained, "192.0.2.1")
	expect(t, "claimed", c.Claimed)
}

func TestARivalConcernsOnlyAMaster(t *testing.T) {
	s := newState()
	states := claim("A MASTER", "B BACKUP")
	s.SetKeepalived(states)
	heard := claim("A MASTER", "B BACKUP")
	for name, inst := range heard {
		inst.Rivals++
		heard[name] = inst
	}
	c := s.SetKeepalived(heard)
	expect(t, "rivals", c.Rivals, "192.0.2.1")
}

func TestSettingsAddAndRemoveAddresses(t *testing.T) {
	s := newState()
	s.SetKeepalived(claim("A MASTER", "B BACKUP"))
	c := s.SetSettings(Settings{Keepalived: &conf.Config{Instances: []conf.Instance{instance("A", "192.0.2.3/32"), instance("B", "192.0.2.2/32")}}})
	expect(t, "added", c.Added, "192.0.2.3")
	expect(t, "removed", c.Removed, "192.0.2.1")
	expect(t, "lost", c.Lost, "192.0.2.1")
	expect(t, "gained", c.Gained, "192.0.2.3")
}

func TestAddressesAreGainedAndClaimedWhenTheServerBecomesKnown(t *testing.T) {
	s := newState()
	s.SetServer("")
	s.SetKeepalived(claim("A MASTER", "B BACKUP"))
	if is, _ := s.Address(addr("192.0.2.1")); is.Ours {
		t.Error("got the address as ours without a known server, want it not")
	}
	c := s.SetServer("s2")
	expect(t, "gained", c.Gained, "192.0.2.1")
	expect(t, "claimed", c.Claimed, "192.0.2.1") // an earlier MASTER counts as a claim made now, so that the takeover does not wait for a read
	c = s.SetServer("s2")
	expect(t, "claimed by the same server", c.Claimed)
}

func TestAWarningIsReportedOnce(t *testing.T) {
	s := newState()
	for i, want := range []int{1, 0, 0, 1} {
		states := is("A BACKUP", "B BACKUP", "X MASTER")
		if i == 2 {
			states = is("A BACKUP", "B BACKUP")
		}
		if c := s.SetKeepalived(states); len(c.Warnings) != want {
			t.Errorf("step %d: got warnings %v, want %d", i, c.Warnings, want)
		}
	}
}

func TestUnknownReturnsInstancesWithoutAState(t *testing.T) {
	s := newState()
	s.SetKeepalived(is("B BACKUP"))
	if got := s.Unknown(); !slices.Equal(got, []string{"A"}) {
		t.Errorf("got %q, want A", got)
	}
}

func TestNamedReportsTheInstancesThatCount(t *testing.T) {
	for _, c := range []struct {
		what     string
		settings Settings
		want     map[string]bool
	}{
		{"keepalived.conf names them", Settings{Managed: addrs("192.0.2.1"), Keepalived: &conf.Config{Instances: []conf.Instance{instance("A")}}}, map[string]bool{"A": true, "B": false}},
		{"every instance wants the managed addresses", Settings{Managed: addrs("192.0.2.1")}, map[string]bool{"A": true, "B": true}},
		{"the configuration names them", Settings{Instances: map[string][]netip.Addr{"A": addrs("192.0.2.1")}}, map[string]bool{"A": true, "B": false}},
	} {
		var s State
		s.SetSettings(c.settings)
		for name, want := range c.want {
			if got := s.Named(name); got != want {
				t.Errorf("%s: %s: got %v, want %v", c.what, name, got, want)
			}
		}
	}
}

func TestAdvertIntervalDefaultsToOneSecond(t *testing.T) {
	var s State
	if got := s.AdvertInterval("A"); got != time.Second {
		t.Errorf("without keepalived.conf: got %v, want 1s", got)
	}
	slow := instance("A", "192.0.2.1/32")
	slow.AdvertInterval = 5 * time.Second
	s.SetSettings(Settings{Keepalived: &conf.Config{Instances: []conf.Instance{slow}}})
	for name, want := range map[string]time.Duration{"A": 5 * time.Second, "B": time.Second} {
		if got := s.AdvertInterval(name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// SetKeepalived updates the set for the changed instances only. The result must equal a set computed from scratch, whatever the order
// of the changes.
func TestAPatchEqualsTheSetComputedFromScratch(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a fixed seed, so that a failure repeats
	kc := &conf.Config{Instances: []conf.Instance{
		instance("A", "192.0.2.1/32", "192.0.2.2/32"), instance("B", "192.0.2.2/32", "192.0.2.3/32"), instance("C", "192.0.2.4/32"),
	}}
	var patched, fresh State
	for range 2000 {
		if random.IntN(20) == 0 {
			settings := Settings{Keepalived: kc}
			if random.IntN(2) == 0 {
				settings = Settings{Managed: addrs("192.0.2.9")}
			}
			server := []string{"", "me"}[random.IntN(2)]
			patched.SetSettings(settings)
			fresh.SetSettings(settings)
			patched.SetServer(server)
			fresh.SetServer(server)
		}
		states := map[string]keepalived.Status{}
		for _, name := range []string{"A", "B", "C", "D"} {
			if random.IntN(10) == 0 {
				continue
			}
			states[name] = keepalived.Status{
				State: keepalived.State(random.IntN(3)), Suspended: random.IntN(4) == 0,
				Claims: random.Uint64N(2), Rivals: random.Uint64N(2),
			}
		}
		fresh.wants = nil // so that it computes the whole set
		got, want := patched.SetKeepalived(states), fresh.SetKeepalived(states)
		if !reflect.DeepEqual(got, want) || summary(patched.set) != summary(fresh.set) {
			t.Fatalf("states %+v:\ngot  %+v, %s\nwant %+v, %s", states, got, summary(patched.set), want, summary(fresh.set))
		}
		for addr, is := range patched.set.Addresses {
			if want := fresh.set.Addresses[addr].Generation; is.Generation != want {
				t.Fatalf("states %+v: %v: got %+v, want %+v", states, addr, is.Generation, want)
			}
		}
	}
}

func BenchmarkOneOfManyInstancesChanges(b *testing.B) {
	var s State
	kc := &conf.Config{}
	states := map[string]keepalived.Status{}
	for i := range 1000 {
		name := fmt.Sprint("VI_", i)
		inst := conf.Instance{Name: name}
		for j := range 10 {
			a := netip.AddrFrom4([4]byte{10, byte(i / 250), byte(i % 250), byte(j)})
			inst.Addresses = append(inst.Addresses, netip.PrefixFrom(a, 32))
		}
		kc.Instances = append(kc.Instances, inst)
		states[name] = keepalived.Status{State: keepalived.Backup}
	}
	s.SetSettings(Settings{Keepalived: kc})
	s.SetServer("me")
	s.SetKeepalived(states)
	for i := 0; b.Loop(); i++ {
		next := maps.Clone(states)
		next["VI_7"] = keepalived.Status{State: keepalived.State(1 + i%2), Claims: uint64(i)}
		s.SetKeepalived(next)
	}
}

func TestInstancesThatShareAResourceAreApartUnlessInOneSyncGroup(t *testing.T) {
	one, two := addrs("192.0.2.1")[0], addrs("192.0.2.2")[0]
	s := newState()
	if got := s.Apart([]netip.Addr{one, two}); !slices.Equal(got, []string{"A", "B"}) {
		t.Errorf("got %q, want A and B", got)
	}
	if got := s.Apart([]netip.Addr{one}); got != nil {
		t.Errorf("got %q for one address, want none", got)
	}
	s.SetSettings(Settings{Keepalived: &conf.Config{
		Instances: []conf.Instance{instance("A", "192.0.2.1/32"), instance("B", "192.0.2.2/32")},
		Groups:    []conf.Group{{Name: "G", Members: []string{"A", "B"}}},
	}})
	if got := s.Apart([]netip.Addr{one, two}); got != nil {
		t.Errorf("got %q, want none: both are in one sync group", got)
	}
	s.SetSettings(Settings{Managed: []netip.Addr{one, two}})
	if got := s.Apart([]netip.Addr{one, two}); got != nil {
		t.Errorf("got %q, want none: another warning already reports that both instances want both addresses", got)
	}
}

func TestGenerationsRiseWithEachClaimRivalAndLoss(t *testing.T) {
	s := newState()
	a, b := addr("192.0.2.1"), addr("192.0.2.2")
	states := claim("A BACKUP", "B BACKUP")
	rival := func(name string) {
		is := states[name]
		is.Rivals++
		states[name] = is
	}
	set := func(name string, state keepalived.State) {
		is := states[name]
		is.State = state
		if state == keepalived.Master {
			is.Claims++
		}
		states[name] = is
	}
	for _, step := range []struct {
		what                 string
		change               func()
		claim, rival, lost   bool // of A's address
		changed, otherChange bool
	}{
		{"the same states again", func() {}, false, false, false, false, false},
		{"A is MASTER", func() { set("A", keepalived.Master) }, true, false, false, true, false},
		{"A is MASTER again", func() { set("A", keepalived.Master) }, true, false, false, true, false},
		{"A hears a rival", func() { rival("A") }, false, true, false, true, false},
		{"B hears one as a BACKUP", func() { rival("B") }, false, false, false, false, false},
		{"A is BACKUP", func() { set("A", keepalived.Backup) }, false, false, true, true, false},
		{"both are MASTER", func() { set("A", keepalived.Master); set("B", keepalived.Master) }, true, false, false, true, true},
	} {
		before, _ := s.Address(a)
		other, _ := s.Address(b)
		step.change()
		s.SetKeepalived(maps.Clone(states))
		now, _ := s.Address(a)
		otherNow, _ := s.Address(b)
		if (now.LastClaim > before.LastClaim) != step.claim || (now.LastRival > before.LastRival) != step.rival || (now.LastLoss > before.LastLoss) != step.lost ||
			now.Changed.After(before.Changed) != step.changed || now.Latest(before.Generation) != now.Generation {
			t.Errorf("%s: from %+v to %+v, want claim %v, rival %v, loss %v, changed %v", step.what, before, now, step.claim, step.rival, step.lost, step.changed)
		}
		if (other.Generation != otherNow.Generation) != step.otherChange {
			t.Errorf("%s: the other address: from %+v to %+v, want a change: %v", step.what, other, otherNow, step.otherChange)
		}
	}
	if first, second := s.set.Addresses[a], s.set.Addresses[b]; first.LastClaim != second.LastClaim || !first.Changed.Equal(second.Changed) {
		t.Errorf("claimed together: got %+v and %+v, want the same number and the same time", first, second)
	}
}
