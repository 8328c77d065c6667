package main_test

import (
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"floaty/hack/testenv"
	"floaty/providers/simulator"
)

// newExoscale returns an env at Exoscale, where operations take 300 ms.
func newExoscale(t *testing.T) *env {
	t.Helper()
	w := newEnv(t, one, two)
	w.Cloud.SetOperationTime(300 * time.Millisecond)
	w.must(w.Configure("floaty.yml", w.FloatyAtExoscale()))
	return w
}

func TestATakeoverOnExoscaleSurvivesFailures(t *testing.T) {
	t.Parallel()
	status := func(code int) simulator.Fault { return simulator.Fault{Kind: simulator.Status, Status: code, Times: 2} }
	for name, fault := range map[string]simulator.Fault{
		"401": status(401), "403": status(403), "404": status(404), "409": status(409), "500": status(500), "503": status(503),
		"429":                         {Kind: simulator.Status, Status: 429, RetryAfter: "1", Times: 1},
		"no answer":                   {Kind: simulator.Hang, Times: 1},
		"a reset":                     {Kind: simulator.Reset, Times: 2},
		"broken JSON":                 {Kind: simulator.BrokenJSON, Times: 2},
		"an operation that fails":     {Kind: simulator.OperationFailure, Times: 2},
		"an operation that times out": {Kind: simulator.OperationTimeout, Times: 2},
	} {
		for _, step := range []string{":attach", ":detach"} {
			t.Run(name+" "+step, func(t *testing.T) {
				w := newExoscale(t)
				w.must(w.Configure("floaty.yml", w.FloatyAtExoscale()+"refresh-timeout: 3s\n"))
				w.start()
				f := fault
				f.Method, f.Path = "PUT", simulator.ElasticIPID(one)+step
				w.Cloud.Fail(f)
				w.says("MASTER")
				if fault.RetryAfter == "" && fault.Status != 401 { // those delay all calls to the cloud
					w.holds(3*time.Second, two)
				}
				w.holds(15*time.Second, one, two)
			})
		}
	}
}

// As long as a dead host stays attached in addition to this one, a share of the traffic goes to it.
func TestADeadHostDoesNotStayAttached(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(*env){
		"get-operation is forbidden": func(w *env) {
			w.Cloud.Fail(simulator.Fault{Path: "/v2/operation/", Kind: simulator.Status, Status: 403})
		},
		"get-operation finds nothing": func(w *env) {
			w.Cloud.Fail(simulator.Fault{Path: "/v2/operation/", Kind: simulator.Status, Status: 404})
		},
		"operations outlive refresh-timeout": func(w *env) { w.Cloud.SetOperationTime(1500 * time.Millisecond) },
		"operations seem to hang": func(w *env) {
			w.Cloud.Fail(simulator.Fault{Kind: simulator.OperationUnfinished})
		},
		"a second attachment fails": func(w *env) {
			w.Cloud.SetAttachFailure(true)
			w.Cloud.Move(one, stranger, w.UUID)
			w.Cloud.Move(two, stranger, w.UUID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newExoscale(t)
			w.must(w.Configure("floaty.yml", w.FloatyAtExoscale()+"refresh-timeout: 1s\n"))
			for _, addr := range []netip.Addr{one, two} {
				w.Cloud.Move(addr, stranger)
			}
			arrange(w)
			w.start()
			w.says("MASTER")
			w.holds(12*time.Second, one, two)
			for _, addr := range []netip.Addr{one, two} {
				for _, change := range w.Cloud.History(addr)[1:] {
					if len(change.Holders) == 0 {
						t.Errorf("got %v without a holder at %v, want always one", addr, change.At)
					}
				}
			}
			if forbidden := strings.HasPrefix(name, "get-operation"); forbidden != (w.loggedInTotal("allow get-operation") > 0) {
				t.Errorf("got a line about a missing permission: %v, want %v", !forbidden, forbidden)
			}
		})
	}
}

func TestAnUnknownElasticIPDelaysNoOther(t *testing.T) {
	w := newExoscale(t)
	w.Cloud.RemoveAddress(two)
	w.start()
	w.says("MASTER")
	w.holds(3*time.Second, one)
	w.eventually("the missing elastic IP is logged", 3*time.Second, func() bool { return w.logged("no elastic IP "+two.String()) > 0 })
}

