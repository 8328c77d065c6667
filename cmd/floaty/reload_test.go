package main_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"floaty/providers/simulator"
)

// with returns the host's floaty.yml with one text replaced by another.
func (w *env) with(old, fresh string) string {
	w.Helper()
	text := w.Floaty()
	if !strings.Contains(text, old) {
		w.Fatalf("%q is not in %s", old, text)
	}
	return strings.ReplaceAll(text, old, fresh)
}

// ways are the ways in which an editor, a tool or a mount changes a file.
var ways = map[string]func(w *env, name, text string) error{
	"in place": func(w *env, name, text string) error { return os.WriteFile(w.Path(name), []byte(text), 0o600) },
	"rename":   func(w *env, name, text string) error { return w.Configure(name, text) },
	"symlink": func(w *env, name, text string) error {
		target, link := fmt.Sprintf("%s.%d", w.Path(name), time.Now().UnixNano()), w.Path(name+".link")
		if err := os.WriteFile(target, []byte(text), 0o600); err != nil {
			return err
		}
		if err := os.Symlink(filepath.Base(target), link); err != nil {
			return err
		}
		return os.Rename(link, w.Path(name))
	},
}

func TestReload(t *testing.T) {
	t.Parallel()
	for way, change := range ways {
		t.Run(way, func(t *testing.T) {
			w := newEnv(t, one, two)
			w.must(w.Configure("floaty.yml", w.Floaty()+"managed-addresses: [198.51.100.1]\n"))
			w.start()
			w.says("MASTER")
			w.holds(time.Second, one)

			w.must(change(w, "floaty.yml", w.Floaty()+"managed-addresses: [198.51.100.2]\n"))
			w.holds(time.Second, two)
			w.Cloud.Move(one, stranger)
			w.never("an address that is no longer managed was moved", interval*12/10, func() bool { return w.here(one) })

			w.Cloud.SetToken("another")
			w.must(change(w, "floaty.yml", w.with("token: the-token-of-the-tests", "token-file: token")+"managed-addresses: [198.51.100.1]\n"))
			w.eventually("the missing file is named", time.Second, func() bool { return w.logged("token-file") > 0 })
			w.must(change(w, "token", "another"))
			w.holds(time.Second, one)

			w.Cloud.SetToken("a-third")
			time.Sleep(interval)
			w.Cloud.Move(one, stranger)
			w.must(change(w, "token", "a-third"))
			w.holds(time.Second, one)

			w.must(change(w, "floaty.yml", w.with("token: the-token-of-the-tests", "token-file: token"))) // addresses from keepalived.conf
			w.holds(time.Second, one, two)
			w.must(change(w, "keepalived.conf", w.Keepalived(100, "", two)))
			w.eventually("the address is dropped", time.Second, func() bool { return w.logged("removed") > 0 && w.logged("keepalived.conf") > 0 })
			w.Cloud.Move(one, stranger)
			w.never("an address that is no longer in keepalived.conf was moved", interval*12/10, func() bool { return w.here(one) })
			w.must(change(w, "keepalived.conf", w.Keepalived(100, "", one, two)))
			w.holds(time.Second, one)
		})
	}
}

func TestAReloadOfTimingsKeepsMASTER(t *testing.T) {
	w := newEnv(t, one)
	w.must(w.Configure("floaty.yml", w.with("refresh-interval: 2s", "refresh-interval: 1h")))
	w.start()
	w.says("MASTER")
	w.holds(time.Second, one)
	w.Cloud.ForgetCalls()
	w.must(w.Configure("floaty.yml", w.with("refresh-interval: 2s", "refresh-interval: 500ms")))
	w.eventually("the new interval is in force", time.Second, func() bool { return len(w.Cloud.Calls()) >= 1 })
	w.eventually("the cloud is read once more", time.Second, func() bool { return len(w.Cloud.Calls()) >= 2 })
	if n := len(w.Writes()); n != 0 {
		t.Errorf("got %d writes, want none, because the address is in place", n)
	}
	w.Cloud.Move(one, stranger)
	w.holds(time.Second, one)
}

func TestAnIncludedFileIsWatched(t *testing.T) {
	w := newEnv(t, one, two)
	w.must(os.Mkdir(w.Path("conf.d"), 0o700))
	instance := w.Keepalived(100, "", one)
	w.must(w.Configure("keepalived.conf", "include conf.d/*.conf\n"))
	w.must(w.Configure("conf.d/vi.conf", instance))
	w.start()
	w.says("MASTER")
	w.holds(time.Second, one)
	w.must(w.Configure("conf.d/vi.conf", w.Keepalived(100, "", one, two)))
	w.holds(time.Second, two)
	w.must(w.Configure("conf.d/other.conf", strings.ReplaceAll(strings.ReplaceAll(instance, "VI_1", "VI_2"), one.String(), "198.51.100.9")))
	w.eventually("a new file is read", time.Second, func() bool { return w.logged("198.51.100.9") > 0 })
}

