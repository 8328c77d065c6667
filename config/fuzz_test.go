package config

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// secretLine matches a line on which a secret belongs. Anywhere else, such as in a path, a secret cannot be told from an ordinary value.
var secretLine = regexp.MustCompile(`^[\t ]*(token|key|secret): `)

// secretFile matches the keys of files that contain a secret.
var secretFile = regexp.MustCompile(`(token|key|secret)-file`)

// FuzzConfig checks that no file causes a panic, that each problem is one line and contains no secret, and that in a usable file
// every value is in its range.
func FuzzConfig(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.yml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path) //nolint:gosec // a file of testdata
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("provider: exoscale\nexoscale:\n  key: hush-key\n  secret: hush-secret\n  zone: ch-gva-2\n"))
	f.Add([]byte("provider: cloudscale\ncloudscale: &c {token: abc}\n<<: {refresh-interval: 5s}\ninstances: {A: &a {addresses: []}, B: {<<: [*a, *c]}}\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		if secretFile.Match(data) {
			return // it could name any file on this machine
		}
		c, err := parse(filepath.Join(dir, "floaty.yml"), data)
		if err != nil {
			checkProblems(t, data, err)
			return
		}
		checkRanges(t, c)
		for _, change := range Changes(defaults(), c) {
			checkSecret(t, data, change.Text)
		}
		if changes := Changes(c, c); len(changes) > 0 {
			t.Errorf("got changes %q between a configuration and itself, want none", changes)
		}
		checkSecret(t, data, fmt.Sprintf("%+v", c))
	})
}

func checkProblems(t *testing.T, data []byte, err error) {
	t.Helper()
	var problems Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("got %#v, want Problems", err)
	}
	for _, problem := range problems {
		line := problem.Error()
		if strings.ContainsAny(line, "\r\n\x00\x1b") || len(line) > 1000 {
			t.Errorf("got %q, want one bounded line", line)
		}
		checkSecret(t, data, line)
	}
}

// checkSecret fails if line contains "hush", unless data also has it outside the lines on which a secret belongs.
func checkSecret(t *testing.T, data []byte, line string) {
	t.Helper()
	for row := range strings.Lines(string(data)) {
		if strings.Contains(row, "hush") && !secretLine.MatchString(row) {
			return
		}
	}
	if strings.Contains(line, "hush") {
		t.Errorf("got %q, want no secret in it", line)
	}
}

func checkRanges(t *testing.T, c *Config) {
	t.Helper()
	for name, d := range map[string]time.Duration{
		"lock-timeout": c.Lock.Timeout, "refresh-interval": c.RefreshInterval, "refresh-timeout": c.RefreshTimeout,
		"initial-interval": c.BackOff.InitialInterval, "max-interval": c.BackOff.MaxInterval,
	} {
		if d < time.Millisecond || d > 8760*time.Hour {
			t.Errorf("got %s %v, want 1ms to 8760h", name, d)
		}
	}
	b := c.BackOff
	if b.MaxInterval < b.InitialInterval || b.MaxElapsedTime < 0 || !(b.Multiplier >= 1 && b.Multiplier <= math.MaxFloat64) {
		t.Errorf("got back-off %+v, want each value in its range", b)
	}
	if c.MaxConcurrentRequests < 1 || c.MaxConcurrentRequests > 10000 {
		t.Errorf("got max-concurrent-requests %d, want 1 to 10000", c.MaxConcurrentRequests)
	}
	if got := fmt.Sprintf(c.Lock.FileTemplate, "X"); strings.Contains(got, "%") || !strings.Contains(got, "X") {
		t.Errorf("got lock file %q, want one that contains the instance name", got)
	}
	for _, path := range []string{c.Path, c.Lock.FileTemplate, c.KeepalivedConfig, c.StateDir, c.KeepalivedPIDFile} {
		if path != "" && !filepath.IsAbs(path) {
			t.Errorf("got path %q, want an absolute one", path)
		}
	}
	checkCloud(t, c)
	checkAddresses(t, c.ManagedAddresses)
	for _, instance := range c.Instances {
		checkAddresses(t, instance.Addresses)
	}
}

func checkCloud(t *testing.T, c *Config) {
	t.Helper()
	switch cs, exo := c.Cloudscale, c.Exoscale; {
	case c.Provider == "cloudscale" && cs.Token != (Secret{}) && cs.Endpoint != "":
	case c.Provider == "exoscale" && exo.Key != (Secret{}) && exo.Secret != (Secret{}) && (exo.Zone != "" || exo.Endpoint != ""):
	default:
		t.Errorf("got provider %q with %+v and %+v, want one of them, with a credential and an endpoint or zone", c.Provider, cs, exo)
	}
}

func checkAddresses(t *testing.T, all []netip.Addr) {
	t.Helper()
	seen := map[netip.Addr]bool{}
	for _, addr := range all {
		if seen[addr] || !addr.IsGlobalUnicast() || addr.Is4In6() || addr.Zone() != "" {
			t.Errorf("got address %v in %v, want global unicast addresses, each only once", addr, all)
		}
		seen[addr] = true
	}
}