func TestADryRunOnExoscaleNamesAllHolders(t *testing.T) {
	w := newExoscale(t)
	w.Cloud.Move(one, stranger, w.UUID)
	w.Cloud.SetManaged(two, true)
	w.Cloud.Move(two, stranger, w.UUID)
	status, stdout, _ := run(t, "--dry-run", w.Path("floaty.yml"))
	want := "~ 198.51.100.1   " + w.UUID + ", " + stranger + " → " + w.UUID + "   VI_1\n"
	if status != 1 || !strings.Contains(stdout, want) || !strings.Contains(stdout, "= 198.51.100.2 ") {
		t.Errorf("got status %d and\n%s\nwant 1 and\n%s", status, stdout, want)
	}
	if status, stdout, _ := run(t, "--test", w.Path("floaty.yml")); status != 0 || !strings.Contains(stdout, "shared: it has a health check") {
		t.Errorf("got status %d and\n%s\nwant 0 and one address reported as shared", status, stdout)
	}
	if n := len(w.Writes()); n != 0 {
		t.Errorf("got %d writes, want none", n)
	}
}

func TestNewKeysOfExoscaleAreUsedAtOnce(t *testing.T) {
	w := newExoscale(t)
	w.must(w.Configure("secret", testenv.Secret))
	w.must(w.Configure("floaty.yml", strings.Replace(w.FloatyAtExoscale(), "secret: "+testenv.Secret, "secret-file: secret", 1)))
	w.start()
	w.says("MASTER")
	w.holds(3*time.Second, one, two)
	w.Cloud.SetKey(testenv.Key, "another-secret")
	w.eventually("the refusal is logged", 3*interval, func() bool { return w.logged("does not accept the credential") == 1 })
	w.Cloud.Move(one, stranger)
	w.must(w.Configure("secret", "another-secret"))
	w.holds(3*time.Second, one, two)
}

// Two hosts become MASTER and BACKUP in turn, at random times, while operations take 300 ms: their attachments and detachments overlap.
// An address may be without a holder only until the next verification, or until its pace allows another write: by then, each host has made
// its four writes in a row and may write once per second (waits of up to 0.83 s were seen).
func TestTwoHostsSwapRolesOnExoscale(t *testing.T) {
	w := newExoscale(t)
	other, err := w.AddHost(t.Context(), "lb2")
	w.must(err)
	w.must(other.Configure("floaty.yml", other.FloatyAtExoscale()))
	w.must(other.Configure("keepalived.conf", other.Keepalived(100, "", one, two)))
	w.start()
	w.must(other.StartFloaty())
	w.eventually("the other host makes its FIFO", 5*time.Second, func() bool { _, err := os.Stat(other.FIFO); return err == nil })
	hosts := []*testenv.Host{w.Host, other}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a fixed seed, so that the delays are the same each time
	for i := range 31 {
		w.must(hosts[(i+1)%2].Say(`INSTANCE "VI_1" BACKUP 100`))
		w.must(hosts[i%2].Say(`INSTANCE "VI_1" MASTER 100`))
		time.Sleep(time.Duration(random.IntN(900)) * time.Millisecond)
	}
	w.holds(6*time.Second, one, two) // the first host is MASTER in the end
	w.never("lost again", 2*interval, func() bool { return !w.here(one) || !w.here(two) })
	const pace = time.Second
	const most = time.Second + pace + time.Second // the verification; the pace; then a reading and an attachment with its operation
	for _, addr := range []netip.Addr{one, two} {
		longest := time.Duration(0)
		history := w.Cloud.History(addr)
		for i, change := range history[:len(history)-1] {
			if len(change.Holders) == 0 {
				longest = max(longest, history[i+1].At.Sub(change.At))
			}
		}
		if len(history) < 10 {
			t.Errorf("got %v moved %d times, want at least 10", addr, len(history))
		}
		if longest > most {
			t.Errorf("got %v without a holder for %v, want at most %v", addr, longest, most)
		}
	}
}
