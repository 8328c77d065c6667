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

// playsKeepalived starts a process that runs a program of that name, and returns its ID.
func (w *env) playsKeepalived() int {
	w.Helper()
	sleep, err := exec.LookPath("sleep")
	w.must(err)
	program, err := os.ReadFile(sleep) //nolint:gosec // a program of the system
	w.must(err)
	path := filepath.Join(w.TempDir(), "keepalived")
	w.must(os.WriteFile(path, program, 0o700)) //nolint:gosec // it must be executable
	var cmd *exec.Cmd
	w.eventually("the program is run", 5*time.Second, func() bool {
		cmd = exec.Command(path, "60")
		return cmd.Start() == nil // "text file busy", as long as a process that another test starts has it open
	})
	w.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

func TestCheckWarnsOfInstancesThatAReloadWouldForget(t *testing.T) {
	bare := "vrrp_instance VI_1 {\n interface lo\n}\n"
	for what, c := range map[string]struct {
		conf       string // keepalived.conf; empty: with a virtual address
		identified bool
		says       bool
	}{
		"no virtual address and no process": {conf: bare, says: true},
		"the process is there":              {conf: bare, identified: true},
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
				w.must(w.Configure("vrrp.pid", fmt.Sprintln(w.playsKeepalived())))
			}
			for _, format := range []string{"text", "json"} {
				status, stdout, stderr := run(t, "--check", "--output", format, w.Path("floaty.yml"))
				if status != 0 {
					t.Errorf("status %d, want 0: %s", status, stderr)
				}
				if got := strings.Contains(stdout, "cannot identify Keepalived's process"); got != c.says {
					t.Errorf("%s: said %v, want %v:\n%s", format, got, c.says, stdout)
				}
			}
		})
	}
}

// The pid file is elsewhere if a host runs several Keepaliveds (instance NAME), or one in another network namespace.
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
			t.Errorf("%s: got %s, want %s asked for", what, stdout, c.want)
		}
	}
}
