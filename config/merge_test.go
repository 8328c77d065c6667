package config

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
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
		"in flow style": {
			"instances: {VI_1: &one {addresses: [192.0.2.1]}, VI_2: {<<: *one}}\n",
			map[string][]netip.Addr{"VI_1": addrs("192.0.2.1"), "VI_2": addrs("192.0.2.1")},
		},
		"the mapping's own key wins, before or after the merge key": {
			"instances:\n  VI_1: &one {addresses: [192.0.2.1]}\n  VI_2:\n    <<: *one\n    addresses: [192.0.2.2]\n  VI_3:\n    addresses: [192.0.2.3]\n    << : *one\n",
			map[string][]netip.Addr{"VI_1": addrs("192.0.2.1"), "VI_2": addrs("192.0.2.2"), "VI_3": addrs("192.0.2.3")},
		},
		"the first of several merged mappings wins": {
			"instances:\n  VI_1: &one {addresses: [192.0.2.1]}\n  VI_2: &two {addresses: [192.0.2.2]}\n  VI_3:\n    <<: [*one, *two]\n",
			map[string][]netip.Addr{"VI_1": addrs("192.0.2.1"), "VI_2": addrs("192.0.2.2"), "VI_3": addrs("192.0.2.1")},
		},
		"a merged mapping merges another one": {
			"instances:\n  VI_1: &one {addresses: [192.0.2.1]}\n  VI_2: &two\n    <<: *one\n  VI_3:\n    <<: *two\n",
			map[string][]netip.Addr{"VI_1": addrs("192.0.2.1"), "VI_2": addrs("192.0.2.1"), "VI_3": addrs("192.0.2.1")},
		},
		"merged instances": {
			"instances:\n  <<: {VI_1: {addresses: [192.0.2.1]}}\n  VI_2: {addresses: []}\n",
			map[string][]netip.Addr{"VI_1": addrs("192.0.2.1"), "VI_2": {}},
		},
		"a quoted name is not a merge key": {
			"instances: {'<<': {addresses: [192.0.2.1]}, 'a<<: b': {addresses: []}}\n",
			map[string][]netip.Addr{"<<": addrs("192.0.2.1"), "a<<: b": {}},
		},
		"a comment is not a merge key": {
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
		t.Errorf("got token %q and interval %v, want the merged token, and the file's own 7s", got.Cloudscale.Token.Reveal(), got.RefreshInterval)
	}
}

// If the file itself has a key, the merged value of that key is ignored as a whole, even if both values are mappings.
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
		want string // how the problem begins
	}{
		"a list of words":          {"<<: [a]\n", errMergeValue.Error()},
		"a word":                   {"<<: a\n", errMergeValue.Error()},
		"an unknown anchor":        {"<<: *nobody\n", "not YAML: invalid alias (*)"},
		"<<: within a quoted text": {"provider: cloudscale\nstate-dir: \"/a, <<: /b\"\n", errMergePlace.Error()},
		"an unknown merged key":    {"provider: cloudscale\ncloudscale: {token: abc}\n<<: {nonsense: 1}\n", "unknown key"},
	} {
		_, err := parse("/f", []byte(c.file))
		var problems Problems
		if !errors.As(err, &problems) {
			t.Errorf("%s: got %v, want a problem", name, err)
			continue
		}
		if !strings.HasPrefix(problems[0].Text, c.want) {
			t.Errorf("%s: got %v, want %s …", name, problems, c.want)
		}
	}
}
