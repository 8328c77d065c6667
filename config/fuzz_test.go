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

// secretLine is where a secret belongs; one that stands elsewhere, such as in a path, cannot be told from a value.
var secretLine = regexp.MustCompile(`^[\t ]*(token|key|secret): `)

// FuzzConfig wants, of whatever file: no panic, one line a problem, no secret in any of them, and of a usable one that
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
	f.Add([]byte("provider: cloudscale\ncloudscale: &c {token: abc}\n<<: {refresh-interval: 5s}\ninstances: {A: &a {addresses: []}, B: {<<: [*a, *c]}}\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Contains(string(data), "token-file") {
			return // it could name any file of this machine
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
			t.Errorf("got changes %q against itself, want none", changes)
		}
		check(t, "%+v", fmt.Sprintf("%+v", c.Cloudscale.Token))
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

// checkSecret wants no hush in line, if it is the value of a secret wherever it stands in data.
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
		t.Errorf("got back-off %+v, want it in its ranges", b)
	}
	if c.MaxConcurrentRequests < 1 || c.MaxConcurrentRequests > 10000 {
		t.Errorf("got max-concurrent-requests %d, want 1 to 10000", c.MaxConcurrentRequests)
	}
	if got := fmt.Sprintf(c.Lock.FileTemplate, "X"); strings.Contains(got, "%") || !strings.Contains(got, "X") {
		t.Errorf("got lock file %q, want the instance in it", got)
	}
	for _, path := range []string{c.Path, c.Lock.FileTemplate, c.KeepalivedConfig, c.StateDir, c.KeepalivedPIDFile} {
		if path != "" && !filepath.IsAbs(path) {
			t.Errorf("got path %q, want an absolute one", path)
		}
	}
	if c.Provider != "cloudscale" || c.Cloudscale.Token == (Secret{}) || c.Cloudscale.Endpoint == "" {
		t.Errorf("got provider %q %+v, want it whole", c.Provider, c.Cloudscale)
	}
	checkAddresses(t, c.ManagedAddresses)
	for _, instance := range c.Instances {
		checkAddresses(t, instance.Addresses)
	}
}

func checkAddresses(t *testing.T, all []netip.Addr) {
	t.Helper()
	seen := map[netip.Addr]bool{}
	for _, addr := range all {
		if seen[addr] || !addr.IsGlobalUnicast() || addr.Is4In6() || addr.Zone() != "" {
			t.Errorf("got address %v in %v, want global ones, each once", addr, all)
		}
		seen[addr] = true
	}
}
