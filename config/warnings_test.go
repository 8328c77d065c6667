package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheDefaultTimeoutIsAtMostTheRefreshInterval(t *testing.T) {
	for file, want := range map[string]time.Duration{
		"":                       10 * time.Second,
		"refresh-interval: 5s\n": 5 * time.Second,
		"refresh-interval: 1m\n": 10 * time.Second,
		"refresh-interval: 5s\nrefresh-timeout: 7s\n": 7 * time.Second,
	} {
		got, err := parse("/f", []byte("provider: cloudscale\ncloudscale: {token: abc}\n"+file))
		if err != nil {
			t.Fatal(err)
		}
		if got.RefreshTimeout != want {
			t.Errorf("%q: got refresh-timeout %v, want %v", file, got.RefreshTimeout, want)
		}
	}
}

func TestUnusualIntervalsCauseWarnings(t *testing.T) {
	for file, want := range map[string]string{
		"":                          "",
		"refresh-interval: 1s\n":    "",
		"refresh-interval: 999ms\n": "refresh-interval",
		"refresh-timeout: 61s\n":    "refresh-timeout",
		"refresh-timeout: 1m\n":     "",
	} {
		c, err := parse("/nowhere/floaty.yml", []byte("provider: cloudscale\ncloudscale: {token: abc}\nstate-dir: /nowhere/state\nkeepalived-config: x\n"+file))
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, w := range c.Warnings() {
			keys = append(keys, w.Key)
			if w.Serious {
				t.Errorf("%q: got %+v, want no serious warning", file, w)
			}
		}
		if got := strings.Join(keys, " "); got != want {
			t.Errorf("%q: got warnings about %q, want %q", file, got, want)
		}
	}
}

// publicDir returns a temporary directory that every user can enter. Only there does a world-readable or world-writable file cause a
// warning: other users cannot reach the directory that t.TempDir returns.
func publicDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		must(t, os.Chmod(d, 0o755)) //nolint:gosec // the mode under test
	}
	if replaceable, reachable := checkParents(filepath.Join(dir, "x")); !reachable || replaceable != "" {
		t.Skipf("%s is not like /tmp: others may not reach it, or may replace what is in it", os.TempDir())
	}
	return dir
}

func TestWorldReadableOrWritableFilesCauseWarnings(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string)
		want  []string // "KEY: a part of the text"
	}{
		"safe modes": {func(*testing.T, string) {}, nil},
		"a world-writable configuration": {func(t *testing.T, dir string) {
			t.Helper()
			must(t, os.Chmod(filepath.Join(dir, "floaty.yml"), 0o602)) //nolint:gosec // the mode under test
		}, []string{": write to it (mode 0602)"}},
		"a world-readable configuration without a secret": {func(t *testing.T, dir string) {
			t.Helper()
			must(t, os.Chmod(filepath.Join(dir, "floaty.yml"), 0o644)) //nolint:gosec // the mode under test
		}, nil},
		"a world-readable configuration with a secret": {func(t *testing.T, dir string) {
			t.Helper()
			path := filepath.Join(dir, "floaty.yml")
			put(t, path, "provider: cloudscale\ncloudscale: {token: abc}\nstate-dir: state\nkeepalived-config: keepalived.conf\n")
			must(t, os.Chmod(path, 0o644)) //nolint:gosec // the mode under test
		}, []string{": read the secret in it (mode 0644)"}},
		"a world-readable configuration with a secret of the other cloud": {func(t *testing.T, dir string) {
			t.Helper()
			path := filepath.Join(dir, "floaty.yml")
			put(t, path, "provider: cloudscale\ncloudscale: {token-file: token}\nexoscale: {secret: abc}\nstate-dir: state\nkeepalived-config: keepalived.conf\n")
			must(t, os.Chmod(path, 0o644)) //nolint:gosec // the mode under test
		}, []string{": read the secret in it"}},
		"a world-readable token file": {func(t *testing.T, dir string) {
			t.Helper()
			must(t, os.Chmod(filepath.Join(dir, "token"), 0o644)) //nolint:gosec // the mode under test
		}, []string{"cloudscale.token-file: read the secret in it"}},
		"a world-writable token file": {func(t *testing.T, dir string) {
			t.Helper()
			must(t, os.Chmod(filepath.Join(dir, "token"), 0o622)) //nolint:gosec // the mode under test
		}, []string{"cloudscale.token-file: write to it"}},
		"a group-readable token file": {func(t *testing.T, dir string) {
			t.Helper()
			must(t, os.Chmod(filepath.Join(dir, "token"), 0o640)) //nolint:gosec // the mode under test
		}, nil},
		"a state-dir like /tmp": {func(t *testing.T, dir string) {
			t.Helper()
			must(t, os.Chmod(filepath.Join(dir, "state"), 0o777|os.ModeSticky))
		}, []string{"state-dir: write to it"}},
		"a world-writable keepalived.conf": {func(t *testing.T, dir string) {
			t.Helper()
			must(t, os.Chmod(filepath.Join(dir, "keepalived.conf"), 0o666)) //nolint:gosec // the mode under test
		}, []string{"keepalived-config: write to it"}},
		"a world-writable directory around them": {func(t *testing.T, dir string) {
			t.Helper()
			must(t, os.Chmod(dir, 0o777)) //nolint:gosec // the mode under test
		}, []string{": replace it", "keepalived-config: replace it", "state-dir: replace it", "cloudscale.token-file: replace it"}},
		"a directory around them that is closed to other users": {func(t *testing.T, dir string) {
			t.Helper()
			must(t, os.Chmod(filepath.Join(dir, "token"), 0o666)) //nolint:gosec // the mode under test
			must(t, os.Chmod(dir, 0o750))                         //nolint:gosec // the mode under test
		}, nil},
		"a world-readable token file behind a symbolic link": {func(t *testing.T, dir string) {
			t.Helper()
			must(t, os.Rename(filepath.Join(dir, "token"), filepath.Join(dir, "real")))
			must(t, os.Symlink("real", filepath.Join(dir, "token")))
			must(t, os.Chmod(filepath.Join(dir, "real"), 0o604)) //nolint:gosec // the mode under test
		}, []string{"cloudscale.token-file: read the secret in it (mode 0604)"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := publicDir(t)
			must(t, os.Mkdir(filepath.Join(dir, "state"), 0o700))
			put(t, filepath.Join(dir, "token"), "hush")
			put(t, filepath.Join(dir, "keepalived.conf"), "")
			put(t, filepath.Join(dir, "floaty.yml"), "provider: cloudscale\ncloudscale: {token-file: token}\nstate-dir: state\nkeepalived-config: keepalived.conf\n")
			c.spoil(t, dir)
			got, err := Load(filepath.Join(dir, "floaty.yml"))
			if err != nil {
				t.Fatal(err)
			}
			warnings := got.Warnings()
			if len(warnings) != len(c.want) {
				t.Fatalf("got %+v, want %q", warnings, c.want)
			}
			for i, w := range warnings {
				key, text, _ := strings.Cut(c.want[i], ": ")
				if w.Key != key || !strings.Contains(w.Text, text) || !w.Serious || w.File == "" {
					t.Errorf("got %+v, want a serious warning %q that names its file", w, c.want[i])
				}
			}
		})
	}
}

