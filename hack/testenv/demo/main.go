// Command demo shows a failover against a simulated cloud, with real Keepalived if it runs as root, and prints how long each step
// took. It is for people to watch; the tests check the same and more. The script hack/demo runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"floaty/hack/testenv"
)

var addrs = []netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")}

// masterDown is how long a standby with priority 100 waits for an advertisement before it takes over. With advert_int 0.2 s that is
// three times 0.2 s, and a skew of 156/256 of it (RFC 5798, section 6.1).
const masterDown = 722 * time.Millisecond

// operation is how long an operation at Exoscale takes, about as long as in reality.
const operation = 3 * time.Second

func main() {
	stay := flag.Bool("stay", false, "keep everything running at the end, until interrupted")
	exoscale := flag.Bool("exoscale", false, "simulate Exoscale instead of cloudscale.ch")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	signal.Ignore(syscall.SIGPIPE) // a closed pipe (| head) must not prevent the cleanup
	if err := run(ctx, *exoscale, *stay); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "hack/demo:", err)
		os.Exit(1)
	}
}

// A demo is an environment and a clock.
type demo struct {
	*testenv.Env
	program  string // floaty's path
	real     bool
	exoscale bool
	began    time.Time
	a, b     *testenv.Host
}

func run(ctx context.Context, exoscale, stay bool) error {
	dir, err := os.MkdirTemp("", "floaty-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	program, err := testenv.Build(ctx, dir)
	if err != nil {
		return err
	}
	_, missing := exec.LookPath(testenv.KeepalivedProgram())
	d := &demo{program: program, real: os.Getuid() == 0 && missing == nil, exoscale: exoscale, began: time.Now()}
	if d.real {
		d.say("Running as root: two hosts in network namespaces, each with a real Keepalived.")
	} else {
		d.say("Not root, or Keepalived is missing: this demo writes Keepalived's lines into the FIFOs itself.")
	}
	if d.Env, err = testenv.New(ctx, filepath.Join(dir, "env"), program, d.real); err != nil {
		return err
	}
	defer func() { //nolint:contextcheck // cleaning up must not be cancelled
		if err := d.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "hack/demo: cleaning up:", err)
		}
	}()
	if err := d.run(ctx); err != nil {
		return err
	}
	if stay {
		d.explain()
		<-ctx.Done()
	}
	return nil
}

func (d *demo) say(format string, args ...any) {
	fmt.Printf("%7.3fs  %s\n", time.Since(d.began).Seconds(), fmt.Sprintf(format, args...))
}

// run runs the steps of the demo.
func (d *demo) run(ctx context.Context) error {
	if d.exoscale {
		d.Cloud.SetOperationTime(operation)
		d.say("The simulated cloud of Exoscale answers at %s; an operation takes %v there; elastic IPs %v are attached to nothing.", d.Loop, operation, addrs)
	} else {
		d.say("The simulated cloud of cloudscale.ch answers at %s; floating IPs %v point at nothing.", d.Loop, addrs)
	}
	d.AddAddresses("", addrs...)
	for _, step := range []func(context.Context) error{d.start, d.fail, d.comeBack, d.meddle, d.hold} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) start(ctx context.Context) (err error) {
	if d.a, err = d.AddHost(ctx, "lb1"); err != nil {
		return err
	}
	if d.b, err = d.AddHost(ctx, "lb2"); err != nil {
		return err
	}
	for i, h := range []*testenv.Host{d.a, d.b} {
		floaty := h.Floaty()
		if d.exoscale {
			floaty = h.FloatyAtExoscale()
		}
		if err := errors.Join(h.Configure("floaty.yml", floaty), h.Configure("keepalived.conf", h.Keepalived(150-50*i, "", addrs...))); err != nil {
			return err
		}
		if err := h.StartFloaty(); err != nil {
			return err
		}
	}
	d.say("floaty starts on %s and %s and reads the current targets from the cloud.", d.a.Name, d.b.Name)
	if err := d.until(ctx, "both have read the targets", func() bool { return len(d.Cloud.Calls()) >= 2 && d.ready(d.a) && d.ready(d.b) }); err != nil {
		return err
	}
	d.say("Keepalived starts on both, with advert_int 0.2; %s has the higher priority.", d.a.Name)
	began := time.Now()
	if d.real {
		err = errors.Join(d.a.StartKeepalived(), d.b.StartKeepalived())
	} else {
		err = errors.Join(d.b.Say(`INSTANCE "VI_1" BACKUP 100`), d.a.Say(`INSTANCE "VI_1" MASTER 150`))
	}
	if err != nil {
		return err
	}
	return d.takesOver(ctx, d.a, began)
}

func (d *demo) fail(ctx context.Context) error {
	d.say("%s crashes: its Keepalived and its floaty are killed.", d.a.Name)
	died := time.Now()
	var deaths sync.WaitGroup
	defer deaths.Wait() // KillKeepalived returns only after init has reaped the process
	deaths.Go(d.a.KillKeepalived)
	deaths.Go(d.a.KillFloaty)
	d.a.CloseFIFO()
	if !d.real {
		d.say("  (the demo writes MASTER on %s after %v, as Keepalived does with advert_int 0.2)", d.b.Name, masterDown)
		if err := d.sleep(ctx, time.Until(died.Add(masterDown))); err != nil {
			return err
		}
		if err := d.b.Say(`INSTANCE "VI_1" MASTER 100`); err != nil {
			return err
		}
	}
	return d.takesOver(ctx, d.b, died)
}

