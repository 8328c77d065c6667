// Package stage sets up what floaty is for: hosts with Keepalived and floaty on them, and a simulated cloud.
//
// With root, the hosts are network namespaces on a bridge of their own, each with a real Keepalived; without, they share
// the machine's loopback interface and somebody else has to say what Keepalived would. The tests of the whole program and
// the demo play on it. It asserts nothing.
package stage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"floaty/providers/simulator"
)

// What the cloud accepts: as cloudscale.ch a token, as Exoscale a key and its secret.
const (
	Token  = "the-token-of-the-stage"
	Key    = "EXOthekeyofthestage"
	Secret = "the-secret-of-the-stage"
)

const cloudAddress = "10.99.0.254"

// A Stage is a cloud and its hosts. Create it with [New] and take it down with [Stage.Close].
type Stage struct {
	Cloud *simulator.Cloud
	URL   string // of the cloud's API, as the hosts see it
	Loop  string // of the same on this machine's loopback interface
	Dir   string // holds everything that the hosts write

	program string
	real    bool // network namespaces and Keepalived
	name    string
	server  *http.Server
	hosts   []*Host
}

// stages counts those of this process, for their names.
var stages atomic.Int64

// Build builds floaty in dir and returns the path of the program.
func Build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "floaty")
	return path, BuildAs(ctx, path, "floaty/cmd/floaty")
}

// BuildAs builds a package's program at path, in the way that the README tells for floaty. With the race detector in this process, it has
// that too, which takes cgo: all else must not use it.
func BuildAs(ctx context.Context, path, pkg string) error {
	args, cgo := []string{"build", "-o", path}, "CGO_ENABLED=0"
	if Race {
		args, cgo = append(args, "-race", "-tags", "netgo,osusergo"), "CGO_ENABLED=1"
	}
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...) //nolint:gosec // our own words
	cmd.Env = append(os.Environ(), cgo)
	return output(cmd)
}

// New raises a stage on which program is floaty, in dir, which must be new and empty. With real, which takes root, each
// host is a network namespace.
func New(ctx context.Context, dir, program string, real bool) (*Stage, error) {
	s := &Stage{
		Cloud: simulator.New(), Dir: dir, program: program, real: real,
		name: fmt.Sprintf("floaty-%d-%d", os.Getpid(), stages.Add(1)),
	}
	s.Cloud.SetToken(Token)
	s.Cloud.SetKey(Key, Secret)
	if err := s.raise(ctx); err != nil {
		return nil, errors.Join(err, s.Close()) //nolint:contextcheck // tidying up must not be cancelled
	}
	return s, nil
}

// raise starts the cloud, on loopback and, where hosts are namespaces, on the bridge between them.
func (s *Stage) raise(ctx context.Context) error {
	s.server = &http.Server{Handler: s.Cloud.Handler(), ReadHeaderTimeout: time.Minute}
	var config net.ListenConfig
	loop, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.Loop = "http://" + loop.Addr().String()
	s.URL = s.Loop
	go func() { _ = s.server.Serve(loop) }() // until Close
	if !s.real {
		return nil
	}
	err = ip(ctx,
		"netns add "+s.name,
		"-n "+s.name+" link set lo up",
		"-n "+s.name+" link add br0 type bridge mcast_snooping 0",
		"-n "+s.name+" link set br0 up",
		"-n "+s.name+" addr add "+cloudAddress+"/24 dev br0",
	)
	if err != nil {
		return err
	}
	bridge, err := listenIn(ctx, s.name, cloudAddress+":80")
	if err != nil {
		return err
	}
	s.URL = "http://" + cloudAddress
	go func() { _ = s.server.Serve(bridge) }() // until Close
	return nil
}

// Close ends every process of the stage and removes its network. That a floaty found a data race in itself is an error.
func (s *Stage) Close() error {
	var errs []error
	for _, h := range s.hosts {
		h.KillKeepalived()
		for _, p := range h.floaties {
			p.stop(syscall.SIGKILL)
			if p.cmd.ProcessState.ExitCode() == raceStatus {
				errs = append(errs, fmt.Errorf("floaty on %s has found a data race in itself: its report comes at the end", h.Name))
			}
		}
		h.Hush()
	}
	if s.server != nil {
		errs = append(errs, s.server.Close())
	}
	if s.real {
		for _, h := range s.hosts {
			errs = append(errs, h.clear(), ip(context.Background(), "netns del "+h.space))
		}
		errs = append(errs, ip(context.Background(), "netns del "+s.name))
	}
	return errors.Join(errs...)
}

// Program returns the path of floaty.
func (s *Stage) Program() string { return s.program }

// AddAddresses makes floating IPs that point at holder; "" for none.
func (s *Stage) AddAddresses(holder string, addrs ...netip.Addr) {
	for _, addr := range addrs {
		network := netip.PrefixFrom(addr, addr.BitLen())
		if holder == "" {
			s.Cloud.AddAddress(network)
		} else {
			s.Cloud.AddAddress(network, holder)
		}
	}
}

// Writes returns the servers that were written since the cloud's calls were forgotten, in order.
func (s *Stage) Writes() []string {
	var servers []string
	for _, call := range s.Cloud.Calls() {
		if call.Method != http.MethodGet {
			servers = append(servers, call.Server)
		}
	}
	return servers
}

// listenIn opens a listener in a network namespace. It stays there, whichever thread uses it.
func listenIn(ctx context.Context, space, address string) (net.Listener, error) {
	type result struct {
		listener net.Listener
		err      error
	}
	done := make(chan result)
	go func() {
		listener, err := within(space, func() (net.Listener, error) {
			var config net.ListenConfig
			return config.Listen(ctx, "tcp", address)
		})
		done <- result{listener, err}
	}()
	r := <-done
	return r.listener, r.err
}

// within calls open with its thread in a network namespace. The thread must come back, and go on: when it ends, the kernel kills
// every process that was started from it (Pdeathsig).
func within(space string, open func() (net.Listener, error)) (net.Listener, error) {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer home.Close()                          //nolint:errcheck // it was only read
	away, err := os.Open("/run/netns/" + space) //nolint:gosec // our own words
	if err != nil {
		return nil, err
	}
	defer away.Close() //nolint:errcheck // it was only read
	if err := unix.Setns(int(away.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	listener, err := open()
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err // and the thread stays locked, and ends
	}
	runtime.UnlockOSThread()
	return listener, err
}

// ip runs the command of that name, once for each list of arguments.
func ip(ctx context.Context, calls ...string) error {
	for _, call := range calls {
		if err := output(exec.CommandContext(ctx, "ip", strings.Fields(call)...)); err != nil { //nolint:gosec // our own words
			return err
		}
	}
	return nil
}

// output runs a command; its error carries what the command said.
func output(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("running %s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
