package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// An operator who is woken up by a log line of the level ERROR must find out what it means and what to do. A row quotes the line or its
// beginning.
func TestEachErrorLineIsInTheTroubleshootingPage(t *testing.T) {
	var quotes []string
	for _, table := range strings.Split(read(t, "troubleshooting.md"), "\n| log line |")[1:] {
		table, _, _ = strings.Cut(table, "\n\n")
		for _, row := range strings.Split(table, "\n")[2:] {
			cell, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
			quotes = append(quotes, distinct("`([^`]*)`", cell)...)
		}
	}
	messages := errorMessages(t)
	if len(messages) < 30 {
		t.Errorf("found only %d messages in the source: has the way to log changed?\n%s", len(messages), strings.Join(messages, "\n"))
	}
	for _, message := range messages {
		if !slices.ContainsFunc(quotes, func(quote string) bool { return strings.HasPrefix(message, quote) }) {
			t.Errorf("troubleshooting.md has no row for the log line %q", message)
		}
	}
}

var warning = regexp.MustCompile(`^[wW]arn[A-Z]`)

// errorMessages returns the messages of the program's log lines of the level ERROR, and its warnings. Warnings are constants whose names
// begin with "warn"; whether one is logged as an error depends on the input.
func errorMessages(t *testing.T) []string {
	t.Helper()
	files := sources(t)
	constants := map[string]string{}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			decl, ok := n.(*ast.GenDecl)
			if !ok || decl.Tok != token.CONST {
				return true
			}
			for _, spec := range decl.Specs {
				for i, value := range spec.(*ast.ValueSpec).Values {
					if text, ok := constant(value, nil); ok {
						constants[spec.(*ast.ValueSpec).Names[i].Name] = text
					}
				}
			}
			return true
		})
	}
	found := map[string]bool{}
	for name, text := range constants {
		if warning.MatchString(name) {
			found[text] = true
		}
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return true
			}
			called, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || called.Sel.Name != "Error" || isNamed(called.X, "http") {
				return true
			}
			text, ok := constant(call.Args[1], constants)
			field, isField := call.Args[1].(*ast.SelectorExpr)
			switch {
			case isField && (field.Sel.Name == "Text" || field.Sel.Name == "Message"): // the text of a warning, which is a constant
			case ok:
				found[text] = true
			default:
				t.Errorf("a log line of the level ERROR has a message that is not a constant, so it cannot be looked up: %#v", call.Args[1])
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(found))
}

func isNamed(e ast.Expr, name string) bool {
	ident, ok := e.(*ast.Ident)
	return ok && ident.Name == name
}

// constant returns the value of an expression of string literals and known constants.
func constant(e ast.Expr, known map[string]string) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok := constant(e.X, known)
		right, also := constant(e.Y, known)
		return left + right, ok && also
	case *ast.Ident:
		text, ok := known[e.Name]
		return text, ok
	case *ast.SelectorExpr:
		text, ok := known[e.Sel.Name]
		return text, ok
	}
	return "", false
}

// sources returns the program's source files, parsed.
func sources(t *testing.T) []*ast.File {
	t.Helper()
	var all []*ast.File
	for _, dir := range []string{"cmd/floaty", "config", "controller", "desired", "observed", "providers"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			all = append(all, file)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}
