package config

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestChangesNameWhatDiffers(t *testing.T) {
	for name, test := range map[string]struct {
		change func(c *Config)
		want   []Change
	}{
		"nothing":                           {func(*Config) {}, nil},
		"path":                              {func(c *Config) { c.Path = "/elsewhere" }, nil},
		"order":                             {func(c *Config) { slices.Reverse(c.ManagedAddresses) }, nil},
		"an empty map instead of a nil one": {func(c *Config) { c.Cloudscale.HostnameToServerUUID = map[string]string{} }, nil},
		"an address": {
			func(c *Config) { c.ManagedAddresses = addrs("198.51.100.8", "2001:db8::1") },
			[]Change{{"managed-addresses", "managed-addresses +2001:db8::1 -198.51.100.7", InPlace}},
		},
		"all addresses": {
			func(c *Config) { c.ManagedAddresses = nil },
			[]Change{{"managed-addresses", "managed-addresses -198.51.100.7 -198.51.100.8", InPlace}},
		},
		"instances": {
			func(c *Config) {
				c.Instances = map[string]Instance{
					"VI_1": {Addresses: addrs("198.51.100.10")}, "VI 3": {Addresses: addrs("198.51.100.11")}, "VI_4": {},
				}
			},
			[]Change{
				{"instances", `instances."VI 3" added: 198.51.100.11`, InPlace},
				{"instances", "instances.VI_1 +198.51.100.10 -198.51.100.9", InPlace},
				{"instances", "instances.VI_2 removed", InPlace},
				{"instances", "instances.VI_4 added: none", InPlace},
			},
		},
		"interval and multiplier": {
			func(c *Config) { c.RefreshInterval, c.BackOff.Multiplier = 30*time.Second, 2 },
			[]Change{{"refresh-interval", "refresh-interval 1m0s → 30s", NewEngine}, {"back-off.multiplier", "back-off.multiplier 1.1 → 2", NewEngine}},
		},
		"token": {
			func(c *Config) { c.Cloudscale.Token = NewSecret("new") },
			[]Change{{"cloudscale.token", "cloudscale.token changed", InPlace}},
		},
		"token file": {
			func(c *Config) { c.Cloudscale.TokenFile = "/etc/token" },
			[]Change{{"cloudscale.token-file", "cloudscale.token-file (none) → /etc/token", InPlace}},
		},
		"hosts": {
			func(c *Config) { c.Cloudscale.HostnameToServerUUID = map[string]string{"lb1": "x"} },
			[]Change{{"cloudscale.hostname-to-server-uuid", "cloudscale.hostname-to-server-uuid changed", NewEngine}},
		},
		"keys that need a restart": {
			func(c *Config) { c.StateDir, c.ListenAddress = "/var/lib/floaty", ":9753" },
			[]Change{{"state-dir", "state-dir /run/floaty → /var/lib/floaty", Restart}, {"listen-address", "listen-address (none) → :9753", Restart}},
		},
	} {
		next := example()
		test.change(next)
		if got := Changes(example(), next); !slices.Equal(got, test.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got, test.want)
		}
	}
}

// If a field of Config were missing from Changes, a reload that changes it would do nothing.
func TestChangesCoverEveryField(t *testing.T) {
	var fields int
	set(t, reflect.ValueOf(example()).Elem(), "", func(field string, c *Config) {
		fields++
		if got := Changes(example(), c); len(got) != 1 && field != ".Path" {
			t.Errorf("%s: got %q, want one change", field, got)
		}
	}, nil)
	if fields < 25 {
		t.Errorf("got %d fields, want all of them", fields)
	}
}

// set changes one field of v after the other, each in a fresh example, and calls each with the field's path and that example.
func set(t *testing.T, v reflect.Value, path string, each func(string, *Config), index []int) {
	t.Helper()
	for i := range v.NumField() {
		at, name := append(slices.Clone(index), i), path+"."+v.Type().Field(i).Name
		if kind := v.Field(i).Type(); kind.Kind() == reflect.Struct && kind != reflect.TypeFor[Secret]() {
			set(t, v.Field(i), name, each, at)
			continue
		}
		c := example()
		field := reflect.ValueOf(c).Elem().FieldByIndex(at)
		switch field.Interface().(type) {
		case string:
			field.SetString("another")
		case bool:
			field.SetBool(!field.Bool())
		case int, time.Duration:
			field.SetInt(field.Int() + 1)
		case float64:
			field.SetFloat(field.Float() + 1)
		case Secret:
			field.Set(reflect.ValueOf(NewSecret("another")))
		case []netip.Addr:
			field.Set(reflect.ValueOf(addrs("192.0.2.1", "198.51.100.7", "198.51.100.8")))
		case map[string]string:
			field.Set(reflect.ValueOf(map[string]string{"another": "x"}))
		case map[string]Instance:
			field.Set(reflect.ValueOf(map[string]Instance{"VI_1": {Addresses: addrs("198.51.100.9")}}))
		default:
			t.Errorf("%s: got a %v, which this test cannot change", name, field.Type())
		}
		each(name, c)
	}
}

func TestALongListOfNewAddressesIsShortened(t *testing.T) {
	next := example()
	for last := range 12 {
		next.ManagedAddresses = append(next.ManagedAddresses, netip.AddrFrom4([4]byte{192, 0, 2, byte(last)}))
	}
	want := []Change{{"managed-addresses", "managed-addresses +192.0.2.0 +192.0.2.1 +192.0.2.2 +192.0.2.3 +192.0.2.4 " +
		"+192.0.2.5 +192.0.2.6 +192.0.2.7 +192.0.2.8 +192.0.2.9 +(2 more)", InPlace}}
	if got := Changes(example(), next); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// defaults returns the configuration that an empty file stands for. Only the provider is missing in it.
func defaults() *Config {
	c, _ := decodeConfig("/", nil)
	return c
}

func example() *Config {
	c := defaults()
	c.Path = "/etc/floaty.yml"
	c.Provider = "cloudscale"
	c.Cloudscale.Token = NewSecret("old")
	c.ManagedAddresses = addrs("198.51.100.7", "198.51.100.8")
	c.Instances = map[string]Instance{"VI_1": {Addresses: addrs("198.51.100.9")}, "VI_2": {}}
	return c
}
