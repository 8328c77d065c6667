package main_test

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"floaty/hack/testenv"
	"floaty/providers/simulator"
)

// go test ./cmd/floaty -run TestGoldenLogs -update writes the logs instead of comparing them.
var update = flag.Bool("update", false, "write the golden logs")

// TestGoldenLogs compares the whole log of each story, in both forms, with a file in testdata, so that no line that operators read at
// night changes by accident.
func TestGoldenLogs(t *testing.T) {
	for name, story := range map[string]func(*env){
		"failover":      runFailover,
		"outage":        runOutage,
		"refused-token": runRefusedToken,
		"contest":       runContest,
		"now-and-then":  runNowAndThen,
	} {
		for form, flag := range map[string]string{"txt": "--json-log=false", "json": "--json-log"} {
			t.Run(name+"."+form, func(t *testing.T) {
				w := newEnv(t, one)
				id := "server-uuid: " + w.UUID
				w.must(w.Configure("floaty.yml", w.with(id, id+", hostname-to-server-uuid: {lb1: "+w.UUID+"}")))
				w.start(flag, "--fifo", w.Path("floaty.yml"), w.FIFO)
				story(w)
				w.StopFloaty()
				path := filepath.Join("testdata", "logs", name+"."+form)
				got := w.normalisedLog()
				if *update {
					w.must(os.WriteFile(path, []byte(got), 0o600))
				}
				want, err := os.ReadFile(path) //nolint:gosec // a file of this test
				w.must(err)
				if !slices.Equal(sortedLines(got), sortedLines(string(want))) {
					t.Errorf("%s: got\n%s\nwant these lines, in any order\n%s", path, got, want)
				}
			})
		}
	}
}

// varying lists what differs between two runs, each with its placeholder in the files.
var varying = []struct {
	pattern *regexp.Regexp
	text    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`), "TIME"},
	{regexp.MustCompile(`floaty [^"]*, commit [^"]*`), "VERSION"},
	{regexp.MustCompile(`\b(\d+m)?\d+(\.\d+)?(µs|ms|s)\b`), "DURATION"},
	{regexp.MustCompile(`(attempt"?[:=])([2-9]|\d\d+)\b`), "${1}N"},
}

// normalisedLog returns the log with placeholders for what differs between two runs.
func (w *env) normalisedLog() string {
	text := strings.NewReplacer(w.Host.Dir, "DIR", w.URL, "URL").Replace(w.Log())
	for _, v := range varying {
		text = v.pattern.ReplaceAllString(text, v.text)
	}
	return text
}

// sortedLines returns the lines of text, sorted: the order of lines of different goroutines varies.
func sortedLines(text string) []string {
	return slices.Sorted(strings.Lines(text))
}

// waitForReading waits until a reading has shown where the addresses are.
func (w *env) waitForReading() {
	w.Helper()
	w.eventually("a reading shows where the addresses are", 5*time.Second, func() bool {
		_, stdout, _ := run(w.T, "--status", "--output", "json", w.Path("floaty.yml"))
		return strings.Contains(stdout, stranger)
	})
}

// takeOver makes the host MASTER and waits until the takeover is verified.
func (w *env) takeOver() {
	w.Helper()
	w.says("MASTER")
	w.holds(5*time.Second, one)
	w.eventually("the takeover is verified", 5*time.Second, func() bool { return w.logged("address taken over") > 0 })
}

// runFailover makes the host MASTER and then BACKUP again. In between, nothing happens for a while, and nothing is logged.
func runFailover(w *env) {
	w.says("BACKUP")
	backups := func() int { return w.logged("state=BACKUP") + w.logged(`"state":"BACKUP"`) }
	w.eventually("BACKUP is logged", time.Second, func() bool { return backups() == 1 })
	w.waitForReading()
	w.takeOver()
	before := w.Log()
	w.never("a line is logged though nothing happens", 3*interval, func() bool { return w.Log() != before })
	w.says("BACKUP")
	w.eventually("BACKUP is logged again", time.Second, func() bool { return backups() == 2 })
}

// runOutage makes the API fail for a while.
func runOutage(w *env) {
	w.waitForReading()
	w.takeOver()
	w.Cloud.Fail(simulator.Fault{Kind: simulator.Status, Status: http.StatusInternalServerError})
	w.eventually("the outage is logged", 3*interval, func() bool { return w.logged("reading the cloud") == 1 })
	w.eventually("a write fails too", 5*interval, func() bool { return w.logged("assigning the address failed") == 1 })
	w.Cloud.ClearFaults()
	w.eventually("the end of the outage is logged", 5*interval, func() bool {
		return w.logged("reading the cloud works again") == 1 && w.logged("address is where it belongs again") == 1
	})
}

// runRefusedToken makes the cloud refuse the token during a takeover, until another token is configured.
func runRefusedToken(w *env) {
	w.waitForReading()
	w.Cloud.SetToken("another")
	w.says("MASTER")
	w.eventually("the refusal is logged", 3*interval, func() bool { return w.logged("credential") > 0 })
	text, err := os.ReadFile(w.Path("floaty.yml"))
	w.must(err)
	w.must(w.Configure("floaty.yml", strings.ReplaceAll(string(text), testenv.Token, "another")))
	w.holds(2*interval, one)
	w.eventually("the takeover is verified", 2*interval, func() bool { return w.logged("address taken over") > 0 })
}

// runContest takes the address away again and again, as another host might, and then stops.
func runContest(w *env) {
	w.waitForReading()
	w.takeOver()
	w.eventually("the contest is logged", 20*interval, func() bool {
		if slices.Equal(w.Cloud.Holders(one), []string{w.UUID}) && w.logged("contested") == 0 {
			w.Cloud.Move(one, stranger)
		}
		return w.logged("contested") > 0
	})
	w.eventually("the end of the contest is logged", 10*interval, func() bool { return w.logged("contested") > 1 })
}

// runNowAndThen makes every other read fail.
func runNowAndThen(w *env) {
	w.waitForReading()
	w.takeOver()
	for range 5 {
		w.Cloud.Fail(simulator.Fault{Method: http.MethodGet, Kind: simulator.Status, Status: http.StatusInternalServerError, Times: 1})
		w.Cloud.ForgetCalls()
		w.eventually("a read fails and the next one succeeds", 5*interval, func() bool {
			calls := w.Cloud.Calls()
			return len(calls) > 1 && calls[0].Status == http.StatusInternalServerError && calls[len(calls)-1].Status == http.StatusOK
		})
	}
}
