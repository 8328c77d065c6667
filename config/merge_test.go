package config

import (
	"errors"
	"net/netip"
	"reflect"
	"testing"
)

func TestMergeKeysAreApplied(t *testing.T) {
	const rest = "provider: cloudscale\ncloudscale: {token: abc}\n"
	for name, c := range map[string]struct {
		file string
		want map[string][]netip.Addr // by instance
	}{
		"an anchor": {
			"instances:\n  VI_1: &one\n    addresses: [192.0.2.1]\n  VI_2:\n    <<: *one\n",
			map[string][]netip.Addr{"VI_1": addrs("192.0.2.1"), "VI_2": addrs("192.0.2.1")},
		},
		"in braces": {
			"instances: {VI_1: &one {addresses: [192.0.2.1]}, VI_2: {<<: *one}}\n",
			map[string][]netip.Addr{"VI_1": addrs("192.0.2.1"), "VI_2": addrs("192.0.2.1")},
		},
		"the mapping's own key wins, before and after": {
			"instances:\n  VI_1: &one {addresses: [192.0.2.1]}\n  VI_2:\n    <<: *one\n    addresses: [192.0.2.2]\n  VI_3:\n    addresses: [192.0.2.3]\n    << : *one\n",
			map[string][]netip.Addr{"VI_1": addrs("192.0.2.1"), "VI_2": addrs("192.0.2.2"), "VI_3": addrs("192.0.2.3")},
		},
		"of several the first wins": {
			"instances:\n  VI_1: &one {addresses: [192.0.2.1]}\n  VI_2: &two {addresses: [192.0.2.2]}\n  VI_3:\n    <<: [*one, *two]\n",
			map[string][]netip.Addr{"VI_1": addrs("192.0.2.1"), "VI_2": addrs("192.0.2.2"), "VI_3": addrs("192.0.2.1")},
		},
		"a merge within what is merged": {
			"instances:\n  VI_1: &one {addresses: [192.0.2.1]}\n  VI_2: &two\n    <<: *one\n  VI_3:\n    <<: *two\n",
			map[string][]netip.Addr{"VI_1": addrs("192.0.2.1"), "VI_2": addrs("192.0.2.1"), "VI_3": addrs("192.0.2.1")},
		},
		"instances that are merged": {
			"instances:\n  <<: {VI_1: {addresses: [192.0.2.1]}}\n  VI_2: {addresses: []}\n",
			map[string][]netip.Addr{"VI_1": addrs("192.0.2.1"), "VI_2": {}},
		},
		"a name that looks like a merge key is none": {
			"instances: {'<<': {addresses: [192.0.2.1]}, 'a<<: b': {addresses: []}}\n",
			map[string][]netip.Addr{"<<": addrs("192.0.2.1"), "a<<: b": {}},
		},
		"nor is a comment": {
			"# <<: *nothing\ninstances: {VI_1: {addresses: [192.0.2.1]}} # {<<: *nothing}\n",
			map[string][]netip.Addr{"VI_1": addrs("192.0.2.1")},
		},
	} {
		got, err := parse("/f", []byte(rest+c.file))
		if err != nil {
			t.Errorf("%s: got error %v, want none", name, err)
			continue
		}
		instances := map[string][]netip.Addr{}
		for instance, i := range got.Instances {
			instances[instance] = i.Addresses
		}
		if !reflect.DeepEqual(instances, c.want) {
			t.Errorf("%s: got %v, want %v", name, instances, c.want)
		}
	}
}

func TestAWholeSectionMayBeMerged(t *testing.T) {
	got, err := parse("/f", []byte("\ufeff<<: {provider: cloudscale, cloudscale: {token: abc}, refresh-interval: 5s}\nrefresh-interval: 7s\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Cloudscale.Token != NewSecret("abc") || got.RefreshInterval.String() != "7s" {
		t.Errorf("got token %q and interval %v, want what is merged, and 7s", got.Cloudscale.Token.Reveal(), got.RefreshInterval)
	}
}

// A merged mapping replaces no part of one that the file has itself: merging is shallow.
func TestMergingIsShallow(t *testing.T) {
	got, err := parse("/f", []byte("provider: cloudscale\ncloudscale: {token: abc}\nback-off: {multiplier: 3}\n<<: {back-off: {max-interval: 1m}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (BackOff{defaults().BackOff.InitialInterval, 3, defaults().BackOff.MaxInterval, 0}); got.BackOff != want {
		t.Errorf("got %+v, want %+v", got.BackOff, want)
	}
}

func TestInvalidMergeKeysAreReported(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want error
	}{
		"a list of words":            {"<<: [a]\n", nil},
		"a word":                     {"<<: a\n", nil},
		"an unknown anchor":          {"<<: *nobody\n", nil},
		"the same within a text":     {"provider: cloudscale\nstate-dir: \"/a, <<: /b\"\n", errMergePlace},
		"an unknown key is told off": {"provider: cloudscale\ncloudscale: {token: abc}\n<<: {nonsense: 1}\n", nil},
	} {
		_, err := parse("/f", []byte(c.file))
		var problems Problems
		if !errors.As(err, &problems) {
			t.Errorf("%s: got %v, want a problem", name, err)
			continue
		}
		if c.want != nil && problems[0].Text != c.want.Error() {
			t.Errorf("%s: got %v, want %v", name, problems, c.want)
		}
	}
}
