// Command tally reads the output of "go test -json" from standard input. It prints a line for each package, the whole output of each failed
// test, and at the end two lines: the counts, and which tests failed or were skipped, and why. It exits with 1 if anything failed or no test
// was run. hack/test uses it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

func main() {
	t := tally{out: os.Stdout, tests: map[name]*test{}}
	if err := t.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
	if !t.conclude() {
		os.Exit(1)
	}
}

// An event is one line of "go test -json" (see "go doc test2json").
type event struct {
	Action  string
	Package string
	Test    string
	Elapsed float64 // seconds
	Output  string
}

// A name identifies a test. In the name of a package's own result, test is empty.
type name struct{ pkg, test string }

type test struct {
	result string // the last one: a test that was skipped may be run again
	output strings.Builder
}

type tally struct {
	out    io.Writer
	tests  map[name]*test
	failed bool
}

func (t *tally) read(in io.Reader) error {
	for d := json.NewDecoder(in); ; {
		var e event
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading the output of go test -json: %w", err)
		}
		t.record(e)
	}
}

func (t *tally) record(e event) {
	n := name{strings.TrimPrefix(e.Package, "floaty/"), e.Test}
	if t.tests[n] == nil {
		t.tests[n] = &test{}
	}
	about := t.tests[n]
	switch e.Action {
	case "build-output":
		t.printf("%s", e.Output)
	case "build-fail":
		t.failed = true
	case "output":
		about.output.WriteString(e.Output)
	case "pass", "skip", "fail":
		t.ended(n, about, e)
	}
}

// ended records the result of a test or a package. The output of a passed test is discarded.
func (t *tally) ended(n name, about *test, e event) {
	about.result = e.Action
	t.failed = t.failed || e.Action == "fail"
	if e.Action == "fail" {
		t.printf("%s", about.output.String())
	}
	if n.test == "" && n.pkg != "" {
		t.printf("%-4s %6.1fs  %s\n", e.Action, e.Elapsed, n.pkg)
	}
	if e.Action != "skip" {
		about.output.Reset()
	}
}

// conclude prints the last lines and reports whether at least one test passed and nothing failed.
func (t *tally) conclude() bool {
	passed, skipped := 0, 0
	failed := []string{}
	reasons := map[string][]string{}
	for n, about := range t.tests {
		switch {
		case n.test == "":
		case about.result == "pass":
			passed++
		case about.result == "skip":
			skipped++
			why := about.reason()
			reasons[why] = append(reasons[why], n.pkg+" "+n.test)
		default: // including a test that never ended
			failed = append(failed, n.pkg+" "+n.test)
		}
	}
	verdict := fmt.Sprintf("%d tests passed", passed)
	well := !t.failed && len(failed) == 0 && passed > 0
	if !well {
		slices.Sort(failed)
		verdict = fmt.Sprintf("FAILED, in %d tests: %s; %s", len(failed), strings.Join(failed, ", "), verdict)
	}
	var out []string
	for _, why := range slices.Sorted(maps.Keys(reasons)) {
		tests := reasons[why]
		slices.Sort(tests)
		which := strings.Join(tests, ", ")
		if len(tests) > 3 {
			which = fmt.Sprintf("%s and %d more", tests[0], len(tests)-1)
		}
		out = append(out, fmt.Sprintf("%s (%s)", which, why))
	}
	if len(out) == 0 {
		out = []string{"nothing"}
	}
	t.printf("hack/test: %d passed, %d failed, %d skipped\n", passed, len(failed), skipped)
	t.printf("hack/test: %s; left out: %s\n", verdict, strings.Join(out, "; "))
	return well
}

// reason returns why a test was skipped: the text after "file_test.go:79: " in its output.
func (about *test) reason() string {
	for line := range strings.Lines(about.output.String()) {
		if _, why, ok := strings.Cut(line, ".go:"); ok {
			_, why, _ = strings.Cut(why, ": ")
			return strings.TrimSpace(why)
		}
	}
	return "no reason given"
}

func (t *tally) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(t.out, format, args...) // an error could not be reported anywhere
}
