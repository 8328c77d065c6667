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

// patience is how long a test waits before it fails.
const patience = time.Minute

var addrs = []netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")}

// program is floaty, built once.
var program string

func TestMain(m *testing.M) {
	os.Exit(testenv.RunTests(m.Run, 8, func(path string) error { // these tests mostly wait
		program = path
		return nil
	}))
}

// An env is a simulated cloud, two hosts on which the test writes Keepalived's lines, and a Prometheus that scrapes both and evaluates
// alerts.yml.
type env struct {
	*testing.T
	*testenv.Env
	a, b       *testenv.Host
	addresses  map[*testenv.Host]string // at which each floaty serves its metrics
	prometheus string                   // its URL
}

func newEnv(t *testing.T) *env {
	t.Helper()
	prometheus := tool(t, "prometheus")
	t.Parallel()
	s, err := testenv.New(t.Context(), filepath.Join(shortDir(t), "env"), program, false)
	if err != nil {
		t.Fatal(err)
	}
	e := &env{T: t, Env: s, addresses: map[*testenv.Host]string{}}
	t.Cleanup(func() {
		if t.Failed() {
			for _, h := range []*testenv.Host{e.a, e.b} {
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
	}{{"lb1", &e.a}, {"lb2", &e.b}} {
		h, err := s.AddHost(t.Context(), host.name)
		if err != nil {
			t.Fatal(err)
		}
		*host.at = h
		address := freeAddress(t)
		e.addresses[h] = address
		e.must(h.Configure("floaty.yml", e.configuration(h)))
		e.must(h.Configure("keepalived.conf", h.Keepalived(100, "", addrs...)))
		targets = append(targets, fmt.Sprintf("{targets: [%q], labels: {instance: %s}}", address, host.name))
	}
	e.startPrometheus(prometheus, targets)
	return e
}

// shortDir returns a temporary directory with a short path: a unix socket's path has at most 107 bytes, which [testing.T.TempDir] may exceed.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "floaty-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// configuration returns the floaty.yml of a host.
func (e *env) configuration(h *testenv.Host) string {
	return h.Floaty() + "listen-address: " + e.addresses[h] + "\n"
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

// startPrometheus starts Prometheus with a faster alerts.yml: it scrapes and evaluates four times per second, every "for" is one second,
// and a reading is too old after 5 s. promtool tests the real durations.
func (e *env) startPrometheus(path string, targets []string) {
	e.Helper()
	dir := e.TempDir()
	rules, err := os.ReadFile("alerts.yml")
	e.must(err)
	fast := regexp.MustCompile(`(?m)^( *for:) .*$`).ReplaceAll(rules, []byte("$1 1s"))
	fast = regexp.MustCompile(`(timestamp_seconds >) [36]00\b`).ReplaceAll(fast, []byte("$1 5"))
	e.must(os.WriteFile(filepath.Join(dir, "alerts.yml"), fast, 0o600)) //nolint:gosec // no foreign input
	e.must(os.WriteFile(filepath.Join(dir, "prometheus.yml"), fmt.Appendf(nil, `
global: {scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 250ms}
rule_files: [alerts.yml]
scrape_configs:
  - job_name: floaty
    static_configs: [%s]
`, strings.Join(targets, ", ")), 0o600))
	address := freeAddress(e.T)
	e.prometheus = "http://" + address
	cmd := exec.CommandContext(e.Context(), path, "--config.file", filepath.Join(dir, "prometheus.yml"), //nolint:gosec // no foreign input
		"--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", address, "--log.level", "warn")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = log, log
	e.must(cmd.Start())
	e.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if e.Failed() {
			e.Logf("Prometheus has logged:\n%s", log)
		}
	})
	e.until("Prometheus is ready", func() string {
		answer, err := http.Get(e.prometheus + "/-/ready")
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

// until waits until missing returns ""; if that takes too long, the test fails with the result that is returned last.
func (e *env) until(what string, missing func() string) {
	e.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		problem := missing()
		if problem == "" {
			return
		}
		if time.Now().After(deadline) {
			e.Fatalf("not within %v: %s: %s", patience, what, problem)
		}
	}
}

// query evaluates an expression now. It returns the number of series, and how many of them have a value other than NaN.
func (e *env) query(expression string) (series, numbers int, problem string) {
	e.Helper()
	answer, err := http.Get(e.prometheus + "/api/v1/query?query=" + url.QueryEscape(expression))
	e.must(err)
	defer func() { _ = answer.Body.Close() }()
	var result struct {
		Error string `json:"error"`
		Data  struct {
			Result []struct {
				Value [2]any `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	e.must(json.NewDecoder(answer.Body).Decode(&result))
	for _, one := range result.Data.Result {
		text, ok := one.Value[1].(string)
		number, err := strconv.ParseFloat(text, 64)
		if ok && err == nil && !math.IsNaN(number) {
			numbers++
		}
	}
	return len(result.Data.Result), numbers, result.Error
}

// holds waits until an expression returns at least one series; a comparison returns one only while it is true.
func (e *env) holds(expression string) {
	e.Helper()
	e.until(expression, func() string {
		series, _, problem := e.query(expression)
		if series == 0 && problem == "" {
			return "it has no value"
		}
		return problem
	})
}

// firing waits until an alert fires (want is true) or does not fire.
func (e *env) firing(alert string, want bool) {
	e.Helper()
	expression := fmt.Sprintf(`ALERTS{alertname=%q, alertstate="firing"}`, alert)
	e.until(fmt.Sprintf("%s fires: %v", alert, want), func() string {
		series, _, problem := e.query(expression)
		if problem == "" && (series > 0) != want {
			return fmt.Sprintf("it has %d series", series)
		}
		return problem
	})
}

func (e *env) say(h *testenv.Host, state string) {
	e.Helper()
	e.must(h.Say(`INSTANCE "VI_1" ` + state + ` 100`))
}

// start starts floaty on a host and waits until it has created its FIFO.
func (e *env) start(h *testenv.Host) {
	e.Helper()
	e.must(h.StartFloaty())
	e.until("floaty on "+h.Name+" has created its FIFO", func() string {
		if _, err := os.Stat(h.FIFO); err != nil {
			return err.Error()
		}
		return ""
	})
}

// watch runs floaty --status --watch on a host until the test ends. The returned function waits until the output contains a word, after the
// output that earlier calls have used.
func (e *env) watch(h *testenv.Host) (shows func(word string)) {
	e.Helper()
	path := filepath.Join(e.TempDir(), "screen")
	out, err := os.Create(path) //nolint:gosec // no foreign input
	e.must(err)
	cmd := exec.CommandContext(e.Context(), program, "--status", "--watch", h.Path("floaty.yml")) //nolint:gosec // no foreign input
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	e.must(cmd.Start())
	e.Cleanup(func() {
		err := cmd.Wait() // returns "context canceled", because the test's context has ended
		_ = out.Close()
		if cmd.ProcessState.ExitCode() != 0 {
			e.Errorf("floaty --status --watch ended with %v, want status 0 after SIGINT", err)
		}
	})
	seen := 0 // how many bytes of the output earlier calls have used
	return func(word string) {
		e.Helper()
		e.until("floaty --status --watch shows "+word, func() string {
			text, err := os.ReadFile(path) //nolint:gosec // no foreign input
			e.must(err)
			at := strings.Index(string(text[seen:]), word)
			if at < 0 {
				return fmt.Sprintf("it has shown %q", text[seen:])
			}
			seen += at + len(word)
			return ""
		})
	}
}

// During a failover the alert that no host is MASTER fires, and it resolves once the other host has taken over.
func TestAFailoverIsSeenInPrometheusAndItsAlertsFireAndResolve(t *testing.T) {
	e := newEnv(t)
	e.start(e.a)
	e.start(e.b)
	e.say(e.a, "MASTER")
	e.say(e.b, "BACKUP")
	e.holds(`sum(floaty_address_in_place{instance="lb1"}) == 2`)
	e.holds(`sum(floaty_ready) == 2`)
	e.firing("FloatyNoMaster", false)
	screen := e.watch(e.b)
	screen("BACKUP")

	e.a.StopFloaty()
	e.a.CloseFIFO()
	e.firing("FloatyNoMaster", true)
	e.firing("FloatyDown", true)

	e.say(e.b, "MASTER")
	e.holds(`sum(floaty_address_in_place{instance="lb2"}) == 2`)
	screen("MASTER")
	e.firing("FloatyNoMaster", false)
	e.firing("FloatyAddressNotInPlace", false)

	e.start(e.a)
	e.say(e.a, "MASTER") // while lb2 stays MASTER
	e.firing("FloatyDown", false)
	e.firing("FloatyTwoMasters", true)
	e.say(e.b, "BACKUP")
	e.firing("FloatyTwoMasters", false)
	e.holds(`sum(floaty_address_in_place{instance="lb1"}) == 2`)
}
