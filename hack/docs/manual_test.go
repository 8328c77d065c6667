package docs_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var manuals = []string{"man/floaty.8", "man/floaty.yml.5"}

func TestMandocAcceptsTheManuals(t *testing.T) {
	if _, err := exec.LookPath("mandoc"); err != nil {
		t.Skip("mandoc is not installed")
	}
	for _, path := range manuals {
		out, err := exec.CommandContext(t.Context(), "mandoc", "-T", "lint", "-W", "style", path).CombinedOutput() //nolint:gosec // our own pages
		var warnings []string
		for line := range strings.Lines(string(out)) {
			if !strings.Contains(line, "mandoc.db") && !strings.Contains(line, "referenced manual not found") { // these depend on what is installed here
				warnings = append(warnings, line)
			}
		}
		var exit *exec.ExitError // mandoc has warnings
		if err != nil && !errors.As(err, &exit) || len(warnings) > 0 {
			t.Errorf("%s: %v\n%s", path, err, strings.Join(warnings, ""))
		}
	}
}

func TestTheManualAndTheHelpNameEveryFlag(t *testing.T) {
	var want []string
	for _, name := range flags(t) {
		want = append(want, spelt(name))
	}
	var got []string
	for _, line := range distinct(`(?m)^\.It Fl (.*)`, read(t, "man/floaty.8")) {
		for name := range strings.SplitSeq(line, " , Fl ") {
			name, _, _ = strings.Cut(name, " ")
			got = append(got, "-"+name)
		}
	}
	differ(t, "floaty.8", got, want)

	help, err := exec.CommandContext(t.Context(), programs(t)+"/floaty", "--help").Output() //nolint:gosec // our own program
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range flags(t) {
		if !regexp.MustCompile(`(^|[ ,[])` + spelt(name) + `\b`).Match(help) {
			t.Errorf("--help does not name %s", spelt(name))
		}
	}
}

// An outcome is one call of the program, its exit status, and a part of the manual's description of that status.
type outcome struct {
	args   []string
	status int
	words  string
}

func TestExitStatusesMatchTheManual(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yml"), filepath.Join(dir, "bad.yml")
	conf, none := filepath.Join(dir, "keepalived.conf"), filepath.Join(dir, "none.sock")
	write(t, conf, "vrrp_instance VI_1 {\n}\n")
	write(t, good, "provider: cloudscale\ncloudscale: {token: t, endpoint: 'http://127.0.0.1:1/', server-uuid: 11111111-1111-4111-8111-111111111111}\n"+
		"managed-addresses: [198.51.100.7]\nlock-file-template: "+dir+"/%s.lock\nstate-dir: "+dir+"/state\nrefresh-timeout: 1s\nkeepalived-config: "+conf+"\n")
	write(t, bad, "provider: nobody\n")
	cases := []outcome{
		{[]string{"--version"}, 0, "Success."},
		{[]string{"--check", good}, 0, "Success."},
		{[]string{"--check", bad}, 1, "The configuration is unusable."},
		{[]string{"--fifo", bad, dir + "/fifo"}, 1, "The configuration is unusable."},
		{[]string{"--check", good, dir + "/another.fifo"}, 1, "something needs a human."},
		{[]string{"--test", good}, 1, "something is not well."},
		{[]string{good, "INSTANCE", "VI_9", "BACKUP", "100"}, 1, "keepalived.conf does not name the instance or group."},
		{[]string{}, 2, "Wrong usage."},
		{[]string{"--no-such-flag"}, 2, "Wrong usage."},
		{[]string{"--dry-run", good}, 2, "at least one address could not be read"},
		{[]string{"--dry-run", bad}, 2, "or the configuration is unusable."},
		{[]string{good, "INSTANCE", "VI_1", "ASLEEP", "100"}, 2, "the state is not one of VRRP."},
		{[]string{"--status", none}, 1, "no daemon answers."},
		{[]string{"--ready", none}, 1, "the daemon is not ready, or no daemon answers."},
	}
	_, section, _ := strings.Cut(read(t, "man/floaty.8"), ".Sh EXIT STATUS\n")
	section, _, _ = strings.Cut(section, ".El")
	for _, c := range cases {
		cmd := exec.CommandContext(t.Context(), programs(t)+"/floaty", c.args...) //nolint:gosec // our own program
		cmd.Env = append(os.Environ(), "HOME="+dir)
		out, err := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != c.status {
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			t.Errorf("floaty %s: got exit status %d, want %d: %s", strings.Join(c.args, " "), got, c.status, out)
		}
		_, item, _ := strings.Cut(section, fmt.Sprintf(".It %d\n", c.status))
		item, _, _ = strings.Cut(item, ".It ")
		if !strings.Contains(strings.ReplaceAll(item, "\n", " "), c.words) {
			t.Errorf("exit status %d in the manual: got %q, want %q in it", c.status, item, c.words)
		}
	}
}

// write writes a file that only its owner may read.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
