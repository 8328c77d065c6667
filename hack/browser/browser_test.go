// Package browser_test opens floaty's status page in Chromium, while the real program runs against a simulated cloud. It is a separate
// module, so that the browser driver stays out of the program's go.mod. Without Chromium, which hack/install-monitoring installs, its
// tests are skipped.
package browser_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"floaty/hack/testenv"
)

// patience is how long a test waits before it fails.
const patience = 40 * time.Second

var (
	one = netip.MustParseAddr("198.51.100.1")
	two = netip.MustParseAddr("198.51.100.2")
)

// program is the path of floaty, built once; empty without Chromium.
var program string

func TestMain(m *testing.M) { os.Exit(build(m.Run)) }

func build(run func() int) int {
	if browser() == "" {
		return run() // skips all tests
	}
	dir, err := os.MkdirTemp("", "floaty-browser-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // nothing to be done about it
	path := filepath.Join(dir, "floaty")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/floaty") //nolint:gosec // no foreign input
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v: %s\n", err, out)
		return 1
	}
	program = path
	return run()
}

// browser returns the path of Chromium, or "".
func browser() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// An env is a simulated cloud and two hosts on which the test writes Keepalived's lines. Each floaty serves its page at a URL.
type env struct {
	*testing.T
	*testenv.Env
	a, b *testenv.Host
	urls map[*testenv.Host]string
}

// instance is the name of the VRRP instance in the configuration that testenv writes.
const instance = "VI_1"

func newEnv(t *testing.T) *env {
	t.Helper()
	if program == "" {
		t.Skip("Chromium is missing; hack/install-monitoring installs it, as root")
	}
	t.Parallel()
	s, err := testenv.New(t.Context(), filepath.Join(shortDir(t), "env"), program, false)
	if err != nil {
		t.Fatal(err)
	}
	e := &env{T: t, Env: s, urls: map[*testenv.Host]string{}}
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
		e.urls[h] = "http://" + address + "/"
		e.must(h.Configure("floaty.yml", h.Floaty()+"listen-address: "+address+"\n"))
		e.must(h.Configure("keepalived.conf", h.Keepalived(100, "", one, two)))
	}
	s.AddAddresses("", one, two)
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

// freeAddress returns an address of the loopback interface on which nothing listens at the moment.
func freeAddress(t *testing.T) string {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // it was not used
	return listener.Addr().String()
}

// start starts floaty on a host and waits until it listens for its page and has created its FIFO.
func (e *env) start(h *testenv.Host) {
	e.Helper()
	e.must(h.StartFloaty())
	address := strings.TrimSuffix(strings.TrimPrefix(e.urls[h], "http://"), "/")
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = conn.Close()
			if _, err = os.Stat(h.FIFO); err == nil {
				return
			}
		}
		if time.Now().After(deadline) {
			e.Fatalf("floaty on %s does not serve its page: %v", h.Name, err)
		}
	}
}

// say writes a state of the instance into a host's FIFO, as Keepalived would.
func (e *env) say(h *testenv.Host, state string) {
	e.Helper()
	e.must(h.Say(fmt.Sprintf("INSTANCE %q %s 100", instance, state)))
}

// A page is a page that is open in the browser.
type page struct {
	*testing.T
	ctx context.Context

	mu         sync.Mutex // guards complaints
	complaints []string   // violations of the security policy, and uncaught exceptions
}

// open opens a host's page in a new browser.
func (e *env) open(h *testenv.Host) *page {
	e.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browser()), chromedp.NoSandbox, chromedp.WSURLReadTimeout(patience), chromedp.WindowSize(1280, 1000))
	allocator, stop := chromedp.NewExecAllocator(e.Context(), options...)
	e.Cleanup(stop)
	ctx, closePage := chromedp.NewContext(allocator)
	e.Cleanup(closePage)
	p := &page{T: e.T, ctx: ctx}
	e.must(chromedp.Listen(ctx, func(event any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Source != log.EntrySourceNetwork { // some tests stop floaty on purpose
				p.complaints = append(p.complaints, e.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			complaint := e.ExceptionDetails.Text
			if e.ExceptionDetails.Exception != nil {
				complaint += ": " + e.ExceptionDetails.Exception.Description
			}
			p.complaints = append(p.complaints, complaint)
		}
	}))
	run(p, chromedp.Navigate(e.urls[h]))
	eval[bool](p, `window.loadedOnce = true`)
	return p
}

// run runs an action in the browser and returns its result.
func run[T any](p *page, action chromedp.Action[T]) T {
	p.Helper()
	result, err := chromedp.Run(p.ctx, action)
	if err != nil {
		p.Fatal(err)
	}
	return result
}

// eval evaluates an expression in the page.
func eval[T any](p *page, expression string) T {
	p.Helper()
	result, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.Fatalf("%s: %v", expression, err)
	}
	return result
}

// text returns the visible text of the elements that match a selector.
func (p *page) text(selector string) string {
	p.Helper()
	return eval[string](p, fmt.Sprintf(`Array.from(document.querySelectorAll(%q), e => e.checkVisibility() ? e.innerText : "").join("\n")`, selector))
}

// sees waits until the visible text of the elements that match a selector contains each of words.
func (p *page) sees(selector string, words ...string) {
	p.Helper()
	p.until(func() (string, bool) {
		text := p.text(selector)
		for _, word := range words {
			if !strings.Contains(text, word) {
				return fmt.Sprintf("%s is %q, want it to contain %q", selector, text, word), false
			}
		}
		return "", true
	})
}

// until waits until is returns true; if that takes too long, the test fails with the problem that is returned last.
func (p *page) until(is func() (string, bool)) {
	p.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		problem, ok := is()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			p.Fatal(problem)
		}
	}
}

// row returns the selector of an address's row.
func (p *page) row(addr netip.Addr) string {
	p.Helper()
	n := eval[int](p, fmt.Sprintf(`Array.from(document.querySelectorAll("#addresses tr")).findIndex(r => r.cells[0].innerText.split(/\s/)[0] === %q) + 1`, addr))
	return fmt.Sprintf("#addresses tr:nth-child(%d)", n)
}

// seesAddress waits until the row of an address contains each of words.
func (p *page) seesAddress(addr netip.Addr, words ...string) {
	p.Helper()
	p.until(func() (string, bool) {
		text := p.text(p.row(addr))
		for _, word := range words {
			if !strings.Contains(text, word) {
				return fmt.Sprintf("the row of %s is %q, want it to contain %q; the page is\n%s", addr, text, word, p.text("main")), false
			}
		}
		return "", true
	})
}

// unreloaded checks that the page was not reloaded and that the browser reported no problem.
func (p *page) unreloaded() {
	p.Helper()
	if !eval[bool](p, `window.loadedOnce === true`) {
		p.Error("the page was loaded again")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, complaint := range p.complaints {
		p.Errorf("the browser reports: %s", complaint)
	}
}
