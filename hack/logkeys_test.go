package hack_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// logCalls maps logr's methods that take keys and values to the number of arguments before the first key.
var logCalls = map[string]int{"Info": 1, "Error": 2, "WithValues": 0}

func TestLogKeysComeFromLogkey(t *testing.T) {
	checked := 0
	for _, p := range packages(t) {
		name, _ := strings.CutPrefix(p.ImportPath, "floaty/")
		if strings.HasPrefix(name, "hack") {
			continue
		}
		for _, file := range p.GoFiles {
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, filepath.Join(p.Dir, file), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				keys, ok := logKeys(n)
				for _, key := range keys {
					if !fromLogkey(key) {
						t.Errorf("%s: got a log key that is not a constant of providers/logkey", set.Position(key.Pos()))
					}
				}
				if ok {
					checked++
				}
				return true
			})
		}
	}
	if checked < 50 {
		t.Errorf("found %d places with log keys, want 50 or more: does this test still recognise them?", checked)
	}
}

// logKeys returns the keys of n if n is a logger call, a list of keys and values, or an append to such a list.
func logKeys(n ast.Node) (keys []ast.Expr, ok bool) {
	switch n := n.(type) {
	case *ast.CallExpr:
		skip, isLog := logCall(n)
		if !isLog || n.Ellipsis.IsValid() && len(n.Args) == skip+1 {
			return nil, isLog
		}
		return everySecond(n.Args, skip), true
	case *ast.CompositeLit:
		if array, isArray := n.Type.(*ast.ArrayType); isArray {
			if elem, isIdent := array.Elt.(*ast.Ident); isIdent && elem.Name == "any" {
				return everySecond(n.Elts, 0), true
			}
		}
	}
	return nil, false
}

// logCall reports whether call is a logger call or an append to a list of keys and values, and returns the number of arguments before its
// keys.
func logCall(call *ast.CallExpr) (skip int, ok bool) {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		if fun.Name == "append" && len(call.Args) > 1 {
			list, isIdent := call.Args[0].(*ast.Ident)
			return 1, isIdent && list.Name == "about"
		}
	case *ast.SelectorExpr:
		skip, ok = logCalls[fun.Sel.Name]
		return skip, ok && len(call.Args) >= skip && isLogger(fun.X)
	}
	return 0, false
}

// isLogger reports whether an expression has the form of a logger in this project: log, x.log, x.Log or log.V(1).
func isLogger(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return strings.EqualFold(x.Name, "log")
	case *ast.SelectorExpr:
		return strings.EqualFold(x.Sel.Name, "log")
	case *ast.CallExpr:
		fun, ok := x.Fun.(*ast.SelectorExpr)
		return ok && (fun.Sel.Name == "V" || fun.Sel.Name == "WithValues") && isLogger(fun.X)
	}
	return false
}

// fromLogkey reports whether a key is a constant of package logkey, or a variable named key, which holds such a constant.
func fromLogkey(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name == "key"
	case *ast.SelectorExpr:
		pkg, ok := x.X.(*ast.Ident)
		return ok && pkg.Name == "logkey"
	}
	return false
}

func everySecond(list []ast.Expr, from int) []ast.Expr {
	var keys []ast.Expr
	for i := from; i < len(list); i += 2 {
		keys = append(keys, list[i])
	}
	return keys
}
