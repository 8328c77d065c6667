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

// roleVariable makes the test binary play a role: locks are a process's, so that two events need two processes.
const roleVariable = "HANDOVER_TEST_ROLE"

// A role is what a process of the test's does. It says what happens on standard output, a line each, its name first.
type role struct {
	Kind string // "event", "wrapper" or "keepalived"
	Name string
	Gate string // a FIFO that is waited for before all else, if not empty

	State    string // of an event
	Path     string
	PIDFile  string // of Keepalived's VRRP process
	Timeout  time.Duration
	Delay    time.Duration // before it comes to the lock
	Umask    int
	FullDisk bool
	Apart    bool   // in a PID namespace of its own
	Check    string // a FIFO that is waited for before the lock that is held is checked, if not empty
	Stubborn string // a FIFO that is waited for between being told to go and going, if not empty

	User     int    // as whom a Keepalived starts it; 0: as itself
	Hidepid  bool   // what a Keepalived starts sees no process of another user; it has a mount namespace of its own
	Binary   string // of what a wrapper or Keepalived starts
	Children []role // that a wrapper starts and waits for, or a Keepalived starts before others
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
	go func() { // the test holds the other end: nobody outlives it
		_, _ = io.Copy(io.Discard, os.NewFile(3, "lifeline"))
		os.Exit(3)
	}()
	r.say("pid %d", os.Getpid())
	pass(r.Gate)
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
	case "keepalived": // starts what it is told to, in this order, and waits for nobody
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

func (r role) say(format string, args ...any) { fmt.Printf(r.Name+" "+format+"\n", args...) }

// pass waits until the test opens the gate.
func pass(gate string) {
	if gate == "" {
		return
	}
	if _, err := os.ReadFile(gate); err != nil { //nolint:gosec // the test made it
		panic(err)
	}
}

// command is a process that plays r, with the test's output and lifeline.
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
		binary = os.Args[0] // which is one, too
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

// event is what cmd/floaty does with one.
func (r role) event() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	r.prepare()
	log := funcr.New(func(_, line string) { r.say("log: %s", line) }, funcr.Options{})
	if r.State == "MASTER" {
		k := Above()
		if err := k.Identify(r.PIDFile); err != nil {
			r.say("nobody: %v", err)
		}
		var end func()
		ctx, end = k.Watch(ctx)
		defer end()
	}
	time.Sleep(r.Delay)
	lock, err := Take(ctx, Options{Path: r.Path, Timeout: r.Timeout, Log: log})
	switch {
	case errors.Is(err, ErrNewer):
		r.say("newer")
	case err != nil:
		r.say("error: %v", err)
	case r.State != "MASTER":
		lock.Release()
		r.say("let go")
	default:
		r.say("holds")
		if r.Check != "" {
			pass(r.Check)
			r.say("check: %v", lock.Check())
		}
		<-ctx.Done()
		r.say("told: %v, check: %v", context.Cause(ctx), lock.Check())
		pass(r.Stubborn)
		lock.Release()
		r.say("ended")
	}
}

func (r role) prepare() {
	unix.Umask(r.Umask)
	if r.FullDisk {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{}); err != nil {
			panic(err)
		}
	}
	if r.Apart {
		mountProc("")
	}
}

// mountProc takes a mount namespace of its own.
func mountProc(options string) {
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err := errors.Join(err, unix.Mount("proc", "/proc", "proc", 0, options)); err != nil {
		panic(err)
	}
}
