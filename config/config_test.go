package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestEveryKeyIsRead(t *testing.T) {
	got, err := Load("testdata/full.good.yml")
	if err != nil {
		t.Fatalf("got error %v, want none", err)
	}
	dir := absolute(t, "testdata")
	want := &Config{
		Path:             filepath.Join(dir, "full.good.yml"),
		Lock:             Lock{FileTemplate: "/run/lock/floaty-%s.lock", Timeout: 5 * time.Second},
		KeepalivedConfig: filepath.Join(dir, "keepalived/keepalived.conf"),
		ManagedAddresses: addrs("198.51.100.7", "2001:db8::7", "198.51.100.8"),
		Instances: map[string]Instance{
			"VI_1": {Addresses: addrs("198.51.100.9", "2001:db8::7")},
			"VI 2": {Addresses: []netip.Addr{}},
		},
		RefreshInterval: 90 * time.Second,
		RefreshTimeout:  1500 * time.Millisecond,
		BackOff:         BackOff{InitialInterval: 500 * time.Millisecond, Multiplier: 2, MaxInterval: 90 * time.Second},
		Provider:        "cloudscale",
		Clouds: Clouds{
			Cloudscale: Cloudscale{
				Endpoint:   "http://127.0.0.1:8080/base",
				Token:      NewSecret("full-example-token"),
				TokenFile:  filepath.Join(dir, "token"),
				ServerUUID: "47cec963-fcd2-482f-bdb6-24461b2d47b1",
				HostnameToServerUUID: map[string]string{
					"lb1":             "47cec963-fcd2-482f-bdb6-24461b2d47b1",
					"lb2.example.com": "11111111-2222-3333-4444-555555555555",
				},
			},
			Exoscale: Exoscale{ //nolint:gosec // an example
				Endpoint:      "https://api-ch-gva-2.exoscale.com/v2",
				Zone:          "ch-gva-2",
				Key:           NewSecret("EXO0123456789"),
				SecretFile:    "/etc/floaty/secret",
				InstanceID:    "22222222-2222-3333-4444-555555555555",
				DetachManaged: true,
			},
		},
		StateDir:              "/var/lib/floaty",
		KeepalivedPIDFile:     "/run/keepalived/vrrp.pid",
		KeepalivedConfigID:    "east",
		ListenAddress:         "[::1]:9753",
		MaxConcurrentRequests: 10000,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got, want := got.Files(), []string{want.Path, want.Cloudscale.TokenFile}; !reflect.DeepEqual(got, want) {
		t.Errorf("got files %q, want %q", got, want)
	}
}

func TestAMinimalFileGetsDefaults(t *testing.T) {
	got, err := Load(write(t, "floaty.yml", "provider: cloudscale\ncloudscale: {token: abc}\n"))
	if err != nil {
		t.Fatalf("got error %v, want none", err)
	}
	want := &Config{
		Path:             got.Path,
		Lock:             Lock{FileTemplate: "/var/lock/floaty-%s.lock", Timeout: 10 * time.Second},
		KeepalivedConfig: "/etc/keepalived/keepalived.conf",
		ManagedAddresses: []netip.Addr{},
		Instances:        map[string]Instance{},
		RefreshInterval:  time.Minute,
		RefreshTimeout:   10 * time.Second,
		BackOff:          BackOff{InitialInterval: time.Second, Multiplier: 1.1, MaxInterval: 10 * time.Second},
		Provider:         "cloudscale",
		Clouds: Clouds{
			Cloudscale: Cloudscale{Endpoint: "https://api.cloudscale.ch", Token: NewSecret("abc"), HostnameToServerUUID: map[string]string{}},
		},
		StateDir:              "/run/floaty",
		MaxConcurrentRequests: 100,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got, want := got.Files(), []string{got.Path}; !reflect.DeepEqual(got, want) {
		t.Errorf("got files %q, want %q", got, want)
	}
}

func TestThePathIsMadeAbsolute(t *testing.T) {
	dir := filepath.Dir(write(t, "floaty.yml", "provider: cloudscale\ncloudscale: {token-file: ../secrets/token}\n"))
	if err := os.Mkdir(filepath.Join(dir, "elsewhere"), 0o700); err != nil {
		t.Fatal(err)
	}
	secrets := filepath.Join(filepath.Dir(dir), "secrets")
	if err := os.Mkdir(secrets, 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(secrets, "token"), "abc\n")
	t.Chdir(filepath.Join(dir, "elsewhere"))
	got, err := Load("../floaty.yml")
	if err != nil {
		t.Fatalf("got error %v, want none", err)
	}
	if want := filepath.Join(dir, "floaty.yml"); got.Path != want {
		t.Errorf("got path %q, want %q", got.Path, want)
	}
	if want := filepath.Join(secrets, "token"); got.Cloudscale.TokenFile != want {
		t.Errorf("got token-file %q, want %q", got.Cloudscale.TokenFile, want)
	}
}

func TestATokenMayBeAYAMLBlock(t *testing.T) {
	got, err := parse("/f", []byte("provider: cloudscale\ncloudscale:\n  token: |\n    abc\n\n"))
	if err != nil {
		t.Fatalf("got error %v, want none", err)
	}
	if want := NewSecret("abc"); got.Cloudscale.Token != want {
		t.Errorf("got token %q, want %q", got.Cloudscale.Token.Reveal(), want.Reveal())
	}
}

func TestAByteOrderMarkIsIgnored(t *testing.T) {
	if _, err := parse("/f", []byte("\ufeffprovider: cloudscale\r\ncloudscale: {token: abc}\r\n")); err != nil {
		t.Errorf("got error %v, want none", err)
	}
}

func TestTenThousandAddressesAreAccepted(t *testing.T) {
	var file strings.Builder
	file.WriteString("provider: cloudscale\ncloudscale: {token: abc}\nmanaged-addresses:\n")
	first := netip.MustParseAddr("198.51.100.0")
	for range 10000 {
		file.WriteString("- " + first.String() + "\n")
		first = first.Next()
	}
	got, err := parse("/f", []byte(file.String()))
	if err != nil {
		t.Fatalf("got error %v, want none", err)
	}
	if got, want := len(got.ManagedAddresses), 10000; got != want {
		t.Errorf("got %d addresses, want %d", got, want)
	}
}

func TestCleartextEndpointsAreDetected(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"https://api.cloudscale.ch":      false,
		"http://api.cloudscale.ch":       true,
		"http://192.0.2.1:8080":          true,
		"http://[2001:db8::1]:8080/x":    true,
		"http://127.0.0.1:8080":          false,
		"http://127.9.9.9":               false,
		"http://[::1]:8080":              false,
		"http://[::ffff:127.0.0.1]:8080": false,
		"http://localhost:8080":          false,
		"http://LOCALHOST.":              false,
		"http://sim.localhost":           false,
		"http://localhost.example.com":   true,
	} {
		for _, c := range []*Config{
			{Provider: "cloudscale", Clouds: Clouds{Cloudscale: Cloudscale{Endpoint: endpoint}}},
			{Provider: "exoscale", Clouds: Clouds{Exoscale: Exoscale{Endpoint: endpoint}}},
		} {
			if got := c.Cleartext(); got != want {
				t.Errorf("%s of %s: got %v, want %v", endpoint, c.Provider, got, want)
			}
		}
	}
	if c := (&Config{Provider: "exoscale"}); c.Cleartext() {
		t.Error("got cleartext for Exoscale without an endpoint, want not: its default endpoint uses https")
	}
}

func TestExoscaleCredentialsAreReadFromFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"key": "EXO0123456789\n", "secret": "hush-hush\n",
		"floaty.yml": "provider: exoscale\nexoscale: {key-file: key, secret-file: secret}\ncloudscale: {token-file: nowhere}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Load(filepath.Join(dir, "floaty.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Exoscale.Key.Reveal() != "EXO0123456789" || got.Exoscale.Secret.Reveal() != "hush-hush" {
		t.Errorf("got %q and %q, want the contents of the files", got.Exoscale.Key.Reveal(), got.Exoscale.Secret.Reveal())
	}
	want := []string{filepath.Join(dir, "floaty.yml"), filepath.Join(dir, "key"), filepath.Join(dir, "secret")}
	if files := got.Files(); !reflect.DeepEqual(files, want) {
		t.Errorf("got files %q, want %q", files, want)
	}
}

func addrs(texts ...string) []netip.Addr {
	all := make([]netip.Addr, 0, len(texts))
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

// write creates the named file in a new subdirectory of the test's temporary directory, and returns its path.
func write(t *testing.T, name, content string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "floaty")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	put(t, path, content)
	return path
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
