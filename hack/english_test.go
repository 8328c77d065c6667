package hack_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// stilted lists phrases that a reader stumbles over, and what to write instead. This file contains all of them, so it is not checked itself.
var stilted = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`^[A-Za-z]\w* says (what|whether|how|which|why|where|who|in|that|a|when)\b`), `"returns", "reports whether", "describes" or "logs": a function does not say`},
	{regexp.MustCompile(`(?i)\bbeside\b`), `"in addition to", "along with", "next to" or "besides"`},
	{regexp.MustCompile(`(?i)\b(it|this|that|what|which) (is|was) no \w+`), `"is not a …"`},
	{regexp.MustCompile(`(?i)\b(it|this|that|which|\w+er|host|MASTER|whole) (is|was) none\b`), `"is not one" or "is not valid"`},
	{regexp.MustCompile(`(?i)\b(one|once|one (read|write|call)) an interval\b`), `"per interval"`},
	{regexp.MustCompile(`\b(calls|reads|writes|requests|wake-ups|kB|s) an? (interval|second|minute|hour)\b`), `"per second"`},
	{regexp.MustCompile(`%[qvs] (is|was) no \w+`), `"is not a …"`},
	{regexp.MustCompile(`(^|[.:;] )Who [a-z]+ [^?]*$`), `a noun: "the host that …", "a caller that …"`},
	{regexp.MustCompile(`(?i)\b(for|to|of|from) who [a-z]+`), `a noun: "for callers that …"`},
	{regexp.MustCompile(`(?i)\bbut for (the|that|those|what|its|some|a|an)\b`), `"except"`},
	{regexp.MustCompile(`(?i)\b(for want of|by and by|at rest|hence|none the less|oftener|this is not how)\b`), "plain words of today"},
}

func TestCommentsAndMessagesArePlainEnglish(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, "floaty/")
		files, err := filepath.Glob(filepath.Join(p.Dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if filepath.Base(file) != "english_test.go" {
				checkEnglish(t, filepath.Join(name, filepath.Base(file)), file)
			}
		}
	}
}

func TestThePagesArePlainEnglish(t *testing.T) {
	for _, pattern := range []string{"../*.md", "../.github/*.md", "*.md", "*/*.md"} {
		pages, err := filepath.Glob(pattern)
		if err != nil || len(pages) == 0 {
			t.Fatalf("%s: got %d pages, %v, want some", pattern, len(pages), err)
		}
		for _, page := range pages {
			text, err := os.ReadFile(page) //nolint:gosec // of the repository
			if err != nil {
				t.Fatal(err)
			}
			for i, line := range strings.Split(string(text), "\n") {
				stiltedIn(line, func(found, instead string) { t.Errorf("%s:%d: %q; better: %s", page, i+1, found, instead) })
			}
		}
	}
}

// stiltedIn reports each stilted phrase of a text.
func stiltedIn(text string, report func(found, instead string)) {
	text = strings.ReplaceAll(text, " no longer", "") // which is good English
	for _, s := range stilted {
		if found := s.pattern.FindString(text); found != "" {
			report(found, s.instead)
		}
	}
}

// checkEnglish checks the comments and the strings of one file.
func checkEnglish(t *testing.T, name, path string) {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	check := func(pos token.Pos, text string) {
		stiltedIn(text, func(found, instead string) {
			t.Errorf("%s:%d: %q; better: %s", name, set.Position(pos).Line, found, instead)
		})
	}
	for _, group := range f.Comments {
		check(group.Pos(), strings.Join(strings.Fields(group.Text()), " "))
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			check(lit.Pos(), strings.Trim(lit.Value, "`\""))
		}
		return true
	})
}
