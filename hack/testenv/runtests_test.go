package testenv

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestADataRaceInTheProgramFailsTheTests(t *testing.T) {
	if !Race {
		t.Skip("needs -race: otherwise the program is built without the race detector")
	}
	dir := t.TempDir()
	racer, reports := filepath.Join(dir, "racer"), filepath.Join(dir, "race")
	if err := BuildAs(t.Context(), racer, "./testdata/racer"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), racer) //nolint:gosec // no foreign input
	cmd.Env = append(os.Environ(), "GORACE="+raceOptions(reports))
	var ended *exec.ExitError
	if out, err := cmd.CombinedOutput(); !errors.As(err, &ended) || ended.ExitCode() != raceStatus {
		t.Errorf("got %v and %s, want exit status %d", err, out, raceStatus)
	}
	var out strings.Builder
	if n := printReports(&out, reports); n != 1 || !strings.Contains(out.String(), "main.main()") {
		t.Errorf("got %d reports and %q, want one that names the function", n, out.String())
	}
	if n := printReports(io.Discard, filepath.Join(dir, "nothing")); n != 0 {
		t.Errorf("got %d reports although there was no race, want none", n)
	}
}
