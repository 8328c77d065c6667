package faults

import (
	"cmp"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var results = flag.String("results", "", "write the table to this file, as Markdown")

// short is what runs with the other tests: each fault of the call that matters most, in one phase.
func short(at, call string, n int, phase string) bool {
	matters := map[string]string{"cloudscale": "patch", "exoscale": "attach"}[at]
	order := []string{"takeover", "demotion", "start", "settled"}
	return call == matters && phase == order[n%len(order)] && (at == "cloudscale" || n%3 == 0)
}

func TestWhatEachFaultOfEachCallDoesInEachPhase(t *testing.T) {
	all := os.Getenv("FLOATY_FAULTS") == "all"
	if !all {
		t.Log("the short form; FLOATY_FAULTS=all runs everything")
	}
	table := &table{cells: map[string]map[string]string{}}
	t.Run("", func(t *testing.T) { // returns when all have run
		for _, at := range clouds() {
			for _, c := range at.calls {
				for n, f := range kinds() {
					if f.void != nil && f.void(c) {
						continue
					}
					if c.metadata {
						t.Run(at.name+"/"+c.name+"/"+f.name, func(t *testing.T) {
							t.Parallel()
							table.add(at, c, f, phases()[0], ask(t, at, c, f))
						})
						continue
					}
					for _, p := range phases() {
						if all || short(at.name, c.name, n, p.name) {
							t.Run(at.name+"/"+c.name+"/"+f.name+"/"+p.name, func(t *testing.T) {
								t.Parallel()
								table.add(at, c, f, p, run(t, at, c, f, p))
							})
						}
					}
				}
			}
		}
	})
	if *results != "" && all {
		if err := os.WriteFile(*results, []byte(table.String()), 0o644); err != nil { //nolint:gosec // it is to be read
			t.Error(err)
		}
	}
}

// run plays a scenario and returns what became of it.
func run(t *testing.T, at cloud, c call, f fault, p phase) string {
	s := &scenario{call: c, fault: f, world: newWorld(t, at, p.holder, func(server *httptest.Server) {
		server.EnableHTTP2 = !f.raw
		server.StartTLS()
	})}
	p.play(s)
	s.host.end()
	return s.outcome()
}

// outcome is what became of a scenario, in a word.
func (s *scenario) outcome() string {
	for _, what := range s.leaked {
		s.t.Errorf("got %s, want the redirect not followed", what)
	}
	switch {
	case s.t.Failed():
		return "**failed**"
	case s.hits == 0:
		return "–"
	case s.took == 0:
		return "no effect"
	}
	return fmt.Sprintf("%.1f s", max(s.took, 100*time.Millisecond).Seconds())
}

// A table says what became of each scenario.
type table struct {
	mu    sync.Mutex // guards cells
	rows  []string
	cells map[string]map[string]string // by row and phase
}

func (t *table) add(at cloud, c call, f fault, p phase, what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	row := fmt.Sprintf("| %s | %s | %s", at.name, c.name, f.name)
	if t.cells[row] == nil {
		t.rows, t.cells[row] = append(t.rows, row), map[string]string{}
	}
	t.cells[row][p.name] = what
}

// String returns the table as Markdown.
func (t *table) String() string {
	var b strings.Builder
	b.WriteString(preface)
	b.WriteString("| provider | call | fault |")
	for _, p := range phases() {
		b.WriteString(" " + p.name + " |")
	}
	b.WriteString("\n|---|---|---" + strings.Repeat("|---", len(phases())) + "|\n")
	slices.SortFunc(t.rows, cmp.Compare)
	for _, row := range t.rows {
		b.WriteString(row + " |")
		for _, p := range phases() {
			b.WriteString(" " + cmp.Or(t.cells[row][p.name], "–") + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

const preface = `# What each fault of each call does, in each phase

Written by ` + "`FLOATY_FAULTS=all go test ./hack/faults -results RESULTS.md`" + `. Each cell is a run of the real program against a simulated
cloud: refresh-interval and refresh-timeout 1 s, back-off 0.1 to 0.5 s, an operation of Exoscale's takes 50 ms. The fault lasts 1.5 s.

- *start*: the fault is there before floaty, which is MASTER at once. *settled*: a rival takes the addresses while calls fail.
  *takeover*: a standby becomes MASTER. *demotion*: it becomes MASTER and, in the middle, BACKUP; later MASTER again.
  *standby*: calls fail while it watches; then it becomes MASTER.
- The time is that from the end of the fault, in the last two from the MASTER line, until both addresses are here, 5 s at most.
  *no effect*: they were here while the fault lasted. *–*: void, for the call is not made in that phase.
- In each run nothing was written after BACKUP and nothing by a standby, the other address was not held up by a write that fails, no line on standard
  error was anything but the logger's, none held a credential, no redirect was followed, at most 128 MiB were taken, and SIGTERM
  ended floaty with status 0.
- The metadata service cannot be put elsewhere from outside, so there the program's own parts run, and the time is that until they know which
  server this is. It speaks plain HTTP/1.1, and is asked at the start only.
- Void and left out: a cut of TLS where there is none; an answer of before to a call that lists no addresses; an effect that comes late, and an effect without an answer,
  of a call that has none. HTTP/1.1 is spoken where HTTP/2 has no such fault, or net/http does not offer it; else HTTP/2.

`
