package monitoring_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"floaty/hack/testenv"
)

// patience is for how long a test waits for something to show; no test waits that long unless it fails.
const patience = time.Minute

var addrs = []netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")}

// program is floaty, built once.
var program string

func TestMain(m *testing.M) {
	os.Exit(testenv.RunTests(m.Run, 8, func(path string) error { // these tests wait more than they work
		program = path
		return nil
	}))
}

// A world is two hosts whose Keepalived the test plays, a cloud, and a Prometheus that scrapes both floaty and evaluates alerts.yml.
type world struct {
	*testing.T
	*testenv.Env
	a, b       *testenv.Host
	addresses  map[*testenv.Host]string // where each floaty serves its metrics
	prometheus string                   // its URL
}

func newWorld(t *testing.T) *world {
	t.Helper()
	prometheus := tool(t, "prometheus")
	t.Parallel()
	s, err := testenv.New(t.Context(), filepath.Join(shortDir(t), "env"), program, false)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, Env: s, addresses: map[*testenv.Host]string{}}
	t.Cleanup(func() {
		if t.Failed() {
			for _, h := range []*testenv.Host{w.a, w.b} {
				t.Logf("floaty on %s has logged:\n%s", h.Name, h.Log())
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	s.AddAddresses("", addrs...)
	var targets []string
	for _, host := range []struct {
		name string
		at   **testenv.Host
	}{{"lb1", &w.a}, {"lb2", &w.b}} {
		h, err := s.AddHost(t.Context(), host.name)
		if err != nil {
			t.Fatal(err)
		}
		*host.at = h
		address := freeAddress(t)
		w.addresses[h] = address
		w.must(h.Configure("floaty.yml", w.configuration(h)))
		w.must(h.Configure("keepalived.conf", h.Keepalived(100, "", addrs...)))
		targets = append(targets, fmt.Sprintf("{targets: [%q], labels: {instance: %s}}", address, host.name))
	}
	w.startPrometheus(prometheus, targets)
	return w
}

// shortDir returns a new directory that goes with the test. The path of a unix socket in it must not pass 107 bytes, which one of [testing.T.TempDir] may.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "floaty-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// configuration is floaty.yml of a host.
func (w *world) configuration(h *testenv.Host) string {
	return h.Floaty() + "listen-address: " + w.addresses[h] + "\n"
}

// freeAddress returns an address of the loopback interface on which nothing listens at the moment.
func freeAddress(t *testing.T) string {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }() // it was not used
	return listener.Addr().String()
}

// startPrometheus starts it with alerts.yml, all in fast motion: it scrapes and evaluates four times a second, what an alert waits for is a
// second, and a reading is too old after 5 s. promtool tests the real durations.
func (w *world) startPrometheus(path string, targets []string) {
	w.Helper()
	dir := w.TempDir()
	rules, err := os.ReadFile("alerts.yml")
	w.must(err)
	fast := regexp.MustCompile(`(?m)^( *for:) .*$`).ReplaceAll(rules, []byte("$1 1s"))
	fast = regexp.MustCompile(`(timestamp_seconds >) [36]00\b`).ReplaceAll(fast, []byte("$1 5"))
	w.must(os.WriteFile(filepath.Join(dir, "alerts.yml"), fast, 0o600)) //nolint:gosec // our own
	w.must(os.WriteFile(filepath.Join(dir, "prometheus.yml"), fmt.Appendf(nil, `
global: {scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 250ms}
rule_files: [alerts.yml]
scrape_configs:
  - job_name: floaty
    static_configs: [%s]
`, strings.Join(targets, ", ")), 0o600))
	address := freeAddress(w.T)
	w.prometheus = "http://" + address
	cmd := exec.CommandContext(w.Context(), path, "--config.file", filepath.Join(dir, "prometheus.yml"), //nolint:gosec // our own words
		"--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", address, "--log.level", "warn")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = log, log
	w.must(cmd.Start())
	w.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if w.Failed() {
			w.Logf("Prometheus has logged:\n%s", log)
		}
	})
	w.until("Prometheus is ready", func() string {
		answer, err := http.Get(w.prometheus + "/-/ready")
		if err != nil {
			return err.Error()
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return answer.Status
		}
		return ""
	})
}

// until waits until missing returns nothing; if it does not, the test fails with what it returned last.
func (w *world) until(what string, missing func() string) {
	w.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		problem := missing()
		if problem == "" {
			return
		}
		if time.Now().After(deadline) {
			w.Fatalf("not within %v: %s: %s", patience, what, problem)
		}
	}
}

