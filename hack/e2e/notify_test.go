package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"floaty/hack/testenv"
)

// scripted configures a host whose Keepalived starts floaty itself, as its notify script or as its FIFO's script. Keepalived considers
// scripts in a temporary directory unsafe, so script security is left off.
func (w *env) scripted(h *testenv.Host, priority int, asFIFO bool) {
	w.Helper()
	command := fmt.Sprintf("%s %s", w.Program(), h.Path("floaty.yml"))
	more, fifo := fmt.Sprintf("    notify %q", command), ""
	if asFIFO {
		command = fmt.Sprintf("%s --fifo %s", w.Program(), h.Path("floaty.yml"))
		more, fifo = "", fmt.Sprintf("vrrp_notify_fifo %s\n    vrrp_notify_fifo_script %q", h.FIFO, command)
	}
	conf := h.Keepalived(priority, more, addrs...)
	conf = strings.Replace(conf, "    enable_script_security\n", "", 1)
	conf = strings.Replace(conf, "vrrp_notify_fifo "+h.FIFO, fifo, 1)
	w.must(h.Configure("keepalived.conf", conf))
}

// gone waits until no floaty runs on h.
func (w *env) gone(h *testenv.Host, within time.Duration) {
	w.Helper()
	w.eventually("no floaty runs on "+h.Name, within, func() bool {
		pids, err := h.Running(w.Context())
		return err == nil && len(pids) == 0
	})
}

func TestFloatyStartedByKeepalived(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		asFIFO bool
	}{{"as notify script", false}, {"as the FIFO's script", true}} {
		start := func(t *testing.T) *env {
			w := newEnv(t)
			w.scripted(w.a, 150, c.asFIFO)
			w.scripted(w.b, 100, c.asFIFO)
			w.must(w.a.StartKeepalived())
			w.at(w.a, 15*time.Second)
			w.must(w.b.StartKeepalived())
			time.Sleep(time.Second) // so that it hears the first one
			return w
		}
		t.Run(c.name+", stopped with SIGTERM", func(t *testing.T) {
			w := start(t)
			w.a.StopKeepalived()
			w.gone(w.a, 3*time.Second)
			w.at(w.b, 10*time.Second)
			w.Cloud.ForgetCalls()
			w.writesNothing(w.a, 2*interval)
			w.must(w.a.StartKeepalived())
			w.at(w.a, 15*time.Second)
		})
		t.Run(c.name+", killed", func(t *testing.T) {
			w := start(t)
			w.a.KillKeepalived()
			w.Cloud.ForgetCalls()
			w.gone(w.a, time.Second)
			w.at(w.b, 10*time.Second)
			w.writesNothing(w.a, 2*interval)
		})
		t.Run(c.name+", reloaded", func(t *testing.T) {
			w := start(t)
			for range 2 {
				w.must(w.a.ReloadKeepalived())
				time.Sleep(2 * time.Second) // the old floaty may live for another second
				w.steal()
				w.at(w.a, interval*12/10+time.Second)
			}
			w.Cloud.ForgetCalls()
			w.a.StopKeepalived()
			w.at(w.b, 10*time.Second)
			w.gone(w.a, 3*time.Second)
			w.writesNothing(w.a, 2*interval)
		})
	}
}
