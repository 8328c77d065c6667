package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startFakeKeepalived starts a process whose program is named keepalived, and returns its ID.
func (w *env) startFakeKeepalived() int {
	w.Helper()
	sleep, err := exec.LookPath("sleep")
	w.must(err)
	program, err := os.ReadFile(sleep) //nolint:gosec // a program of the system
	w.must(err)
	path := filepath.Join(w.TempDir(), "keepalived")
	w.must(os.WriteFile(path, program, 0o700)) //nolint:gosec // it must be executable
	var cmd *exec.Cmd
	w.eventually("the program starts", 5*time.Second, func() bool {
		cmd = exec.Command(path, "60")
		return cmd.Start() == nil // it fails with "text file busy" while a process that another test has just forked has the file open
	})
	w.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

func TestCheckWarnsAboutInstancesThatAReloadWouldForget(t *testing.T) {
	bare := "vrrp_instance VI_1 {\n interface lo\n}\n"
	for what, c := range map[string]struct {
		conf       string // keepalived.conf; empty: with a virtual address
		identified bool
		warns      bool
	}{
		"no virtual address and no process": {conf: bare, warns: true},
		"an identified process":             {conf: bare, identified: true},
		"a virtual address":                 {},
	} {
		t.Run(what, func(t *testing.T) {
			w := newEnv(t, one)
			w.must(w.Configure("floaty.yml", w.Floaty()+"managed-addresses: [198.51.100.1]\n"))
			if c.conf == "" {
				c.conf = w.Keepalived(100, "", one)
			}
			w.must(w.Configure("keepalived.conf", c.conf))
			if c.identified {
				w.must(w.Configure("vrrp.pid", fmt.Sprintln(w.startFakeKeepalived())))
			}
			for _, format := range []string{"text", "json"} {
				status, stdout, stderr := run(t, "--check", "--output", format, w.Path("floaty.yml"))
				if status != 0 {
					t.Errorf("got status %d, want 0: %s", status, stderr)
				}
				if got := strings.Contains(stdout, "cannot identify Keepalived's process"); got != c.warns {
					t.Errorf("%s: got a warning: %v, want %v:\n%s", format, got, c.warns, stdout)
				}
			}
		})
	}
}

// The pid file has another path if a host runs several Keepaliveds (instance NAME), or one in another network namespace.
func TestThePIDFileFollowsFromKeepalivedConf(t *testing.T) {
	w := newEnv(t, one)
	own := "keepalived-pid-file: " + w.Path("vrrp.pid") + "\n"
	without := strings.Replace(w.Floaty(), own, "", 1)
	for what, c := range map[string]struct{ floaty, conf, want string }{
		"as configured":          {w.Floaty(), "instance two\n", w.Path("vrrp.pid")},
		"of an instance":         {without, "instance floaty_test\n", "/run/keepalived/vrrp_floaty_test.pid"},
		"of a network namespace": {without, "net_namespace floaty_test\n", "/run/keepalived/floaty_test/vrrp.pid"},
	} {
		w.must(w.Configure("floaty.yml", c.floaty+"managed-addresses: [198.51.100.1]\n"))
		w.must(w.Configure("keepalived.conf", c.conf+"vrrp_instance VI_1 {\n interface lo\n}\n"))
		_, stdout, _ := run(t, "--check", w.Path("floaty.yml"))
		if !strings.Contains(stdout, "open "+c.want+":") {
			t.Errorf("%s: got %s, want the attempt to open %s in it", what, stdout, c.want)
		}
	}
}
