package hack_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The script runs with stand-ins for govulncheck and the go command.
func TestVulncheckFailsForAVulnerabilityButNotForAnUnreachableDatabase(t *testing.T) {
	for name, c := range map[string]struct {
		govulncheck string
		ok          bool
		want        string
	}{
		"no vulnerability":              {"echo No vulnerabilities found.", true, "no known vulnerability in hack/browser"},
		"a vulnerability":               {"echo 'Vulnerability #1: GO-2026-0001'; exit 3", false, "GO-2026-0001"},
		"an unreachable database":       {"echo 'govulncheck: fetching vulnerabilities: no such host' >&2; exit 1", true, "hack/packaging was not checked, because the database cannot be reached: no such host"},
		"a package that does not build": {"echo 'govulncheck: loading packages: syntax error' >&2; exit 1", false, "syntax error"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			script, err := os.ReadFile("vulncheck")
			if err != nil {
				t.Fatal(err)
			}
			dir, err := os.OpenRoot(root)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = dir.Close() })
			write := func(path, text string) {
				t.Helper()
				if err := dir.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := dir.WriteFile(path, []byte(text), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			write("hack/vulncheck", string(script))
			write("hack/tools/go.mod", "")
			write("hack/packaging/go.mod", "")
			write("hack/browser/go.mod", "")
			write(".cache/bin/govulncheck", "#!/bin/sh\n"+c.govulncheck+"\n")
			write("bin/go", "#!/bin/sh\n")
			cmd := exec.CommandContext(t.Context(), filepath.Join(root, "hack/vulncheck")) //nolint:gosec // no foreign input
			cmd.Env = append(os.Environ(), "PATH="+filepath.Join(root, "bin")+":"+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if ok := err == nil; ok != c.ok || !strings.Contains(string(out), c.want) {
				t.Errorf("got %v and %q, want success %v and %q", err, out, c.ok, c.want)
			}
		})
	}
}
