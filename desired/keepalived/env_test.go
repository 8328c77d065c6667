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

	"floaty/providers/providertest"

	"golang.org/x/sys/unix"
)

// patience is how long a test waits for something that must happen. A test that passes does not wait that long.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == fakeKeepalived {
		runFakeKeepalived()
		return
	}
	os.Exit(m.Run())
}

// A testEnv is a host with a Listener: the path of a FIFO, a pid file, keepalived.conf, and local addresses.
type testEnv struct {
	*Listener
	t       *testing.T
	now     time.Time // the time of the last pass, if the test calls step
	pidPath string    // the path of the pid file
	vips    map[string][]netip.Addr
	waited  int // how many reports waitFor has gone through

	mu       sync.Mutex // guards all below
	local    map[netip.Addr]bool
	localErr error // the error of listing the local addresses
	reported []report
	log      providertest.Log
}

// A report is a snapshot that the Listener reported, with the time.
type report struct {
	at   time.Time
	text string
	Snapshot
}

// newEnv returns a host with an empty directory for the FIFO, no pid file, a sync group G of A and B, and a Listener that is not
// running.
func newEnv(t *testing.T) *testEnv {
	t.Helper()
	t.Parallel()
	dir := t.TempDir()
	env := &testEnv{t: t, now: time.Now(), pidPath: filepath.Join(dir, "vrrp.pid"), vips: map[string][]netip.Addr{}, local: map[netip.Addr]bool{}}
	env.Listener = New(Options{
		Path:    filepath.Join(dir, "fifo"),
		PIDFile: func() string { return env.pidPath },
		Conf: Conf{
			Named:          func(instance string) bool { return instance != "NAMELESS" },
			Members:        func(group string) []string { return map[string][]string{"G": {"A", "B"}}[group] },
			AdvertInterval: func(string) time.Duration { return time.Second },
			VIPs:           func(instance string) []netip.Addr { return env.vips[instance] },
		},
		Local: func() (map[netip.Addr]bool, error) {
			env.mu.Lock()
			defer env.mu.Unlock()
			return maps.Clone(env.local), env.localErr
		},
		Changed: func(s Snapshot) {
			env.mu.Lock()
			defer env.mu.Unlock()
			env.reported = append(env.reported, report{time.Now(), format(s), s})
		},
		Log: env.log.Logger(),
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("the log:\n" + strings.Join(env.log.Lines(""), "\n"))
		}
	})
	return env
}

// newEnvWithFIFO is like newEnv, but the FIFO exists already.
func newEnvWithFIFO(t *testing.T) *testEnv {
	t.Helper()
	env := newEnv(t)
	env.makeFIFO()
	return env
}

func (env *testEnv) makeFIFO() {
	env.t.Helper()
	if err := unix.Mkfifo(env.opts.Path, 0o600); err != nil {
		env.t.Fatal(err)
	}
}

// remakeFIFO removes the FIFO and creates it again, as Keepalived does on a reload with a FIFO that it created.
func (env *testEnv) remakeFIFO() {
	env.t.Helper()
	env.removeFIFO()
	env.makeFIFO()
}

func (env *testEnv) removeFIFO() {
	env.t.Helper()
	if err := os.Remove(env.opts.Path); err != nil {
		env.t.Fatal(err)
	}
}

// run runs the Listener until the test ends or stop is called.
func (env *testEnv) run() (stop func()) {
	env.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- env.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				env.t.Errorf("Run: got error %v, want none", err)
			}
		case <-time.After(patience):
			env.t.Errorf("Run: got no return %v after its context ended, want one at once", patience)
		}
	})
	env.t.Cleanup(stop)
	return stop
}

// step makes one pass of a Listener that is not running. By the test's own clock, the pass comes this long after the last one. step is
// for tests in which exact durations matter, or what happens between two passes.
func (env *testEnv) step(after time.Duration) {
	env.now = env.now.Add(after)
	env.pass(env.now)
	if env.waitSaved(); env.stateFile.last != nil { // the saved states have just been read
		env.pass(env.now)
		env.waitSaved()
	}
	if env.trust.vrrp.search.found != nil { // the next pass must see its result
		eventually(env.t, func() (string, bool) { return "the search has not ended", len(env.trust.vrrp.search.found) == 1 })
	}
}

// waitSaved waits until the state file's goroutine has nothing to do.
func (env *testEnv) waitSaved() {
	env.t.Helper()
	f := env.stateFile
	if f.done == nil {
		return
	}
	eventually(env.t, func() (string, bool) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return "the states are not saved", f.last != nil || f.taken && f.next == nil
	})
}

// format returns a snapshot as text, such as "no writer: A MASTER?, B BACKUP"; a question mark follows a state that is suspended.
func format(s Snapshot) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(s.Instances)) {
		mark := ""
		if s.Instances[name].Suspended {
			mark = "?"
		}
		all = append(all, fmt.Sprintf("%s %v%s", name, s.Instances[name].State, mark))
	}
	writer := "no writer:"
	if s.Connected {
		writer = "writer:"
	}
	return strings.TrimSpace(writer + " " + strings.Join(all, ", "))
}

// reports returns all reports so far.
func (env *testEnv) reports() []report {
	env.mu.Lock()
	defer env.mu.Unlock()
	return slices.Clone(env.reported)
}

func (env *testEnv) last() report {
	seen := env.reports()
	if len(seen) == 0 {
		return report{text: format(Snapshot{})}
	}
	return seen[len(seen)-1]
}

// wantLast checks the text of the last report.
func (env *testEnv) wantLast(want string) {
	env.t.Helper()
	if got := env.last().text; got != want {
		env.t.Fatalf("got %q, want %q", got, want)
	}
}

// waitFor waits for a report with this text that comes after those that earlier calls have gone through. Another report may follow it at
// once.
func (env *testEnv) waitFor(want string) (got report) {
	env.t.Helper()
	eventually(env.t, func() (string, bool) {
		seen := env.reports()
		for ; env.waited < len(seen); env.waited++ {
			if got = seen[env.waited]; got.text == want {
				env.waited++
				return "", true
			}
		}
		return fmt.Sprintf("got %q, want %q", env.last().text, want), false
	})
	return got
}

// wantNever checks that an instance was never reported in this state without being suspended.
func (env *testEnv) wantNever(instance string, state State) {
	env.t.Helper()
	for _, s := range env.reports() {
		if inst := s.Instances[instance]; inst.State == state && !inst.Suspended {
			env.t.Errorf("got %q, want %s never %v", s.text, instance, state)
		}
	}
}

// wantLogged checks how many log lines contain part.
func (env *testEnv) wantLogged(part string, want int) {
	env.t.Helper()
	if got := env.log.Lines(part); len(got) != want {
		env.t.Errorf("log lines with %q: got %d, want %d", part, len(got), want)
	}
}

// eventually waits until check returns ok. If that does not happen in time, the test fails with the text what.
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
