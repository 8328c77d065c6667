package desired

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"floaty/desired/keepalived"
	"floaty/desired/keepalived/conf"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, addr(s))
	}
	return out
}

// instance returns an instance of keepalived.conf with these virtual addresses.
func instance(name string, prefixes ...string) conf.Instance {
	inst := conf.Instance{Name: name}
	for _, p := range prefixes {
		inst.Addresses = append(inst.Addresses, netip.MustParsePrefix(p))
	}
	return inst
}

// is returns instance states from pairs "NAME STATE". A question mark after the state suspends the instance.
func is(pairs ...string) map[string]keepalived.Status {
	states := map[string]keepalived.Status{}
	for _, pair := range pairs {
		name, word, _ := strings.Cut(pair, " ")
		var inst keepalived.Status
		for _, s := range []keepalived.State{keepalived.Backup, keepalived.Master, keepalived.Fault, keepalived.Stop, keepalived.Deleted} {
			if s.String() == strings.TrimSuffix(word, "?") {
				inst.State = s
			}
		}
		inst.Suspended = strings.HasSuffix(word, "?")
		states[name] = inst
	}
	return states
}

// summary formats a set as a list of "ADDR:INSTANCES[!]". The ! marks an address that is ours.
func summary(s Set) string {
	var out []string
	for _, a := range slices.SortedFunc(maps.Keys(s.Addresses), netip.Addr.Compare) {
		w := s.Addresses[a]
		mark := ""
		if w.Ours {
			mark = "!"
		}
		out = append(out, fmt.Sprintf("%v:%s%s", a, strings.Join(w.Instances, "+"), mark))
	}
	return strings.Join(out, " ")
}

func TestCompute(t *testing.T) {
	kc := &conf.Config{
		Instances: []conf.Instance{instance("A", "192.0.2.1/24", "192.0.2.2/32"), instance("B", "192.0.2.3/32"), instance("C")},
		Groups:    []conf.Group{{Name: "G", Members: []string{"A", "B"}}},
	}
	excluded := &conf.Config{Instances: []conf.Instance{{
		Name:      "A",
		Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("169.254.1.1/32")},
		Excluded:  []netip.Prefix{netip.MustParsePrefix("2001:db8::1/64"), netip.MustParsePrefix("fe80::1/64"), netip.MustParsePrefix("192.0.2.1/32")},
	}}}
	for _, c := range []struct {
		name     string
		in       Input
		want     string
		warnings []string
	}{
		{
			"no states known",
			Input{Settings: Settings{Keepalived: kc}, Server: "s"},
			"192.0.2.1:A 192.0.2.2:A 192.0.2.3:B",
			[]string{warnNoAddress + " C"},
		},
		{
			"MASTER makes an address ours",
			Input{Settings: Settings{Keepalived: kc}, Server: "s", States: is("A MASTER", "B BACKUP", "C FAULT")},
			"192.0.2.1:A! 192.0.2.2:A! 192.0.2.3:B",
			[]string{warnNoAddress + " C"},
		},
		{
			"FAULT, STOP and DELETED do not",
			Input{Settings: Settings{Keepalived: kc}, Server: "s", States: is("A FAULT", "B STOP", "C DELETED")},
			"192.0.2.1:A 192.0.2.2:A 192.0.2.3:B",
			[]string{warnNoAddress + " C"},
		},
		{
			"a suspended MASTER does not",
			Input{Settings: Settings{Keepalived: kc}, Server: "s", States: is("A MASTER?", "B MASTER")},
			"192.0.2.1:A 192.0.2.2:A 192.0.2.3:B!",
			[]string{warnNoAddress + " C"},
		},
		{
			"nothing is ours while the server is unknown",
			Input{Settings: Settings{Keepalived: kc}, States: is("A MASTER")},
			"192.0.2.1:A 192.0.2.2:A 192.0.2.3:B",
			[]string{warnNoAddress + " C"},
		},
		{
			"the addresses under instances come first, then the managed ones",
			Input{Settings: Settings{Keepalived: kc, Instances: map[string][]netip.Addr{"A": addrs("198.51.100.9")}, Managed: addrs("198.51.100.1")}, Server: "s", States: is("B MASTER")},
			"198.51.100.1:B+C! 198.51.100.9:A",
			[]string{warnTwice + " B, C 198.51.100.1"},
		},
		{
			"no warning within one sync group",
			Input{Settings: Settings{Keepalived: kc, Instances: map[string][]netip.Addr{"A": addrs("198.51.100.9"), "B": addrs("198.51.100.9"), "C": addrs("192.0.2.9")}}, Server: "s", States: is("B MASTER")},
			"192.0.2.9:C 198.51.100.9:A+B!", nil,
		},
		{
			"excluded addresses are managed, link-local ones are not, and each counts once",
			Input{Settings: Settings{Keepalived: excluded}, Server: "s"},
			"192.0.2.1:A 2001:db8::1:A", nil,
		},
		{
			"an instance that is missing in keepalived.conf is ignored",
			Input{Settings: Settings{Keepalived: excluded, Managed: addrs("198.51.100.1")}, Server: "s", States: is("X MASTER")},
			"198.51.100.1:A",
			[]string{warnUnnamed + " X"},
		},
		{
			"even if the configuration names it",
			Input{Settings: Settings{Keepalived: excluded, Instances: map[string][]netip.Addr{"X": addrs("198.51.100.1")}}, Server: "s", States: is("X MASTER")},
			"192.0.2.1:A 2001:db8::1:A",
			[]string{warnUnnamed + " X", warnMistaken + " X"},
		},
		{
			"without keepalived.conf, managed addresses are known before any state",
			Input{Settings: Settings{Managed: addrs("198.51.100.1")}, Server: "s"},
			"198.51.100.1:", nil,
		},
		{
			"without keepalived.conf, managed addresses belong to every instance with a state",
			Input{Settings: Settings{Managed: addrs("198.51.100.1")}, Server: "s", States: is("X MASTER")},
			"198.51.100.1:X!", nil,
		},
		{
			"without keepalived.conf and managed addresses, only instances in the configuration count",
			Input{Settings: Settings{Instances: map[string][]netip.Addr{"A": addrs("198.51.100.1")}}, Server: "s", States: is("A MASTER", "X MASTER")},
			"198.51.100.1:A!",
			[]string{warnUnlisted + " X"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := Compute(c.in)
			if got := summary(set); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			var warnings []string
			for _, w := range set.Warnings {
				warnings = append(warnings, strings.TrimSpace(strings.Join([]string{w.Message, w.Instance, w.Address}, " ")))
			}
			if !slices.Equal(warnings, c.warnings) {
				t.Errorf("warnings: got %q, want %q", warnings, c.warnings)
			}
		})
	}
}