// query asks Prometheus for an expression's value now, and returns how many series it has, and how many of them are numbers.
func (w *world) query(expression string) (series, numbers int, problem string) {
	w.Helper()
	answer, err := http.Get(w.prometheus + "/api/v1/query?query=" + url.QueryEscape(expression))
	w.must(err)
	defer func() { _ = answer.Body.Close() }()
	var result struct {
		Error string `json:"error"`
		Data  struct {
			Result []struct {
				Value [2]any `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	w.must(json.NewDecoder(answer.Body).Decode(&result))
	for _, one := range result.Data.Result {
		text, ok := one.Value[1].(string)
		number, err := strconv.ParseFloat(text, 64)
		if ok && err == nil && !math.IsNaN(number) {
			numbers++
		}
	}
	return len(result.Data.Result), numbers, result.Error
}

// holds waits until an expression has a value, which a comparison has only where it is true.
func (w *world) holds(expression string) {
	w.Helper()
	w.until(expression, func() string {
		series, _, problem := w.query(expression)
		if series == 0 && problem == "" {
			return "it has no value"
		}
		return problem
	})
}

// firing waits until an alert fires, or does not.
func (w *world) firing(alert string, want bool) {
	w.Helper()
	expression := fmt.Sprintf(`ALERTS{alertname=%q, alertstate="firing"}`, alert)
	w.until(fmt.Sprintf("%s fires: %v", alert, want), func() string {
		series, _, problem := w.query(expression)
		if problem == "" && (series > 0) != want {
			return fmt.Sprintf("it has %d series", series)
		}
		return problem
	})
}

func (w *world) say(h *testenv.Host, state string) {
	w.Helper()
	w.must(h.Say(`INSTANCE "VI_1" ` + state + ` 100`))
}

// start starts floaty on a host and waits until it has made its FIFO.
func (w *world) start(h *testenv.Host) {
	w.Helper()
	w.must(h.StartFloaty())
	w.until("floaty on "+h.Name+" has made its FIFO", func() string {
		if _, err := os.Stat(h.FIFO); err != nil {
			return err.Error()
		}
		return ""
	})
}

// watch runs floaty --status --watch on a host, until the end of the test. The function that it returns waits until the last status that was shown
// contains a word.
func (w *world) watch(h *testenv.Host) (shows func(word string)) {
	w.Helper()
	path := filepath.Join(w.TempDir(), "screen")
	out, err := os.Create(path) //nolint:gosec // our own
	w.must(err)
	cmd := exec.CommandContext(w.Context(), program, "--status", "--watch", h.Path("floaty.yml")) //nolint:gosec // our own words
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	w.must(cmd.Start())
	w.Cleanup(func() {
		err := cmd.Wait() // the test's context has ended by now, and that is why this is "context canceled"
		_ = out.Close()
		if cmd.ProcessState.ExitCode() != 0 {
			w.Errorf("floaty --status --watch ended with %v, want status 0 after SIGINT", err)
		}
	})
	seen := 0 // bytes of what was written before the last word was seen
	return func(word string) {
		w.Helper()
		w.until("floaty --status --watch shows "+word, func() string {
			text, err := os.ReadFile(path) //nolint:gosec // our own
			w.must(err)
			at := strings.Index(string(text[seen:]), word)
			if at < 0 {
				return fmt.Sprintf("it has shown %q", text[seen:])
			}
			seen += at + len(word)
			return ""
		})
	}
}

// A failover as Prometheus sees it: the alert that nobody is MASTER fires, and resolves once the other host has taken over.
func TestAFailoverIsSeenInPrometheusAndItsAlertsFireAndResolve(t *testing.T) {
	w := newWorld(t)
	w.start(w.a)
	w.start(w.b)
	w.say(w.a, "MASTER")
	w.say(w.b, "BACKUP")
	w.holds(`sum(floaty_address_in_place{instance="lb1"}) == 2`)
	w.holds(`sum(floaty_ready) == 2`)
	w.firing("FloatyNoMaster", false)
	screen := w.watch(w.b)
	screen("BACKUP")

	w.a.StopFloaty()
	w.a.CloseFIFO()
	w.firing("FloatyNoMaster", true)
	w.firing("FloatyDown", true)

	w.say(w.b, "MASTER")
	w.holds(`sum(floaty_address_in_place{instance="lb2"}) == 2`)
	screen("MASTER")
	w.firing("FloatyNoMaster", false)
	w.firing("FloatyAddressNotInPlace", false)

	w.start(w.a)
	w.say(w.a, "MASTER") // and lb2 does not hear it
	w.firing("FloatyDown", false)
	w.firing("FloatyTwoMasters", true)
	w.say(w.b, "BACKUP")
	w.firing("FloatyTwoMasters", false)
	w.holds(`sum(floaty_address_in_place{instance="lb1"}) == 2`)
}
