package keepalived

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what must come; it tells late from never and costs nothing where all is well.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == playKeepalived {
		play()
		return
	}
	os.Exit(m.Run())
}

// A testEnv is a host: a FIFO, the pid file of a VRRP process, what keepalived.conf and the kernel say, and a Listener.
type testEnv struct {
	*Listener
	t       *testing.T
	now     time.Time // of the last look, where the test takes each one itself
	pidPath string    // of the pid file
	vips    map[string][]netip.Addr
	told    int // how much of what was handed on the test has waited for

	mu    sync.Mutex // guards all below
	local map[netip.Addr]bool
	deaf  error // listing the local addresses fails with it
	seen  []sight
	log   []string
}

// A sight is what was handed on, and when.
type sight struct {
	at   time.Time
	text string
	Snapshot
}

// newEnv has a directory without a FIFO, no pid file, the sync group G of A and B, and a Listener that does nothing yet.
func newEnv(t *testing.T) *testEnv {
	t.Helper()
	t.Parallel()
	dir := t.TempDir()
	w := &testEnv{t: t, now: time.Now(), pidPath: filepath.Join(dir, "vrrp.pid"), vips: map[string][]netip.Addr{}, local: map[netip.Addr]bool{}}
	w.Listener = New(Options{
		Path:    filepath.Join(dir, "fifo"),
		PIDFile: func() string { return w.pidPath },
		Conf: Conf{
			Named:          func(instance string) bool { return instance != "NAMELESS" },
			Members:        func(group string) []string { return map[string][]string{"G": {"A", "B"}}[group] },
			AdvertInterval: func(string) time.Duration { return time.Second },
			VIPs:           func(instance string) []netip.Addr { return w.vips[instance] },
		},
		Local: func() (map[netip.Addr]bool, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return maps.Clone(w.local), w.deaf
		},
		Changed: func(s Snapshot) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.seen = append(w.seen, sight{time.Now(), text(s), s})
		},
		Log: logTo(func(line string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.log = append(w.log, line)
		}),
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("the log:\n" + strings.Join(w.logged(""), "\n"))
		}
	})
	return w
}

// logTo hands on what is logged, debug lines apart.
func logTo(add func(line string)) logr.Logger {
	return funcr.New(func(_, args string) { add(args) }, funcr.Options{})
}

// newFIFO is a testEnv with a FIFO that somebody made before.
func newEnvWithFIFO(t *testing.T) *testEnv {
	t.Helper()
	w := newEnv(t)
	w.makeFIFO()
	return w
}

func (w *testEnv) makeFIFO() {
	w.t.Helper()
	if err := unix.Mkfifo(w.opts.Path, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// remakeFIFO does what Keepalived does on a reload with a FIFO that it made.
func (w *testEnv) remakeFIFO() {
	w.t.Helper()
	w.removeFIFO()
	w.makeFIFO()
}

func (w *testEnv) removeFIFO() {
	w.t.Helper()
	if err := os.Remove(w.opts.Path); err != nil {
		w.t.Fatal(err)
	}
}

// run lets the Listener live until the test ends, or until the returned function is called.
func (w *testEnv) run() (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				w.t.Errorf("Run: got error %v, want none", err)
			}
		case <-time.After(patience):
			w.t.Errorf("Run: got no return %v after its context ended, want one at once", patience)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// look lets the Listener look once, after a time that passes on the test's clock only. It is for what depends on how long
// something took, or on what happens between two looks.
func (w *testEnv) look(after time.Duration) {
	w.now = w.now.Add(after)
	w.pass(w.now)
	if w.settled(); w.stateFile.last != nil { // what was saved has just been read
		w.pass(w.now)
		w.settled()
	}
	if w.trust.vrrp.search.found != nil { // its result is there at the next look
		eventually(w.t, func() (string, bool) { return "the search goes on", len(w.trust.vrrp.search.found) == 1 })
	}
}

// settled waits until the state file's goroutine has nothing to do.
func (w *testEnv) settled() {
	w.t.Helper()
	f := w.stateFile
	if f.done == nil {
		return
	}
	eventually(w.t, func() (string, bool) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return "the states are not saved", f.last != nil || f.taken && f.next == nil
	})
}

// text is a snapshot to read: "no writer: A MASTER?, B BACKUP", with a question mark after a state that is suspended.
func text(s Snapshot) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(s.Instances)) {
		doubt := ""
		if s.Instances[name].Suspended {
			doubt = "?"
		}
		all = append(all, fmt.Sprintf("%s %v%s", name, s.Instances[name].State, doubt))
	}
	writer := "no writer:"
	if s.Connected {
		writer = "writer:"
	}
	return strings.TrimSpace(writer + " " + strings.Join(all, ", "))
}

// history returns all that was handed on.
func (w *testEnv) history() []sight {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}

func (w *testEnv) last() sight {
	seen := w.history()
	if len(seen) == 0 {
		return sight{text: text(Snapshot{})}
	}
	return seen[len(seen)-1]
}

// is asserts what was handed on last.
func (w *testEnv) is(want string) {
	w.t.Helper()
	if got := w.last().text; got != want {
		w.t.Fatalf("got %q, want %q", got, want)
	}
}

// becomes waits until this is handed on, after what was waited for before, however short it lasts.
func (w *testEnv) becomes(want string) (got sight) {
	w.t.Helper()
	eventually(w.t, func() (string, bool) {
		seen := w.history()
		for ; w.told < len(seen); w.told++ {
			if got = seen[w.told]; got.text == want {
				w.told++
				return "", true
			}
		}
		return fmt.Sprintf("got %q, want %q", w.last().text, want), false
	})
	return got
}

// never asserts that nothing that was handed on, ever, held an instance of this state that counts.
func (w *testEnv) never(instance string, state State) {
	w.t.Helper()
	for _, s := range w.history() {
		if inst := s.Instances[instance]; inst.State == state && !inst.Suspended {
			w.t.Errorf("got %q, want %s never %v", s.text, instance, state)
		}
	}
}

// logged returns the log lines that hold part.
func (w *testEnv) logged(part string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var lines []string
	for _, line := range w.log {
		if strings.Contains(line, part) {
			lines = append(lines, line)
		}
	}
	return lines
}

// said asserts how many log lines hold part.
func (w *testEnv) said(part string, want int) {
	w.t.Helper()
	if got := w.logged(part); len(got) != want {
		w.t.Errorf("log lines with %q: got %d, want %d", part, len(got), want)
	}
}

// eventually waits for ok; what says what is missing.
func eventually(t *testing.T, check func() (what string, ok bool)) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		what, ok := check()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s, even after %v", what, patience)
		}
		time.Sleep(time.Millisecond)
	}
}
