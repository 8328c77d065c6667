package hack_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// floaty builds the program as it is shipped, which is without the race detector, and returns its path.
func floaty(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "floaty")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "floaty/cmd/floaty").CombinedOutput(); err != nil { //nolint:gosec // no foreign input
		t.Fatalf("go build: %v: %s", err, out)
	}
	return path
}

// maxLoaded is the limit, in bytes, of the program's segments that are loaded into memory. In November 2026 they had 13.8 MB, of which 3.2 MB
// are Prometheus's client with protobuf, and net/http's server. From v10.27.0 on, go-playground/validator alone adds 4 MB.
const maxLoaded = 14_000_000

// If the program can execute templates, the linker must keep every exported method (3 MB). A library may import the template packages at no
// cost, as egoscale does through viper, as long as no reachable code executes a template.
func TestFloatyIsSmallAndExecutesNoTemplates(t *testing.T) {
	f, err := elf.Open(floaty(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var loaded uint64
	for _, part := range f.Progs {
		if part.Type == elf.PT_LOAD {
			loaded += part.Filesz
		}
	}
	if loaded > maxLoaded {
		t.Errorf("%d bytes are loaded, want at most %d", loaded, maxLoaded)
	}
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, s := range symbols {
		found = found || s.Name == "main.main"
		if strings.HasPrefix(s.Name, "text/template.(*Template).Execute") {
			t.Errorf("%s is linked", s.Name)
		}
	}
	if !found {
		t.Error("main.main is not among the symbols, so nothing was checked")
	}
}

// The initialization of packages before main delays each notify script. Up to v10.22.0, go-playground/validator compiled 70 regular
// expressions there, with 2 ms and 18,252 allocations (see decisions/005). The test counts allocations, because times vary.
func TestNoPackageDoesMuchBeforeMain(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), floaty(t), "--version") //nolint:gosec // our own program
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	var trace strings.Builder
	cmd.Stderr = &trace
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, trace.String())
	}
	const most = 1000 // allocations per package
	packages := 0
	for line := range strings.Lines(trace.String()) {
		// init floaty/config @1.2 ms, 0.046 ms clock, 29288 bytes, 293 allocs
		fields := strings.Fields(line)
		if len(fields) != 11 || fields[0] != "init" || fields[10] != "allocs" {
			continue
		}
		packages++
		if allocs, err := strconv.Atoi(fields[9]); err != nil || allocs > most {
			t.Errorf("got %q, want at most %d allocations", strings.TrimSpace(line), most)
		}
	}
	if packages == 0 {
		t.Errorf("no package is in the trace, so nothing was checked: %.200s", trace.String())
	}
}
