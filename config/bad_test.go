package config

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unusable maps the NAME of each testdata/NAME.bad.yml to the problems that Load reports for it, without the path of the file
// itself. DIR stands for the directory testdata. Every secret in these files contains "hush".
var unusable = map[string][]string{
	"addresses": {
		`managed-addresses: item 1: "198.51.100" is not an address: want something like 192.0.2.7, 192.0.2.7/24 or 2001:db8::7`,
		`managed-addresses: item 2: "198.51.100.7/33" is not an address: want something like 192.0.2.7, 192.0.2.7/24 or 2001:db8::7`,
		`managed-addresses: item 3: "198.51.100.07" is not an address: want something like 192.0.2.7, 192.0.2.7/24 or 2001:db8::7`,
		`managed-addresses: item 4: "fe80::1%eth0" has a zone, so it is valid on one link only: want one that the cloud can route to a server`,
		`managed-addresses: item 5: "fe80::1/64" is a link-local address: want one that the cloud can route to a server`,
		`managed-addresses: item 6: "169.254.1.1" is a link-local address: want one that the cloud can route to a server`,
		`managed-addresses: item 7: "127.0.0.1" is a loopback address: want one that the cloud can route to a server`,
		`managed-addresses: item 8: "::ffff:127.0.0.1" is a loopback address: want one that the cloud can route to a server`,
		`managed-addresses: item 9: "224.0.0.18" is a multicast address: want one that the cloud can route to a server`,
		`managed-addresses: item 10: "ff02::12" is a multicast address: want one that the cloud can route to a server`,
		`managed-addresses: item 11: "0.0.0.0" is the unspecified address: want one that the cloud can route to a server`,
		`managed-addresses: item 12: "::" is the unspecified address: want one that the cloud can route to a server`,
		`managed-addresses: item 13: "255.255.255.255" is the broadcast address: want one that the cloud can route to a server`,
		`managed-addresses: item 14: YAML reads it as keys and values: put an address that ends in a colon in quotes`,
		`managed-addresses: item 15: "vip.example.com" is not an address: want something like 192.0.2.7, 192.0.2.7/24 or 2001:db8::7`,
		`managed-addresses: item 16: YAML reads it as a number: put it in quotes`,
		`managed-addresses: item 17: a list: want a single value`,
		`instances.VI_1.addresses: item 1: "198.51.100.7 dev eth0" is not an address: want something like 192.0.2.7, 192.0.2.7/24 or 2001:db8::7`,
	},
	"alias": {
		`not YAML: invalid alias (*), anchor (&) or tag (!); a value that starts with one of these must be in quotes`,
	},
	"back-off": {
		`back-off.multiplier: +Inf is out of range: must be 1 or more`,
		`back-off.max-interval: 10s must be at least initial-interval 30s`,
		`max-concurrent-requests: 0 is out of range: must be between 1 and 10000`,
	},
	"bomb": {
		`not YAML: document contains excessive aliasing`,
	},
	"comment": {
		`empty: no configuration in it`,
	},
	"control": {
		`not YAML: control characters are not allowed`,
	},
	"documents-broken": {
		`more than one YAML document (separated by ---): keep only one`,
	},
	"documents": {
		`more than one YAML document (separated by ---): keep only one`,
	},
	"durations-more": {
		`lock-timeout: 0s is out of range: must be between 1ms and 8760h`,
		`refresh-interval: 1ns is out of range: must be between 1ms and 8760h`,
		`refresh-timeout: 99999h0m0s is out of range: must be between 1ms and 8760h`,
		`back-off.initial-interval: 1.5 has no unit: want a duration such as 500ms, 10s or 1m30s`,
		`back-off.multiplier: "1.5" is not a number: want 1 or more, without quotes`,
		`back-off.max-interval: "" is not a duration: want something like 500ms, 10s or 1m30s`,
		`back-off.max-elapsed-time: "10000000000h" is not a duration: want something like 500ms, 10s or 1m30s`,
		`max-concurrent-requests: 100.5 is out of range: must be a whole number between 1 and 10000`,
	},
	"durations": {
		`lock-timeout: 10 has no unit: want a duration such as 500ms, 10s or 1m30s`,
		`refresh-interval: 60 has no unit: want a duration such as 500ms, 10s or 1m30s`,
		`refresh-timeout: -1s is out of range: must be between 1ms and 8760h`,
		`back-off.initial-interval: 0s is out of range: must be between 1ms and 8760h`,
		`back-off.multiplier: NaN is out of range: must be 1 or more`,
		`back-off.max-interval: "1 second" is not a duration: want something like 500ms, 10s or 1m30s`,
		`back-off.max-elapsed-time: -5m0s is out of range: must be 0, or between 1ms and 8760h`,
	},
	"empty": {
		`empty: no configuration in it`,
	},
	"endpoint-escape": {
		`cloudscale.endpoint: "https://api.example.com%zz" is not the URL of an API: want http or https, a host, and at most a port and a path, such as https://api.example.com`,
	},
	"endpoint-fragment": {
		`cloudscale.endpoint: must not contain a query (?) or a fragment (#): want something like https://api.example.com`,
	},
	"endpoint-ftp": {
		`cloudscale.endpoint: "ftp://api.example.com" is not the URL of an API: want http or https, a host, and at most a port and a path, such as https://api.example.com`,
	},
	"endpoint-host": {
		`cloudscale.endpoint: "api.cloudscale.ch" is not the URL of an API: want http or https, a host, and at most a port and a path, such as https://api.example.com`,
	},
	"endpoint-nohost": {
		`cloudscale.endpoint: "https://" is not the URL of an API: want http or https, a host, and at most a port and a path, such as https://api.example.com`,
	},
	"endpoint-port": {
		`cloudscale.endpoint: "https://api.example.com:99999" is not the URL of an API: want http or https, a host, and at most a port and a path, such as https://api.example.com`,
	},
	"endpoint-query": {
		`cloudscale.endpoint: must not contain a query (?) or a fragment (#): want something like https://api.example.com`,
	},
	"endpoint-userinfo": {
		`cloudscale.endpoint: must not contain @, because credentials do not belong in a URL: want something like https://api.example.com`,
	},
	"half-valid": {
		`cloudscale: no value: give one or remove the key`,
		`cloudscale.token: missing: give it or token-file`,
	},
	"half": {
		`not YAML: line 4: found unexpected end of stream`,
	},
	"keys": {
		`a key is read by YAML as a number: put it in quotes`,
		`instances: a key is read by YAML as true or false (as are yes, no, on, off): put it in quotes`,
		`cloudscale.hostname-to-server-uuid: a key is read by YAML as a number: put it in quotes`,
		`cloudscale.hostname-to-server-uuid: a key is read by YAML as a list: put it in quotes`,
	},
	"latin1": {
		`not UTF-8 text`,
	},
	"list-of-pairs": {
		`want keys and values such as refresh-interval: 1m`,
	},
	"list": {
		`want keys and values such as refresh-interval: 1m`,
	},
	"no-blank": {
		`cloudscale."token…": unknown key: the keys here are endpoint, token, token-file, server-uuid, hostname-to-server-uuid`,
		`cloudscale."token…": unknown key: the keys here are endpoint, token, token-file, server-uuid, hostname-to-server-uuid`,
		`cloudscale."token…": unknown key: the keys here are endpoint, token, token-file, server-uuid, hostname-to-server-uuid`,
	},
	"no-value": {
		`lock-timeout: no value: give one or remove the key`,
		`managed-addresses: no value: give one or remove the key`,
		`instances.VI_1: nothing: want addresses: with a list, indented below it`,
		`instances.VI_2: no addresses: list them, or give [] for none`,
		`instances.VI_3.addresses: no value: give one or remove the key`,
		`instances.VI_4.addresses: item 1: no value: give one or remove it`,
		`back-off: no value: give one or remove the key`,
		`provider: no value: give one or remove the key`,
		`cloudscale.token: no value: give one or remove the key`,
		`cloudscale.hostname-to-server-uuid.lb1: no value: give one or remove it`,
		`state-dir: no value: give one or remove the key`,
	},
	"not-yaml": {
		`not YAML: line 3: mapping values are not allowed in this context`,
	},
	"null": {
		`empty: no configuration in it`,
	},
	"open-quote": {
		`provider: "cloudscale token…" is unknown: want cloudscale or exoscale`,
	},
	"provider-exoscale": {
		`exoscale.zone: "a b" is not a zone: want something like ch-gva-2`,
		`exoscale.key: given together with key-file: keep only one`,
	},
	"exoscale-missing": {
		`exoscale.key: missing: give it or key-file`,
		`exoscale.secret-file: DIR/no-such-file: reading: no such file or directory`,
	},
	"provider-missing": {
		`provider: missing: want cloudscale or exoscale`,
	},
	"provider-unknown": {
		`provider: "openstack" is unknown: want cloudscale or exoscale`,
	},
	"self": {
		`not YAML: invalid alias (*), anchor (&) or tag (!); a value that starts with one of these must be in quotes`,
	},
	"tab": {
		`not YAML: line 3: found character that cannot start any token`,
	},
	"tag": {
		`not YAML: invalid alias (*), anchor (&) or tag (!); a value that starts with one of these must be in quotes`,
	},
	"template-flag": {
		`lock-file-template: "/run/%5s%%.lock" must contain exactly one %s, which stands for the instance name, and no other %`,
		`listen-address: "1.2.3.4:" is not an address to listen on: want HOST:PORT or :PORT, such as "127.0.0.1:9753"`,
	},
	"template-two": {
		`lock-file-template: "/run/%s-%s.lock" must contain exactly one %s, which stands for the instance name, and no other %`,
		`listen-address: ":0" is not an address to listen on: want HOST:PORT or :PORT, such as "127.0.0.1:9753"`,
	},
	"template-verb": {
		`lock-file-template: "/run/%d-%s.lock" must contain exactly one %s, which stands for the instance name, and no other %`,
		`listen-address: "1.2.3.4:http" is not an address to listen on: want HOST:PORT or :PORT, such as "127.0.0.1:9753"`,
	},
	"templates": {
		`lock-file-template: "/run/lock/floaty.lock" must contain exactly one %s, which stands for the instance name, and no other %`,
		`back-off.multiplier: 0.9 is out of range: must be 1 or more`,
		`state-dir: empty: give a value or remove the key`,
		`keepalived-pid-file: "/run/…" is not a path: it contains a line break or another control character`,
		`listen-address: "localhost" is not an address to listen on: want HOST:PORT or :PORT, such as "127.0.0.1:9753"`,
	},
	"token-both": {
		`cloudscale.token: given together with token-file: keep only one`,
	},
	"token-file-blank": {
		`cloudscale.token-file: DIR/token.blank: empty: give the credential`,
	},
	"token-file-directory": {
		`cloudscale.token-file: DIR: reading: not a regular file`,
	},
	"token-file-empty": {
		`cloudscale.token-file: DIR/token.empty: empty: it must contain the credential`,
	},
	"token-file-missing": {
		`cloudscale.token-file: DIR/missing: reading: no such file or directory`,
	},
	"token-file-two": {
		`cloudscale.token-file: DIR/token.two: not a credential: it contains a line break, a space or a character outside ASCII`,
	},
	"token-forms": {
		`cloudscale.token: not a credential: it contains a line break, a space or a character outside ASCII`,
		`exoscale.key: not a credential: it contains a line break, a space or a character outside ASCII`,
		`exoscale.secret: empty: give the credential`,
	},
	"token-missing": {
		`cloudscale.token: missing: give it or token-file`,
	},
	"token-types": {
		`cloudscale.token: YAML reads it as a number: put it in quotes`,
		`cloudscale.token-file: YAML reads it as a number: put it in quotes`,
		`cloudscale.token: given together with token-file: keep only one`,
		`exoscale.key: YAML reads it as true or false (as are yes, no, on, off): put it in quotes`,
		`exoscale.secret: a list: want a single value`,
	},
	"twice": {
		`provider: given twice: keep only one`,
		`instances.VI_1: given twice: keep only one`,
		`cloudscale.token: given twice: keep only one`,
	},
	"types": {
		`lock-file-template: a list: want a single value`,
		`lock-timeout: a list of keys and values: want a duration such as 500ms, 10s or 1m30s`,
		`keepalived-config: YAML reads it as a number: put it in quotes`,
		`managed-addresses: text: want a list, with each item on its own line after a -`,
		`instances: a list: want keys and values, indented below it`,
		`refresh-interval: true or false (as are yes, no, on, off): want a duration such as 500ms, 10s or 1m30s`,
		`back-off: text: want keys and values, indented below it`,
		`provider: a list of keys and values: want a single value`,
		`cloudscale: text: want keys and values, indented below it`,
		`exoscale.key: a list of keys and values: want a single value`,
		`exoscale.secret: YAML reads it as a number: put it in quotes`,
		`exoscale.detach-managed: text: want true or false, without quotes`,
		`listen-address: 9753 has no host: want HOST:PORT or :PORT, such as "127.0.0.1:9753"`,
		`max-concurrent-requests: "100" is not a number: want 1 to 10000, without quotes`,
	},
	"unknown": {
		`instances.VI_1.address: unknown key: the keys here are addresses`,
		`back-off.initial: unknown key: the keys here are initial-interval, multiplier, max-interval, max-elapsed-time`,
		`cloudscale.tokn: unknown key: the keys here are endpoint, token, token-file, server-uuid, hostname-to-server-uuid`,
		`exoscale.api-key: unknown key: the keys here are endpoint, zone, key, secret, key-file, secret-file, instance-id, detach-managed`,
		`managed-adresses: unknown key: the keys here are lock-file-template, lock-timeout, keepalived-config, managed-addresses, instances, refresh-interval, refresh-timeout, back-off, provider, cloudscale, exoscale, state-dir, keepalived-pid-file, keepalived-config-id, listen-address, max-concurrent-requests`,
	},
	"uuids": {
		`cloudscale.server-uuid: "47cec963fcd2482fbdb624461b2d47b1" is not a UUID: want something like 47cec963-fcd2-482f-bdb6-24461b2d47b1`,
		`cloudscale.hostname-to-server-uuid.lb1: "47cec963-fcd2-482f-bdb6-24461b2d47bx" is not a UUID: want something like 47cec963-fcd2-482f-bdb6-24461b2d47b1`,
		`cloudscale.hostname-to-server-uuid."lb2.example.com": empty: give a value or remove the key`,
		`cloudscale.hostname-to-server-uuid.lb3: YAML reads it as a number: put it in quotes`,
		`exoscale.instance-id: "my-server" is not a UUID: want something like 47cec963-fcd2-482f-bdb6-24461b2d47b1`,
	},
	"word": {
		`want keys and values such as refresh-interval: 1m`,
	},
}

func TestUnusableFilesAreReportedWithTheReason(t *testing.T) {
	dir := absolute(t, "testdata")
	for name, want := range unusable {
		path := filepath.Join(dir, name+".bad.yml")
		_, err := Load(path)
		if err == nil {
			t.Errorf("%s: got no error, want one", name)
			continue
		}
		got := strings.Split(strings.ReplaceAll(err.Error(), path+": ", ""), "\n")
		for i := range got {
			got[i] = strings.ReplaceAll(got[i], dir, "DIR")
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %s\nwant %s", name, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
	}
}

func TestProblemsNeverContainASecret(t *testing.T) {
	for name := range unusable {
		_, err := Load(filepath.Join("testdata", name+".bad.yml"))
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: got %q, want no secret in it", name, err)
		}
	}
}

func TestEveryUnusableFileHasAnExpectation(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.bad.yml")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, path := range paths {
		got = append(got, strings.TrimSuffix(filepath.Base(path), ".bad.yml"))
	}
	slices.Sort(got)
	if want := slices.Sorted(maps.Keys(unusable)); !slices.Equal(got, want) {
		t.Errorf("got files %q, want %q", got, want)
	}
}
