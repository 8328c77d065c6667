// Command play is the demo: a failover, with real Keepalived where it may, against a simulated cloud, each step with its
// time. It checks nothing that the tests do not check better; it shows.
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
	"syscall"
	"time"

	"floaty/hack/stage"
)

var addrs = []netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")}

func main() {
	stay := flag.Bool("stay", false, "keep it all running at the end, until interrupted")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *stay); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "hack/demo:", err)
		os.Exit(1)
	}
}

// A demo is a stage and a clock.
type demo struct {
	*stage.Stage
	real  bool
	began time.Time
	a, b  *stage.Host
}

func run(ctx context.Context, stay bool) error {
	dir, err := os.MkdirTemp("", "floaty-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // nothing to be done about it
	_, missing := exec.LookPath(stage.KeepalivedProgram())
	d := &demo{real: os.Getuid() == 0 && missing == nil, began: time.Now()}
	if d.real {
		d.say("As root: two hosts in network namespaces, each with a real Keepalived.")
	} else {
		d.say("Not as root, or no Keepalived: this demo writes into the FIFOs what two Keepalived would.")
	}
	d.say("Building floaty.")
	program, err := stage.Build(ctx, dir)
	if err != nil {
		return err
	}
	if d.Stage, err = stage.New(ctx, filepath.Join(dir, "stage"), program, d.real); err != nil {
		return err
	}
	defer func() { //nolint:contextcheck // tidying up must not be cancelled
		if err := d.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "hack/demo: tidying up:", err)
		}
	}()
	if err := d.play(ctx); err != nil {
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

// play is the story.
func (d *demo) play(ctx context.Context) error {
	d.say("The simulated cloud of cloudscale.ch answers at %s; floating IPs %v point at nothing.", d.Loop, addrs)
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
	for i, h := range []*stage.Host{d.a, d.b} {
		if err := errors.Join(h.Configure("floaty.yml", h.Floaty()), h.Configure("keepalived.conf", h.Keepalived(150-50*i, "", addrs...))); err != nil {
			return err
		}
		if err := h.StartFloaty(); err != nil {
			return err
		}
	}
	d.say("floaty runs on %s and %s and reads the cloud.", d.a.Name, d.b.Name)
	if err := d.until(ctx, "both have read it", func() bool { return len(d.Cloud.Calls()) >= 2 && d.ready(d.a) && d.ready(d.b) }); err != nil {
		return err
	}
	if d.real {
		err = errors.Join(d.a.StartKeepalived(), d.b.StartKeepalived())
	} else {
		err = errors.Join(d.b.Say(`INSTANCE "VI_1" BACKUP 100`), d.a.Say(`INSTANCE "VI_1" MASTER 150`))
	}
	d.say("Keepalived starts on both; %s has the higher priority.", d.a.Name)
	if err != nil {
		return err
	}
	return d.moved(ctx, d.a)
}

func (d *demo) fail(ctx context.Context) error {
	d.say("%s dies: its Keepalived and its floaty are killed.", d.a.Name)
	d.a.KillKeepalived()
	d.a.KillFloaty()
	d.a.Hush()
	if !d.real {
		if err := d.b.Say(`INSTANCE "VI_1" MASTER 100`); err != nil {
			return err
		}
	}
	return d.moved(ctx, d.b)
}

func (d *demo) comeBack(ctx context.Context) error {
	d.say("%s comes back.", d.a.Name)
	if err := d.a.StartFloaty(); err != nil {
		return err
	}
	if d.real {
		if err := d.a.StartKeepalived(); err != nil {
			return err
		}
		return d.moved(ctx, d.a)
	}
	err := errors.Join(d.b.Say(`INSTANCE "VI_1" BACKUP 100`), d.a.Say(`INSTANCE "VI_1" MASTER 150`))
	if err != nil {
		return err
	}
	return d.moved(ctx, d.a)
}

func (d *demo) meddle(ctx context.Context) error {
	d.say("Somebody points %v at %s in the control panel.", addrs[0], d.b.Name)
	d.Cloud.Move(addrs[0], d.b.UUID)
	return d.moved(ctx, d.a)
}

func (d *demo) hold(ctx context.Context) error {
	if err := d.sleep(ctx, 11*time.Second); err != nil { // the looks after the last write
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
	d.say("In 6 quiet seconds (refresh-interval 2s) both hosts together made %d reads and %d writes.", reads, writes)
	return nil
}

// moved waits until all addresses are at h, and says how long that took.
func (d *demo) moved(ctx context.Context, h *stage.Host) error {
	before := time.Now()
	err := d.until(ctx, "the addresses are at "+h.Name, func() bool {
		return !slices.ContainsFunc(addrs, func(addr netip.Addr) bool { return !slices.Equal(d.Cloud.Holders(addr), []string{h.UUID}) })
	})
	if err == nil {
		d.say("  → all addresses point at %s, %d ms later.", h.Name, time.Since(before).Milliseconds())
	}
	return err
}

// ready reports whether floaty has made the host's FIFO.
func (d *demo) ready(h *stage.Host) bool {
	_, err := os.Stat(h.FIFO)
	return err == nil
}

func (d *demo) until(ctx context.Context, what string, is func() bool) error {
	for deadline := time.Now().Add(30 * time.Second); !is(); {
		if time.Now().After(deadline) {
			return fmt.Errorf("not within 30 s: %s\n%s", what, strings.Join([]string{d.a.Log(), d.b.Log()}, "\n"))
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

// explain says how to play with what is still running.
func (d *demo) explain() {
	fmt.Printf("\nAll of it keeps running until you press Ctrl-C. Everything is in %s.\n\n", d.Dir)
	fmt.Printf("what the cloud has      curl -s %s/sim/state\n", d.Loop)
	fmt.Printf("what it was asked       curl -s %s/sim/calls\n", d.Loop)
	for _, h := range []*stage.Host{d.a, d.b} {
		fmt.Printf("what floaty says on %s   tail -f %s\n", h.Name, h.Path("floaty.log"))
		if d.real {
			fmt.Printf("fail over from %s       kill $(cat %s)\n", h.Name, h.Path("keepalived.pid"))
		} else {
			fmt.Printf("make %s master          echo 'INSTANCE \"VI_1\" MASTER 100' >> %s   (BACKUP on the other first)\n", h.Name, h.FIFO)
		}
		fmt.Printf("edit, and it reloads     %s %s\n", h.Path("floaty.yml"), h.Path("keepalived.conf"))
	}
}