func TestEndpointsOfFloaty1AreReportedWithTheNewForm(t *testing.T) {
	for _, c := range []struct{ provider, endpoint, want string }{
		{"cloudscale", "https://api.cloudscale.ch/v1/", "want https://api.cloudscale.ch"},
		{"cloudscale", "https://API.cloudscale.ch./v1", "want https://api.cloudscale.ch"},
		{"cloudscale", "https://api.cloudscale.ch/", ""},
		{"cloudscale", "https://proxy.example.com/cloudscale.ch/v1", ""},
		{"exoscale", "https://api.exoscale.ch/v1", "want something like https://api-ch-gva-2.exoscale.com/v2"},
		{"exoscale", "https://api.exoscale.ch/compute", "want something like https://api-ch-gva-2.exoscale.com/v2"},
		{"exoscale", "https://api.exoscale.com/compute", "want something like https://api-ch-gva-2.exoscale.com/v2"},
		{"exoscale", "https://api.exoscale.com/v1", "want something like https://api-ch-gva-2.exoscale.com/v2"},
		{"exoscale", "https://api-ch-gva-2.exoscale.com/v2/", ""},
		{"exoscale", "https://api-ch-gva-2.exoscale.com", ""},
		{"exoscale", "http://127.0.0.1:8080/compute", ""},
	} {
		_, err := parse("/f", []byte("provider: "+c.provider+"\ncloudscale: {token: abc, endpoint: '"+endpointFor(c.provider, "cloudscale", c.endpoint)+
			"'}\nexoscale: {key: a, secret: b, endpoint: '"+endpointFor(c.provider, "exoscale", c.endpoint)+"'}\n"))
		if got := err != nil; got != (c.want != "") {
			t.Errorf("%s %s: got %v, want an error that contains %q", c.provider, c.endpoint, err, c.want)
		} else if got && (!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.provider+".endpoint")) {
			t.Errorf("%s %s: got %v, want the key and %q", c.provider, c.endpoint, err, c.want)
		}
	}
}

func endpointFor(provider, section, endpoint string) string {
	if provider == section {
		return endpoint
	}
	return "http://127.0.0.1"
}

func TestAnEmptyPathIsAProblem(t *testing.T) {
	if _, err := Load(""); err == nil || err.Error() != "the path of the configuration file is empty" {
		t.Errorf("got %v, want an error about the empty path", err)
	}
}
