package keepalived

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A writer has the FIFO open for writing, as Keepalived does. It belongs to the test's own process, which no pid file names.
type writer struct {
	t  *testing.T
	fd int
}

// writer opens the FIFO at the path for writing.
func (env *testEnv) writer() *writer {
	env.t.Helper()
	fd, err := openAsKeepalived(env.opts.Path)
	if err != nil {
		env.t.Fatal(err)
	}
	wr := &writer{t: env.t, fd: fd}
	env.t.Cleanup(func() { _ = unix.Close(wr.fd) })
	return wr
}

// openAsKeepalived opens a FIFO with Keepalived's flags (from the source of v2.2.7): this needs no reader and never blocks.
func openAsKeepalived(path string) (int, error) {
	return unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// say writes lines, each in one write.
func (wr *writer) say(lines ...string) {
	wr.t.Helper()
	for _, line := range lines {
		wr.raw(line + "\n")
	}
}

// raw writes text as it is.
func (wr *writer) raw(text string) {
	wr.t.Helper()
	if n, err := unix.Write(wr.fd, []byte(text)); err != nil || n != len(text) {
		wr.t.Fatalf("writing %.80q: got %d, %v, want all of %d bytes", text, n, err, len(text))
	}
}

// close closes the FIFO and waits until it has no writer at all: a process that another test has just forked has a copy of each
// descriptor until it executes its program.
func (wr *writer) close() {
	wr.t.Helper()
	reader, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", wr.fd), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		wr.t.Fatal(err)
	}
	defer func() { _ = unix.Close(reader) }()
	_ = unix.Close(wr.fd)
	wr.fd = -1
	eventually(wr.t, func() (string, bool) {
		fds := []unix.PollFd{{Fd: int32(reader), Events: unix.POLLIN}} //nolint:gosec // a descriptor fits
		_, _ = unix.Poll(fds, 0)
		return "the FIFO still has a writer", fds[0].Revents&unix.POLLHUP != 0
	})
}

// waitUnlocked waits until no process holds the lock on the FIFO, not even through a copy of the descriptor.
func (env *testEnv) waitUnlocked() {
	env.t.Helper()
	eventually(env.t, func() (string, bool) {
		p, err := openFIFO(env.opts.Path)
		p.close()
		return fmt.Sprintf("opening the FIFO: %v", err), err == nil
	})
}

// A fakeVRRP is a separate process that acts as Keepalived's VRRP process.
type fakeVRRP struct {
	t   *testing.T
	env *testEnv
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

const fakeKeepalived = "fake-keepalived"

// keepalived starts a fakeVRRP, writes its pid file and has it open the FIFO, in the order in which Keepalived does that.
func (env *testEnv) keepalived() *fakeVRRP {
	env.t.Helper()
	k := env.process("keepalived")
	k.writePIDFile()
	k.openFIFO()
	return k
}

// process starts a fakeVRRP whose program has this name. It ends with the test at the latest.
func (env *testEnv) process(name string) *fakeVRRP {
	env.t.Helper()
	return env.processWith(name, nil)
}

func (env *testEnv) processWith(name string, attr *syscall.SysProcAttr) *fakeVRRP {
	env.t.Helper()
	self, err := os.Executable()
	if err != nil {
		env.t.Fatal(err)
	}
	// The kernel names a process after its program.
	file := filepath.Join(env.t.TempDir(), name)
	if err := os.Link(self, file); err != nil {
		program, err := os.ReadFile(self) //nolint:gosec // this test program
		if err == nil {
			syscall.ForkLock.RLock()                 // a process that another test forks now would inherit the file open for writing: "text file busy"
			err = os.WriteFile(file, program, 0o700) //nolint:gosec // a program
			syscall.ForkLock.RUnlock()
		}
		if err != nil {
			env.t.Fatal(err)
		}
	}
	k := &fakeVRRP{t: env.t, env: env, cmd: exec.Command(file, fakeKeepalived)} //nolint:gosec // this test program
	k.cmd.Stderr, k.cmd.SysProcAttr = os.Stderr, attr
	k.in, err = k.cmd.StdinPipe()
	if err != nil {
		env.t.Fatal(err)
	}
	out, err := k.cmd.StdoutPipe()
	if err != nil {
		env.t.Fatal(err)
	}
	k.out = bufio.NewReader(out)
	if err := k.cmd.Start(); err != nil {
		env.t.Fatal(err)
	}
	env.t.Cleanup(k.kill)
	return k
}

// writePIDFile makes the pid file name this process.
func (k *fakeVRRP) writePIDFile() {
	k.t.Helper()
	k.env.pidFile(strconv.Itoa(k.cmd.Process.Pid) + "\n")
}

func (env *testEnv) pidFile(text string) {
	env.t.Helper()
	if err := os.WriteFile(env.pidPath, []byte(text), 0o600); err != nil {
		env.t.Fatal(err)
	}
}

func (k *fakeVRRP) openFIFO()  { k.t.Helper(); k.do("open " + k.env.opts.Path) }
func (k *fakeVRRP) closeFIFO() { k.t.Helper(); k.do("close") }

func (k *fakeVRRP) say(lines ...string) {
	k.t.Helper()
	for _, line := range lines {
		k.do("say " + line)
	}
}

// kill kills the process and returns when it has ended.
func (k *fakeVRRP) kill() {
	if k.cmd.ProcessState == nil {
		_ = k.cmd.Process.Kill()
		_ = k.cmd.Wait()
	}
}

// do sends the process a command and waits until it has carried it out.
func (k *fakeVRRP) do(what string) {
	k.t.Helper()
	_, err := fmt.Fprintln(k.in, what)
	answer := ""
	if err == nil {
		answer, err = k.out.ReadString('\n')
	}
	if err != nil || answer != "done\n" {
		k.t.Fatalf("%s: got %q, %v, want done", what, answer, err)
	}
}

// runFakeKeepalived is the main function of a fakeVRRP. It returns when its standard input ends, so at the latest with the test.
func runFakeKeepalived() {
	fd := -1
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		what, rest, _ := strings.Cut(commands.Text(), " ")
		var err error
		switch what {
		case "open":
			fd, err = openAsKeepalived(rest)
		case "close":
			err = unix.Close(fd)
		case "say":
			_, err = unix.Write(fd, []byte(rest+"\n"))
		case "child":
			err = inherit(fd)
		case "ip":
			err = exec.Command("ip", strings.Fields(rest)...).Run() //nolint:gosec // the test's own command
		default:
			err = errors.New("unknown command")
		}
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println("done")
	}
}

// inherit starts a child that inherits the descriptor, as a script of Keepalived might. The child ends with this process.
func inherit(fd int) error {
	child := exec.Command("/proc/self/exe", fakeKeepalived)
	if _, err := child.StdinPipe(); err != nil {
		return err
	}
	again, err := unix.Dup(fd)
	if err != nil {
		return err
	}
	child.ExtraFiles = []*os.File{os.NewFile(uintptr(again), "fifo")}
	return child.Start()
}
