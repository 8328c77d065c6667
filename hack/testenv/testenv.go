// Package testenv is the environment for tests of the whole program: hosts that run Keepalived and floaty, and a simulated cloud.
//
// As root, each host can be a network namespace on a bridge, with a real Keepalived in it. Otherwise the hosts share the
// machine's loopback interface, and the test writes Keepalived's lines with [Host.Say]. The demo and the benchmark use the same
// environment. The package itself asserts nothing.
package testenv

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

// The credentials that the cloud accepts: a token as cloudscale.ch, a key with its secret as Exoscale.
const (
	Token  = "the-token-of-the-tests"
	Key    = "EXOthekeyofthetests"
	Secret = "the-secret-of-the-tests"
)

const cloudAddress = "10.99.0.254"

// An Env is a cloud and its hosts. [New] creates it, and [Env.Close] removes it.
type Env struct {
	Cloud *simulator.Cloud
	URL   string // of the cloud's API, for the hosts
	Loop  string // of the same API on this machine's loopback interface
	Dir   string // contains all files that the hosts write

	program string
	real    bool // hosts are network namespaces with a real Keepalived
	name    string
	server  *http.Server
	hosts   []*Host
}

// envs counts the environments of this process, to name their namespaces.
var envs atomic.Int64

// Build builds floaty in dir and returns the path of the program.
func Build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "floaty")
	return path, BuildAs(ctx, path, "floaty/cmd/floaty")
}

// BuildAs builds a package's program at path, with the build flags that the README gives for floaty. If this process was built with the race
// detector, the program is too; only then is cgo used, because the race detector needs it.
func BuildAs(ctx context.Context, path, pkg string) error {
	args, cgo := []string{"build", "-o", path}, "CGO_ENABLED=0"
	if Race {
		args, cgo = append(args, "-race", "-tags", "netgo,osusergo"), "CGO_ENABLED=1"
	}
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...) //nolint:gosec // no foreign input
	cmd.Env = append(os.Environ(), cgo)
	return output(cmd)
}

// New creates an environment in dir, which must be empty; its hosts run program as floaty. With real, which needs root, each host is
// a network namespace.
func New(ctx context.Context, dir, program string, real bool) (*Env, error) {
	s := &Env{
		Cloud: simulator.New(), Dir: dir, program: program, real: real,
		name: fmt.Sprintf("floaty-%d-%d", os.Getpid(), envs.Add(1)),
	}
	s.Cloud.SetToken(Token)
	s.Cloud.SetKey(Key, Secret)
	if err := s.serve(ctx); err != nil {
		return nil, errors.Join(err, s.Close()) //nolint:contextcheck // cleaning up must not be cancelled
	}
	return s, nil
}

// serve starts the cloud's API on loopback and, if the hosts are namespaces, on the bridge that connects them.
func (s *Env) serve(ctx context.Context) error {
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

// Close ends all processes and removes the network. It is an error if the race detector found a data race in a floaty.
func (s *Env) Close() error {
	var errs []error
	for _, h := range s.hosts {
		h.KillKeepalived()
		for _, p := range h.floaties {
			p.stop(syscall.SIGKILL)
			if p.cmd.ProcessState.ExitCode() == raceStatus {
				errs = append(errs, fmt.Errorf("floaty on %s has a data race: the report follows at the end of the tests", h.Name))
			}
		}
		h.CloseFIFO()
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
func (s *Env) Program() string { return s.program }

// AddAddresses creates floating IPs that point at holder, or at no server if holder is "".
func (s *Env) AddAddresses(holder string, addrs ...netip.Addr) {
	for _, addr := range addrs {
		network := netip.PrefixFrom(addr, addr.BitLen())
		if holder == "" {
			s.Cloud.AddAddress(network)
		} else {
			s.Cloud.AddAddress(network, holder)
		}
	}
}

// Writes returns the target servers of all writes since ForgetCalls, in order.
func (s *Env) Writes() []string {
	var servers []string
	for _, call := range s.Cloud.Calls() {
		if call.Method != http.MethodGet {
			servers = append(servers, call.Server)
		}
	}
	return servers
}

// listenIn opens a listener in a network namespace. A socket stays in the namespace it was created in, whichever thread uses it.
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

// within calls open while its thread is in a network namespace. The thread must then return to its own namespace and live on: when a
// thread ends, the kernel kills every process that was started from it (Pdeathsig).
func within(space string, open func() (net.Listener, error)) (net.Listener, error) {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer home.Close()                          //nolint:errcheck // it was only read
	away, err := os.Open("/run/netns/" + space) //nolint:gosec // no foreign input
	if err != nil {
		return nil, err
	}
	defer away.Close() //nolint:errcheck // it was only read
	if err := unix.Setns(int(away.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	listener, err := open()
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err // the thread stays locked, so it ends with this goroutine
	}
	runtime.UnlockOSThread()
	return listener, err
}

// ip runs the ip command once per call, a string of its arguments.
func ip(ctx context.Context, calls ...string) error {
	for _, call := range calls {
		if err := output(exec.CommandContext(ctx, "ip", strings.Fields(call)...)); err != nil { //nolint:gosec // no foreign input
			return err
		}
	}
	return nil
}

// output runs a command. The error includes the command's output.
func output(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("running %s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