func TestAnUnusableEditLeavesTheConfigurationInForce(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	w.says("MASTER")
	w.holds(time.Second, one)
	good := w.Floaty()
	for _, c := range []struct{ name, text string }{
		{"not YAML", "{{{"},
		{"empty", ""},
		{"an unknown key", good + "refresh: 1s\n"},
		{"a bad address", good + "managed-addresses: [198.51.100.300]\n"},
		{"half a file", good[:strings.Index(good, "token")]},
		{"a bad keepalived.conf", ""},
		{"removed", ""},
	} {
		before := w.loggedInTotal("stays in force")
		switch c.name {
		case "removed":
			w.must(os.Remove(w.Path("floaty.yml")))
		case "a bad keepalived.conf":
			w.must(w.Configure("keepalived.conf", "vrrp_instance VI_1 {\n"))
		default:
			w.must(w.Configure("floaty.yml", c.text))
		}
		w.eventually(c.name+": the error is logged", time.Second, func() bool { return w.logged("stays in force") == before+1 })
		w.Cloud.Move(one, stranger)
		w.holds(interval*12/10, one)
		if n := w.loggedInTotal("stays in force"); n != before+1 {
			t.Errorf("%s: got %d lines, want one", c.name, n-before)
		}
		w.must(w.Configure("keepalived.conf", w.Keepalived(100, "", one)))
		w.must(w.Configure("floaty.yml", good))
		time.Sleep(700 * time.Millisecond) // the corrected file has been read, so that the next error is logged again
	}
}

func TestSIGHUPReadsTheConfigurationAgain(t *testing.T) {
	w := newEnv(t, one)
	w.start("--verbose", "--fifo", w.Path("floaty.yml"), w.FIFO)
	w.eventually("newly watched files are read once more", time.Second, func() bool { return w.logged("read again") == 1 })
	w.must(w.HangUpFloaty())
	w.eventually("the configuration is read again, though nothing was edited", time.Second, func() bool { return w.logged("read again") == 2 })
	if n := w.loggedInTotal("INFO configuration read again: nothing has changed"); n != 1 {
		t.Errorf("got %d lines at level INFO, want one: only SIGHUP asked for a read", n)
	}
}

func TestTwoDaemonsShareAStateDir(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	w.says("MASTER")
	w.holds(time.Second, one)
	w.must(w.Configure("other.yml", w.Floaty())) // the same state-dir
	w.CloseFIFO()
	w.StopFloaty()
	w.Cloud.Move(one, stranger)
	w.must(w.Say("")) // a writer, so that a saved MASTER might count
	w.must(w.StartFloaty("--fifo", w.Path("other.yml"), w.FIFO))
	w.never("written with the states of the other daemon", 2*time.Second, func() bool { return w.here(one) })
	files, err := filepath.Glob(w.Path("state/*.states"))
	w.must(err)
	if len(files) != 2 {
		t.Errorf("got %v in state-dir, want a file for each configuration", files)
	}
}

func TestChangesThatNeedARestartAreLogged(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	w.must(w.Configure("floaty.yml", w.Floaty()+"listen-address: 127.0.0.1:9999\n"))
	w.eventually("the needed restart is logged", time.Second, func() bool { return w.logged("needs a restart") == 1 })
	w.must(w.Configure("floaty.yml", w.Floaty()))
	w.eventually("the reversal is logged", time.Second, func() bool { return w.logged("was reverted") == 1 })
	if n := w.loggedInTotal("configuration changed"); n != 0 {
		t.Errorf("got %d lines about a change, want none", n)
	}
	w.must(w.Configure("floaty.yml", w.with("refresh-interval: 2s", "refresh-interval: 3s")+"listen-address: 127.0.0.1:9999\n"))
	w.eventually("the change that needs no restart is logged", time.Second, func() bool { return w.logged("configuration changed") == 1 })
	if n := w.loggedInTotal("needs a restart"); n != 2 {
		t.Errorf("got %d lines about a restart, want 2", n)
	}
	for line := range strings.Lines(w.Log()) {
		if strings.Contains(line, "configuration changed") && strings.Contains(line, "listen-address") {
			t.Errorf("got %q, want no change reported in force that needs a restart", line)
		}
	}
}

func TestARenamedInstanceIsLoggedAsRemoved(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	w.must(w.Configure("keepalived.conf", strings.ReplaceAll(w.Keepalived(100, "", one), "VI_1", "VI_2")))
	w.eventually("both names are logged", time.Second, func() bool { return w.logged("instance VI_1 removed, instance VI_2 added") == 1 })
}

