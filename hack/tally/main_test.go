package main

import (
	"strings"
	"testing"
)

func TestTheLastLineNamesFailedAndSkippedTests(t *testing.T) {
	const (
		passed = `{"Action":"pass","Package":"floaty/a","Test":"TestOne"}
`
		skipped = `{"Action":"output","Package":"floaty/a","Test":"TestTwo","Output":"    a_test.go:7: not root\n"}
{"Action":"skip","Package":"floaty/a","Test":"TestTwo"}
`
		failed = `{"Action":"output","Package":"floaty/b","Test":"TestThree","Output":"got 1, want 2\n"}
{"Action":"fail","Package":"floaty/b","Test":"TestThree"}
`
	)
	for _, c := range []struct {
		what, in string
		ok       bool
		want     []string
	}{
		{"all pass", passed, true, []string{"hack/test: 1 tests passed; left out: nothing"}},
		{"one is skipped", passed + skipped, true, []string{"hack/test: 1 passed, 0 failed, 1 skipped\n", "hack/test: 1 tests passed; left out: a TestTwo (not root)"}},
		{
			"one is skipped and run later", passed + skipped + strings.ReplaceAll(passed, "One", "Two"), true,
			[]string{"hack/test: 2 tests passed; left out: nothing"},
		},
		{"one fails", passed + failed, false, []string{"got 1, want 2", "hack/test: 1 passed, 1 failed, 0 skipped\n", "hack/test: FAILED, in 1 tests: b TestThree; 1 tests passed; left out: nothing"}},
		{"one never ends", passed + `{"Action":"run","Package":"floaty/b","Test":"TestFour"}`, false, []string{"hack/test: FAILED, in 1 tests: b TestFour"}},
		{
			"a package cannot be built", passed + `{"Action":"build-output","ImportPath":"floaty/c","Output":"c.go:1: no\n"}
{"Action":"build-fail","ImportPath":"floaty/c"}`, false, []string{"c.go:1: no", "hack/test: FAILED"},
		},
		{"go test itself fails", passed + `{"Action":"fail"}`, false, []string{"hack/test: FAILED"}},
		{"no test is run", "", false, []string{"hack/test: FAILED"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			var out strings.Builder
			tl := tally{out: &out, tests: map[name]*test{}}
			if err := tl.read(strings.NewReader(c.in)); err != nil {
				t.Fatal(err)
			}
			if ok := tl.conclude(); ok != c.ok {
				t.Errorf("got %v, want %v", ok, c.ok)
			}
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("got %q, want %q in it", out.String(), want)
				}
			}
		})
	}
}
