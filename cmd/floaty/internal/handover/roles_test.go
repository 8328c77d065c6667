package handover

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"golang.org/x/sys/unix"
)

// roleVariable is the environment variable that makes the test program act in a role. Locks belong to a process, so two events need two
// processes.
const roleVariable = "HANDOVER_TEST_ROLE"

// A role is what a process does in a test. The process reports to standard output, in lines that begin with the role's name.
type role struct {
	Kind string // "event", "wrapper" or "keepalived"
	Name string
	Gate string // a gate at which it waits first; empty: none

	State        string // of an event
	Path         string
	PIDFile      string // of Keepalived's VRRP process
	Timeout      time.Duration
	Delay        time.Duration // how long to wait before acquiring the lock
	Umask        int
	FullDisk     bool
	PIDNamespace bool   // it runs in its own PID namespace
	Check        string // a gate at which the holder waits before it calls Check; empty: none
	EndGate      string // a gate at which the holder waits before it ends; empty: none

	User     int    // the user as which Keepalived starts it; 0: Keepalived's own
	Hidepid  bool   // whether other users' processes are hidden from those that Keepalived starts; it has its own mount namespace
	Binary   string // the program that a wrapper or Keepalived starts
	Children []role // the processes that a wrapper starts and waits for, or that Keepalived starts first
}

func TestMain(m *testing.M) {
	text, ok := os.LookupEnv(roleVariable)
	if !ok {
		os.Exit(m.Run())
	}
	var r role
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		panic(err)
	}
	go func() { // the test holds the other end, so that no process outlives it
		_, _ = io.Copy(io.Discard, os.NewFile(3, "lifeline"))
		os.Exit(3)
	}()
	r.print("pid %d", os.Getpid())
	waitAtGate(r.Gate)
	switch r.Kind {
	case "event":
		r.event()
	case "wrapper":
		var cmds []*exec.Cmd
		for _, child := range r.Children {
			cmds = append(cmds, r.start(child))
		}
		for _, cmd := range cmds {
			_ = cmd.Wait()
		}
	case "keepalived": // starts the processes that the test names, in this order, without waiting for any
		if r.Hidepid {
			mountProc("hidepid=2")
		}
		for _, child := range r.Children {
			r.start(child)
		}
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			var child role
			if err := json.Unmarshal(lines.Bytes(), &child); err != nil {
				panic(err)
			}
			cmd := r.start(child)
			go func() { _ = cmd.Wait() }()
		}
		select {}
	}
	os.Exit(0)
}

func (r role) print(format string, args ...any) { fmt.Printf(r.Name+" "+format+"\n", args...) }

// waitAtGate waits until the test opens the gate.
func waitAtGate(gate string) {
	if gate == "" {
		return
	}
	if _, err := os.ReadFile(gate); err != nil { //nolint:gosec // the test created it
		panic(err)
	}
}

// command returns a process that acts in a role, with the test's output and lifeline.
func (r role) command(binary string, stdout, lifeline *os.File) *exec.Cmd {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(binary) //nolint:gosec // the test binary itself
	cmd.Env = append(os.Environ(), roleVariable+"="+string(text), "GOMAXPROCS=2")
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = stdout, stdout, []*os.File{lifeline}
	return cmd
}

func (r role) start(child role) *exec.Cmd {
	binary := r.Binary
	if child.Kind == "keepalived" {
		binary = os.Args[0] // its name is right
	}
	cmd := child.command(binary, os.Stdout, os.NewFile(3, "lifeline"))
	if child.User != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(child.User), Gid: uint32(child.User)}} //nolint:gosec // the test's own number
	}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	return cmd
}

// event handles an event as cmd/floaty does.
func (r role) event() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	r.prepare()
	log := funcr.New(func(_, line string) { r.print("log: %s", line) }, funcr.Options{})
	if r.State == "MASTER" {
		k := Above()
		if err := k.Identify(r.PIDFile); err != nil {
			r.print("unidentified: %v", err)
		}
		var end func()
		ctx, end = k.Watch(ctx)
		defer end()
	}
	time.Sleep(r.Delay)
	lock, err := Acquire(ctx, Options{Path: r.Path, Timeout: r.Timeout, Log: log})
	switch {
	case errors.Is(err, ErrNewer):
		r.print("newer")
	case err != nil:
		r.print("error: %v", err)
	case r.State != "MASTER":
		lock.Release()
		r.print("released")
	default:
		r.print("holds")
		if r.Check != "" {
			waitAtGate(r.Check)
			r.print("check: %v", lock.Check())
		}
		<-ctx.Done()
		r.print("told: %v, check: %v", context.Cause(ctx), lock.Check())
		waitAtGate(r.EndGate)
		lock.Release()
		r.print("ended")
	}
}

func (r role) prepare() {
	unix.Umask(r.Umask)
	if r.FullDisk {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{}); err != nil {
			panic(err)
		}
	}
	if r.PIDNamespace {
		mountProc("")
	}
}

// mountProc mounts /proc, in its own mount namespace.
func mountProc(options string) {
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err := errors.Join(err, unix.Mount("proc", "/proc", "proc", 0, options)); err != nil {
		panic(err)
	}
}
