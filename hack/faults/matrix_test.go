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

// short reports whether a scenario is part of the short form: each fault of the most important call, in one phase.
func short(at, call string, n int, phase string) bool {
	matters := map[string]string{"cloudscale": "patch", "exoscale": "attach"}[at]
	order := []string{"takeover", "demotion", "start", "settled"}
	return call == matters && phase == order[n%len(order)] && (at == "cloudscale" || n%3 == 0)
}

func TestFloatyRecoversFromEachFaultOfEachCallInEachPhase(t *testing.T) {
	all := os.Getenv("FLOATY_FAULTS") == "all"
	if !all {
		t.Log("this is the short form; FLOATY_FAULTS=all runs everything")
	}
	table := &table{cells: map[string]map[string]string{}}
	t.Run("", func(t *testing.T) { // returns when all parallel subtests have run
		for _, at := range clouds() {
			for _, c := range at.calls {
				for n, f := range kinds() {
					if f.void != nil && f.void(c) {
						continue
					}
					if c.metadata {
						t.Run(at.name+"/"+c.name+"/"+f.name, func(t *testing.T) {
							t.Parallel()
							table.add(at, c, f, phases()[0], runMetadata(t, at, c, f))
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
		if err := os.WriteFile(*results, []byte(table.String()), 0o644); err != nil { //nolint:gosec // not a secret
			t.Error(err)
		}
	}
}

// run runs a scenario and returns its outcome.
func run(t *testing.T, at cloud, c call, f fault, p phase) string {
	s := &scenario{call: c, fault: f, env: newEnv(t, at, p.holder, func(server *httptest.Server) {
		server.EnableHTTP2 = !f.raw
		server.StartTLS()
	})}
	p.run(s)
	s.host.end()
	return s.outcome()
}

// outcome returns the outcome of a scenario, a cell of the table.
func (s *scenario) outcome() string {
	for _, what := range s.leaked {
		s.t.Errorf("got the request %q, want the redirect not followed", what)
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

// A table holds the outcome of each scenario.
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
cloud, with refresh-interval and refresh-timeout 1 s and back-off 0.1 to 0.5 s; operations of Exoscale take 50 ms. The fault lasts 1.5 s.

- *start*: the fault begins before floaty starts, and floaty is MASTER at once. *settled*: a rival takes the addresses while calls
  fail. *takeover*: a standby becomes MASTER during the fault. *demotion*: it becomes MASTER, BACKUP in the middle of that, and MASTER
  again later. *standby*: calls fail while it is a standby; then it becomes MASTER.
- The time runs from the end of the fault, in the last two phases from the MASTER line, until both addresses point at this host; at
  most 5 s. *no effect*: they did so during the fault. *–*: the call is not made in that phase.
- In each run, nothing was written after BACKUP or by a standby, a failing write did not delay the other address, standard error
  had only the logger's lines, none with a credential, no redirect was followed, memory stayed below 128 MiB, and SIGTERM ended floaty
  with status 0.
- The address of the metadata service cannot be configured, so for it the program's packages run in the test, and the time runs until
  they know which server this is. It uses plain HTTP/1.1, and is called only at the start.
- Left out as impossible: cutting TLS where there is none; a stale answer to a call that lists no addresses; a late effect, or an
  effect without an answer, of a call that changes nothing. HTTP/1.1 is used for faults that HTTP/2 or net/http's HTTP/2 does not
  have, and HTTP/2 for all others.

`
