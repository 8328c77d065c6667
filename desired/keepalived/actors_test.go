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

// A writer holds the FIFO open for writing, as Keepalived does, in the process of the test: nobody knows it by a pid file.
type writer struct {
	t  *testing.T
	fd int
}

// writer opens what is at the path.
func (w *testEnv) writer() *writer {
	w.t.Helper()
	fd, err := openAsKeepalived(w.opts.Path)
	if err != nil {
		w.t.Fatal(err)
	}
	wr := &writer{t: w.t, fd: fd}
	w.t.Cleanup(func() { _ = unix.Close(wr.fd) })
	return wr
}

// openAsKeepalived needs no reader and never blocks (read in the source of v2.2.7).
func openAsKeepalived(path string) (int, error) {
	return unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// say writes each line at once.
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

// close closes it and waits until the FIFO has no writer at all: a process that another test starts at this moment has a copy
// of each descriptor until it runs its program.
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

// isFree waits until nobody holds the lock on the FIFO, which copies of a descriptor share.
func (w *testEnv) isFree() {
	w.t.Helper()
	eventually(w.t, func() (string, bool) {
		p, err := openFIFO(w.opts.Path)
		p.close()
		return fmt.Sprintf("opening the FIFO: %v", err), err == nil
	})
}

// A vrrp is a process of its own that plays Keepalived's VRRP process.
type vrrp struct {
	t   *testing.T
	w   *testEnv
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

const playKeepalived = "play-keepalived"

// keepalived starts a VRRP process that writes its pid file and then opens the FIFO, in the order in which Keepalived does.
func (w *testEnv) keepalived() *vrrp {
	w.t.Helper()
	k := w.process("keepalived")
	k.registers()
	k.open()
	return k
}

// process starts one of this name. It ends with the test at the latest.
func (w *testEnv) process(name string) *vrrp {
	w.t.Helper()
	return w.processWith(name, nil)
}

func (w *testEnv) processWith(name string, attr *syscall.SysProcAttr) *vrrp {
	w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	// The kernel names a process after the file that it runs.
	file := filepath.Join(w.t.TempDir(), name)
	if err := os.Link(self, file); err != nil {
		program, err := os.ReadFile(self) //nolint:gosec // this test program
		if err == nil {
			syscall.ForkLock.RLock()                 // what another test forks now would hold the file open for writing: "text file busy"
			err = os.WriteFile(file, program, 0o700) //nolint:gosec // it is to be run
			syscall.ForkLock.RUnlock()
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	k := &vrrp{t: w.t, w: w, cmd: exec.Command(file, playKeepalived)} //nolint:gosec // this test program
	k.cmd.Stderr, k.cmd.SysProcAttr = os.Stderr, attr
	k.in, err = k.cmd.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := k.cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	k.out = bufio.NewReader(out)
	if err := k.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(k.kill)
	return k
}

// registers writes its pid file.
func (k *vrrp) registers() {
	k.t.Helper()
	k.w.pidFile(strconv.Itoa(k.cmd.Process.Pid) + "\n")
}

func (w *testEnv) pidFile(text string) {
	w.t.Helper()
	if err := os.WriteFile(w.pidPath, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (k *vrrp) open() { k.t.Helper(); k.order("open " + k.w.opts.Path) }
func (k *vrrp) shut() { k.t.Helper(); k.order("shut") }

func (k *vrrp) say(lines ...string) {
	k.t.Helper()
	for _, line := range lines {
		k.order("say " + line)
	}
}

// kill ends it without a last word, and returns when it is no more.
func (k *vrrp) kill() {
	if k.cmd.ProcessState == nil {
		_ = k.cmd.Process.Kill()
		_ = k.cmd.Wait()
	}
}

// order has it do something and waits until that is done.
func (k *vrrp) order(what string) {
	k.t.Helper()
	_, err := fmt.Fprintln(k.in, what)
	answer := ""
	if err == nil {
		answer, err = k.out.ReadString('\n')
	}
	if err != nil || answer != "done\n" {
		k.t.Fatalf("%s: got %q, %v, want it done", what, answer, err)
	}
}

// play is the life of a vrrp. It ends with its standard input, that is with the test.
func play() {
	fd := -1
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		what, rest, _ := strings.Cut(orders.Text(), " ")
		var err error
		switch what {
		case "open":
			fd, err = openAsKeepalived(rest)
		case "shut":
			err = unix.Close(fd)
		case "say":
			_, err = unix.Write(fd, []byte(rest+"\n"))
		case "child":
			err = inherit(fd)
		case "ip":
			err = exec.Command("ip", strings.Fields(rest)...).Run() //nolint:gosec // the test's own words
		default:
			err = errors.New("no such order")
		}
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println("done")
	}
}

// inherit starts a process of the same program that has the descriptor too, as a script of Keepalived's might. It ends with this one.
func inherit(fd int) error {
	child := exec.Command("/proc/self/exe", playKeepalived)
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
