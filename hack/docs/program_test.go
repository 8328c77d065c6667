// Package docs_test checks that the documentation is correct: the manuals and completions match the program, every block of
// commands or configuration works, quoted log lines exist, and links have a target.
package docs_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// root is the root directory of the repository.
const root = "../.."

// builtIn is the directory in which the programs are built, once; it is removed at the end.
var builtIn string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "floaty-docs")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	builtIn = dir
	status := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

// build builds the programs and returns their directory.
var build = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("go", "build", "-o", builtIn+"/", "./cmd/floaty", "./cmd/cloudsim") //nolint:gosec // no foreign input
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return builtIn, os.Chmod(builtIn, 0o755) //nolint:gosec // programs, which other users may run
})

func programs(t *testing.T) string {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// flags returns the names of all flags that cmd/floaty defines, and help, which every flag set of Go has.
func flags(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(root + "/cmd/floaty/*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{"help": true}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if on, ok := method.X.(*ast.Ident); !ok || on.Name != "flags" {
				return true
			}
			name := call.Args[0]
			if strings.HasSuffix(method.Sel.Name, "Var") {
				name = call.Args[1]
			}
			if literal, ok := name.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				text, _ := strconv.Unquote(literal.Value)
				found[text] = true
			}
			return true
		})
	}
	if !found["fifo"] || !found["v"] {
		t.Fatalf("got the flags %v, want fifo and v among them: are they defined in a different way now?", slices.Sorted(maps.Keys(found)))
	}
	return slices.Sorted(maps.Keys(found))
}

// spelt returns a flag's name with its dashes.
func spelt(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// read returns the text of a file.
func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path) //nolint:gosec // our own pages
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// differ reports the elements that are in only one of two lists.
func differ(t *testing.T, what string, got, want []string) {
	t.Helper()
	for _, x := range got {
		if !slices.Contains(want, x) {
			t.Errorf("%s: got %s, want only what the program has", what, x)
		}
	}
	for _, x := range want {
		if !slices.Contains(got, x) {
			t.Errorf("%s: %s is missing", what, x)
		}
	}
}

// distinct returns all matches of a pattern's group, sorted and without duplicates.
func distinct(pattern, text string) []string {
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found[m[1]] = true
	}
	return slices.Sorted(maps.Keys(found))
}
