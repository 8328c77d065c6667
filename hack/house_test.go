// Package hack_test checks the project's rules: which package may import which, that each package has one doc comment, and more.
package hack_test

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mayImport lists, for each of floaty's packages, which others of them it may import; packages below cmd may import all.
var mayImport = map[string][]string{
	"config":                  {},
	"providers":               {},
	"desired/keepalived":      {},
	"desired/keepalived/conf": {},
	"providers/simulator":     {},
	"providers/netset":        {},
	"desired":                 {"desired/keepalived", "desired/keepalived/conf"},
	"providers/httpapi":       {"providers"},
	"providers/cloudscale":    {"providers", "providers/httpapi", "providers/netset"},
	"providers/exoscale":      {"providers", "providers/httpapi", "providers/netset"},
	"observed":                {"providers"},
	"providers/conformance":   {"providers"},
	"providers/providertest":  {},
	"controller":              {"desired", "observed", "providers"},
}

// leaves import none of floaty's packages, and every package may import them.
var leaves = []string{"providers/failurelog", "providers/grammar", "providers/logkey"}

// onlyIn lists packages that only one package may import, because they make the program larger or slower, or belong to its task.
var onlyIn = map[string]string{
	"k8s.io/client-go/util/workqueue": "controller",
	"k8s.io/utils/clock":              "controller",
	"github.com/fsnotify/fsnotify":    "config",
	"sigs.k8s.io/yaml/goyaml.v2":      "config",

	"github.com/prometheus/client_golang/prometheus":            "cmd/floaty/internal/serve",
	"github.com/prometheus/client_golang/prometheus/collectors": "cmd/floaty/internal/serve",
	"github.com/prometheus/client_golang/prometheus/promhttp":   "cmd/floaty/internal/serve",
}

type goPackage struct {
	ImportPath string
	Dir        string
	Imports    []string
	GoFiles    []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,Imports,GoFiles", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	for _, p := range packages(t) {
		name, _ := strings.CutPrefix(p.ImportPath, "floaty/")
		if strings.HasPrefix(name, "cmd/") || strings.HasPrefix(name, "hack") {
			continue
		}
		allowed, known := mayImport[name]
		if !known && !slices.Contains(leaves, name) {
			t.Errorf("%s: not listed here; add it to mayImport with its place", p.ImportPath)
		}
		for _, path := range p.Imports {
			if own, ok := strings.CutPrefix(path, "floaty/"); ok && !slices.Contains(allowed, own) && !slices.Contains(leaves, own) {
				t.Errorf("%s imports %s; it may import %q and the leaves %q", p.ImportPath, path, allowed, leaves)
			}
		}
	}
}

func TestSomePackagesAreImportedByOneOnly(t *testing.T) {
	for _, p := range packages(t) {
		for _, path := range p.Imports {
			if owner, ok := onlyIn[path]; ok && p.ImportPath != "floaty/"+owner {
				t.Errorf("%s imports %s, which only %s may", p.ImportPath, path, owner)
			}
		}
	}
}

func TestEachPackageHasOneDoc(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue
		}
		var docs []string
		for _, file := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if f.Doc != nil {
				docs = append(docs, file)
			}
		}
		if len(docs) != 1 {
			t.Errorf("%s: %d package docs %v, want one", p.ImportPath, len(docs), docs)
		}
	}
}

func TestTheTopLevelIsFixed(t *testing.T) {
	fixed := []string{
		"cmd", "controller", "desired", "observed", "providers", "config", "hack",
		"go.mod", "go.sum", "README.md", "LICENSE", "CHANGELOG.md",
	}
	entries, err := filepath.Glob("../*")
	if err != nil || len(entries) == 0 {
		t.Fatalf("listing the top level: %v", err)
	}
	for _, entry := range entries {
		if name := filepath.Base(entry); !slices.Contains(fixed, name) && !strings.HasPrefix(name, ".") {
			t.Errorf("%s does not belong at the top level, which is %q", name, fixed)
		}
	}
}
