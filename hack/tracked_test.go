package hack_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestNoCompiledProgramIsInTheRepository(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "git", "-c", "safe.directory=*", "-C", "..", "ls-files", "-z").Output()
	if err != nil {
		t.Skipf("this is not a git clone: %v", err)
	}
	names := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if len(names) < 100 {
		t.Fatalf("git lists only %d files, want at least 100", len(names))
	}
	for _, name := range names {
		if isProgram(t, filepath.Join("..", name)) {
			t.Errorf("%s is a compiled program: remove it from the repository", name)
		}
	}
}

// isProgram reports whether a file exists and is an ELF file.
func isProgram(t *testing.T, path string) bool {
	t.Helper()
	f, err := os.Open(path) //nolint:gosec // a file of this repository
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	start := make([]byte, 4)
	_, err = io.ReadFull(f, start)
	return err == nil && string(start) == "\x7fELF"
}
