package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"floaty/hack/testenv"
)

// renamed returns a keepalived.conf with other names for Keepalived's processes.
func renamed(conf string) string {
	return strings.Replace(conf, "global_defs {", "global_defs {\n    process_name ka-main\n    vrrp_process_name ka-vrrp", 1)
}

// unregistered returns the host's floaty.yml with the path of a pid file that does not exist.
func unregistered(h *testenv.Host) string {
	return strings.Replace(h.Floaty(), h.Path("vrrp.pid"), h.Path("none.pid"), 1)
}

// The VRRP process can be found only as the writer of the FIFO, and no address on an interface shows whether it is MASTER.
func TestARenamedKeepalivedWithoutAPIDFile(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) *env {
		w := newEnv(t)
		for _, h := range []*testenv.Host{w.a, w.b} {
			w.must(h.Configure("bare.conf", "vrrp_instance VI_1 {\n}\n")) // floaty reads no addresses here; Keepalived 2.2.7 requires one with VRRPv3, so its own file has them
			floaty := strings.Replace(unregistered(h), h.Path("keepalived.conf"), h.Path("bare.conf"), 1)
			w.must(h.Configure("floaty.yml", floaty+fmt.Sprintf("managed-addresses: [%s, %s]\n", addrs[0], addrs[1])))
		}
		w.must(w.a.Configure("keepalived.conf", renamed(w.a.Keepalived(150, "", addrs...))))
		w.must(w.b.Configure("keepalived.conf", renamed(w.b.Keepalived(100, "", addrs...))))
		w.start(w.a, w.b)
		w.at(w.a, 15*time.Second)
		w.saved(w.a)
		return w
	}
	t.Run("reloaded", func(t *testing.T) {
		w := start(t)
		for range 2 {
			w.must(w.a.ReloadKeepalived())
			time.Sleep(time.Second)
			w.steal()
			w.at(w.a, interval*12/10+time.Second)
		}
	})
	t.Run("killed", func(t *testing.T) {
		w := start(t)
		w.a.KillKeepalived()
		w.at(w.b, 10*time.Second)
		w.Cloud.ForgetCalls()
		w.must(w.a.Configure("keepalived.conf", renamed(w.a.Keepalived(50, "    track_script {\n        slow\n    }", addrs...))))
		w.must(w.a.StartKeepalived()) // it reports no state for 2 s
		w.writesNothing(w.a, 2*interval)
	})
	t.Run("floaty restarted", func(t *testing.T) {
		w := start(t)
		w.a.KillFloaty()
		w.must(w.a.StartFloaty())
		time.Sleep(time.Second)
		w.steal()
		w.at(w.a, interval*12/10+time.Second)
	})
}

// Keepalived's addresses are in a different network namespace from floaty's.
func TestKeepalivedInItsOwnNetworkNamespace(t *testing.T) {
	w := newEnv(t)
	conf := strings.Replace(w.a.Keepalived(150, "", addrs...), "global_defs {", "net_namespace "+w.b.Space()+"\nglobal_defs {", 1)
	w.must(w.a.Configure("keepalived.conf", conf))
	w.start(w.a)
	w.at(w.a, 15*time.Second)
	w.saved(w.a)
	w.a.KillFloaty()
	w.must(w.a.StartFloaty())
	time.Sleep(time.Second)
	w.steal()
	w.at(w.a, interval*12/10+time.Second)
}

// A notify script that pipes floaty's log elsewhere outlives Keepalived, so floaty must notice Keepalived's end itself.
func TestANotifyScriptBehindAPipeEndsWithItsKeepalived(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct{ conf func(string) string }{
		"with its usual name": {func(conf string) string { return conf }},
		"with another name":   {renamed},
	} {
		t.Run(what, func(t *testing.T) {
			w := newEnv(t)
			for _, h := range []*testenv.Host{w.a, w.b} {
				script := fmt.Sprintf("#!/bin/sh\n%q %q \"$@\" 2>&1 | cat >>%q\n", w.Program(), h.Path("floaty.yml"), h.Path("floaty.log"))
				w.must(os.WriteFile(h.Path("notify"), []byte(script), 0o700)) //nolint:gosec // a script
				w.must(h.Configure("floaty.yml", unregistered(h)))
			}
			more := func(h *testenv.Host) string { return fmt.Sprintf("    notify %q", h.Path("notify")) }
			plain := func(conf string) string { return strings.Replace(conf, "    enable_script_security\n", "", 1) }
			w.must(w.a.Configure("keepalived.conf", plain(c.conf(w.a.Keepalived(150, more(w.a), addrs...)))))
			w.must(w.b.Configure("keepalived.conf", plain(c.conf(w.b.Keepalived(100, more(w.b), addrs...)))))
			w.must(w.a.StartKeepalived())
			w.at(w.a, 15*time.Second)
			w.must(w.b.StartKeepalived())
			time.Sleep(time.Second) // so that it hears the first one
			w.a.KillKeepalived()
			w.gone(w.a, 2*time.Second)
			w.at(w.b, 10*time.Second)
			w.Cloud.ForgetCalls()
			w.writesNothing(w.a, 2*interval)
		})
	}
}
