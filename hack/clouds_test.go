package hack_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// cloudsOnlyIn lists the files and directories of the program that may contain the name of a cloud, in addition to the directory of the
// cloud's provider.
var cloudsOnlyIn = []string{"config/clouds.go", "cmd/floaty/internal/cloud/", "providers/simulator/", "cmd/cloudsim/"}

func TestCloudsAreNamedOnlyWhereAllowed(t *testing.T) {
	list := packages(t)
	names := cloudNames(list)
	if len(names) < 2 {
		t.Fatalf("got the clouds %q, want 2 or more", names)
	}
	inPlace := 0
	for _, p := range list {
		dir := strings.TrimPrefix(p.ImportPath, "floaty/")
		if strings.HasPrefix(dir, "hack") {
			continue
		}
		for _, file := range p.GoFiles {
			path := dir + "/" + file
			for _, named := range namesIn(t, filepath.Join(p.Dir, file), names) {
				if allowed := append([]string{"providers/" + named.cloud + "/"}, cloudsOnlyIn...); slices.ContainsFunc(allowed, func(place string) bool { return strings.HasPrefix(path, place) }) {
					inPlace++
					continue
				}
				t.Errorf("%s:%d: %s names a cloud: ask package config or cmd/floaty/internal/cloud instead", path, named.line, named.text)
			}
		}
	}
	if inPlace < 50 {
		t.Errorf("found %d names of clouds in allowed places, want 50 or more: does this test still recognise them?", inPlace)
	}
}

// cloudNames returns the names of all clouds. These are the packages below providers that the package which creates the providers imports,
// without the leaves and the client that all clouds share.
func cloudNames(list []goPackage) []string {
	shared := append([]string{"providers/httpapi"}, leaves...)
	var names []string
	for _, p := range list {
		if p.ImportPath != "floaty/cmd/floaty/internal/cloud" {
			continue
		}
		for _, path := range p.Imports {
			if name, ok := strings.CutPrefix(path, "floaty/providers/"); ok && !slices.Contains(shared, "providers/"+name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// A naming is an identifier or a string that contains the name of a cloud.
type naming struct {
	cloud, text string
	line        int
}

// namesIn returns where the code of a file names a cloud. Comments are ignored: they may name a cloud as an example.
func namesIn(t *testing.T, path string, clouds []string) []naming {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []naming
	ast.Inspect(f, func(n ast.Node) bool {
		var text string
		switch n := n.(type) {
		case *ast.Ident:
			text = n.Name
		case *ast.BasicLit:
			text = n.Value
		default:
			return true
		}
		for _, cloud := range clouds {
			if strings.Contains(strings.ToLower(text), cloud) {
				found = append(found, naming{cloud, text, set.Position(n.Pos()).Line})
			}
		}
		return true
	})
	return found
}