func (d *demo) comeBack(ctx context.Context) error {
	if d.real {
		for _, addr := range addrs {
			if err := d.a.DropAddress(ctx, addr); err != nil {
				return err
			}
		}
	}
	d.say("%s comes back.", d.a.Name)
	began := time.Now()
	err := d.a.StartFloaty()
	if d.real {
		err = errors.Join(err, d.a.StartKeepalived())
	} else {
		err = errors.Join(err, d.b.Say(`INSTANCE "VI_1" BACKUP 100`), d.a.Say(`INSTANCE "VI_1" MASTER 150`))
	}
	if err != nil {
		return err
	}
	return d.takesOver(ctx, d.a, began)
}

func (d *demo) meddle(ctx context.Context) error {
	d.say("Somebody points %v at %s in the control panel.", addrs[0], d.b.Name)
	began := time.Now()
	d.Cloud.Move(addrs[0], d.b.UUID)
	at, err := d.moved(ctx, d.a)
	if err == nil {
		d.say("  → floaty moved it back to %s within %d ms.", d.a.Name, ms(at.Sub(began)))
	}
	return err
}

func (d *demo) hold(ctx context.Context) error {
	d.say("Now nothing happens for 17 s: floaty verifies its last write during 11 s, and then its calls are counted for 6 s.")
	if err := d.sleep(ctx, 11*time.Second); err != nil { // until the verification of the last write is over
		return err
	}
	d.Cloud.ForgetCalls()
	if err := d.sleep(ctx, 6*time.Second); err != nil {
		return err
	}
	reads, writes := 0, 0
	for _, call := range d.Cloud.Calls() {
		if call.Method == http.MethodGet {
			reads++
		} else {
			writes++
		}
	}
	d.say("In 6 quiet seconds (refresh-interval 2s), the two hosts together made %d reads and %d writes.", reads, writes)
	return nil
}

// takesOver waits until h is MASTER and all addresses point at it, and prints how long that took since began.
func (d *demo) takesOver(ctx context.Context, h *testenv.Host, began time.Time) error {
	master := time.Now() // correct if the demo itself has written MASTER
	if d.real {
		if err := d.until(ctx, "Keepalived makes "+h.Name+" master", func() bool { return h.HasAddress(addrs[0]) }); err != nil {
			return err
		}
		master = time.Now()
	}
	at, err := d.moved(ctx, h)
	if err == nil {
		d.say("  → Keepalived made %s MASTER after %d ms, and within %d ms floaty moved all addresses to it: %d ms in all.",
			h.Name, ms(master.Sub(began)), ms(at.Sub(master)), ms(at.Sub(began)))
	}
	return err
}

// moved waits until all addresses point at h, and returns when the last one was moved.
func (d *demo) moved(ctx context.Context, h *testenv.Host) (at time.Time, err error) {
	err = d.until(ctx, "the addresses are at "+h.Name, func() bool {
		return !slices.ContainsFunc(addrs, func(addr netip.Addr) bool { return !slices.Equal(d.Cloud.Holders(addr), []string{h.UUID}) })
	})
	for _, addr := range addrs {
		if history := d.Cloud.History(addr); len(history) > 0 && history[len(history)-1].At.After(at) {
			at = history[len(history)-1].At
		}
	}
	return at, err
}

// ms returns milliseconds, rounded up, at least 1: the demo polls once per millisecond.
func ms(d time.Duration) int64 { return max(1, (d + time.Millisecond - 1).Milliseconds()) }

// ready reports whether floaty has created the host's FIFO.
func (d *demo) ready(h *testenv.Host) bool {
	_, err := os.Stat(h.FIFO)
	return err == nil
}

func (d *demo) until(ctx context.Context, what string, is func() bool) error {
	for deadline := time.Now().Add(30 * time.Second); !is(); {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited 30 s in vain: %s\n%s", what, strings.Join([]string{d.a.Log(), d.b.Log()}, "\n"))
		}
		if err := d.sleep(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) sleep(ctx context.Context, t time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(t):
		return nil
	}
}

// explain prints how to experiment with the environment while it keeps running.
func (d *demo) explain() {
	fmt.Printf("\nEverything keeps running until you press Ctrl-C. All files are in %s.\n\n", d.Dir)
	line := func(what, format string, args ...any) { fmt.Printf("%-26s%s\n", what, fmt.Sprintf(format, args...)) }
	line("state of the cloud", "curl -s %s/sim/state", d.Loop)
	line("requests it received", "curl -s %s/sim/calls", d.Loop)
	for _, h := range []*testenv.Host{d.a, d.b} {
		fmt.Println()
		line("what floaty on "+h.Name+" knows", "%s --status --watch %s", d.program, h.Path("floaty.yml"))
		line("its log", "tail -f %s", h.Path("floaty.log"))
		line("edit, and it reloads", "%s", h.Path("floaty.yml"))
		if d.real {
			line("fail over, and back", "change the priority in %s, then: kill -HUP $(cat %s)", h.Path("keepalived.conf"), h.Path("keepalived.pid"))
			line("end its Keepalived", "kill $(cat %s)", h.Path("keepalived.pid"))
		} else {
			line("make it MASTER", "echo 'INSTANCE \"VI_1\" MASTER 100' >> %s   (BACKUP on the other first)", h.FIFO)
		}
	}
}