func TestAReloadNamesTheAddressesThatItAddsAndRemoves(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	w.must(w.Configure("keepalived.conf", w.Keepalived(100, "", two, three)))
	w.eventually("the addresses are logged", time.Second, func() bool {
		return w.logged(fmt.Sprintf(`added="%v, %v" removed=%v`, two, three, one)) == 1
	})
	many := make([]netip.Addr, 12)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{203, 0, 113, byte(i)})
	}
	w.must(w.Configure("keepalived.conf", w.Keepalived(100, "", many...)))
	w.eventually("the line stays short", time.Second, func() bool { return w.logged("203.0.113.9, 2 more") == 1 })
}

func TestTheFirstLineDescribesTheDaemon(t *testing.T) {
	w := newEnv(t, one, two)
	w.start()
	for _, want := range []string{"provider=cloudscale", "server=", "fifo=" + w.FIFO, "instances=1", "addresses=2"} {
		if w.loggedInTotal(want) == 0 {
			t.Errorf("got the log %q, want %s in it", w.Log(), want)
		}
	}
}

func TestAReloadDuringRetryAfterMakesNoCall(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	w.says("MASTER")
	w.holds(time.Second, one)
	w.Cloud.Fail(simulator.Fault{Kind: simulator.Status, Status: 429, RetryAfter: "60", Times: 1})
	w.eventually("the cloud asks to wait", 3*interval, func() bool { return w.logged("asks to wait") == 1 })
	time.Sleep(200 * time.Millisecond) // the calls in progress have ended
	w.Cloud.ForgetCalls()
	w.must(w.Configure("floaty.yml", w.with("refresh-interval: 2s", "refresh-interval: 3s")))
	w.eventually("the new interval is in force", time.Second, func() bool { return w.logged("configuration changed") == 1 })
	w.never("a call was made", 2*time.Second, func() bool { return len(w.Cloud.Calls()) > 0 })
}

func TestReloadsLogWarningsOnceAndLeakNoConnection(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	w.says("MASTER")
	w.holds(time.Second, one)
	w.must(w.Configure("keepalived.conf", "include /nonexistent/x.conf\n"+w.Keepalived(100, "", one)))
	w.eventually("the missing file is named", time.Second, func() bool { return w.logged("/nonexistent/x.conf") == 1 })
	before := w.sockets()
	for i := range 5 {
		w.must(w.Configure("floaty.yml", w.with("refresh-interval: 2s", fmt.Sprintf("refresh-interval: %ds", 3+i))))
		w.eventually("the new interval is in force", time.Second, func() bool { return w.logged("configuration changed") == i+1 })
		w.must(w.HangUpFloaty())
	}
	time.Sleep(500 * time.Millisecond) // the last SIGHUP has been handled
	if n := w.loggedInTotal("/nonexistent/x.conf"); n != 1 {
		t.Errorf("got %d lines about the missing file, want one", n)
	}
	if after := w.sockets(); after > before+1 {
		t.Errorf("got %d sockets after five new intervals, want about as many as before, %d", after, before)
	}
}

// sockets returns how many sockets floaty has open.
func (w *env) sockets() int {
	w.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", w.FloatyPID())
	entries, err := os.ReadDir(dir)
	w.must(err)
	n := 0
	for _, e := range entries {
		if link, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && strings.HasPrefix(link, "socket:") {
			n++
		}
	}
	return n
}

func TestATokenIsRotatedDespiteAnUnneededBrokenKeepalivedConf(t *testing.T) {
	w := newEnv(t, one)
	w.must(w.Configure("token", "the-token-of-the-tests"))
	w.must(w.Configure("floaty.yml", w.with("token: the-token-of-the-tests", "token-file: token")+"managed-addresses: [198.51.100.1]\n"))
	w.start()
	w.says("MASTER")
	w.holds(time.Second, one)
	w.must(w.Configure("keepalived.conf", "vrrp_instance VI_1 {\n"))
	w.eventually("the broken file is named", time.Second, func() bool { return w.logged("its previous content stays in force") == 1 })
	w.Cloud.SetToken("another")
	w.must(w.Configure("token", "another"))
	w.eventually("the new token is in force", time.Second, func() bool { return w.logged("cloudscale.token changed") == 1 })
	w.Cloud.Move(one, stranger)
	w.holds(interval*12/10, one)
	if n := w.loggedInTotal("its previous content stays in force"); n != 1 {
		t.Errorf("got %d lines about the broken file, want one", n)
	}
}

func TestFixingAnUnusableEditIsLogged(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	good := w.Floaty()
	w.must(w.Configure("floaty.yml", good+"nonsense: 1\n"))
	w.eventually("the error is logged", time.Second, func() bool { return w.logged("stays in force") == 1 })
	w.must(w.Configure("floaty.yml", good))
	w.eventually("the correction is logged", time.Second, func() bool { return w.logged("valid again") == 1 })
}
