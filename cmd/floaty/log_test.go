package main_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startInto starts the daemon with log as its standard error, and waits until it has made the FIFO. The channel ended is closed when the
// daemon has ended.
func (w *env) startInto(log *os.File) (cmd *exec.Cmd, ended <-chan struct{}) {
	w.Helper()
	cmd = exec.Command(program, "--fifo", w.Path("floaty.yml"), w.FIFO) //nolint:gosec // our own arguments; ended below
	cmd.Stderr = log
	w.must(cmd.Start())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait() // how it ended does not matter
	}()
	w.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended already
		<-done
	})
	w.eventually("floaty makes the FIFO", 5*time.Second, func() bool { _, err := os.Stat(w.FIFO); return err == nil })
	return cmd, done
}

// fill writes into a pipe until it is full.
func fill(t *testing.T, pipe *os.File) {
	t.Helper()
	if err := pipe.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := io.WriteString(pipe, strings.Repeat("x", 4096)); errors.Is(err, os.ErrDeadlineExceeded) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnUnreadLogDelaysNothing(t *testing.T) {
	w := newEnv(t, one)
	r, pipe, err := os.Pipe()
	w.must(err)
	defer func() { _, _ = r.Close(), pipe.Close() }()
	fill(t, pipe)
	cmd, ended := w.startInto(pipe)
	w.says("MASTER")
	w.holds(3*time.Second, one)
	w.says("BACKUP")
	time.Sleep(100 * time.Millisecond)
	w.Cloud.Move(one, stranger)
	w.never("written as a BACKUP", 2*interval, func() bool { return w.here(one) })
	w.says("MASTER")
	w.holds(3*time.Second, one)
	w.must(cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("got no end within 10 s of SIGTERM, want one")
	}
}

func TestTheDaemonOutlivesTheReaderOfItsLog(t *testing.T) {
	w := newEnv(t, one)
	r, pipe, err := os.Pipe()
	w.must(err)
	_, ended := w.startInto(pipe)
	w.must(pipe.Close())
	w.must(r.Close())
	w.says("MASTER")
	w.holds(3*time.Second, one)
	w.says("BACKUP")
	w.Cloud.Move(one, stranger)
	w.says("MASTER")
	w.holds(3*time.Second, one)
	select {
	case <-ended:
		t.Error("got floaty ended, want it to go on")
	default:
	}
}

func TestServersAreLoggedByNameOrID(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ flag, want string }{
		"name": {"--verbose=false", "from=stranger to=" + host},
		"ID":   {"--verbose", "from=" + stranger + " to=11111111-1111-4111-8111-111111111111"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newEnv(t, one)
			w.Cloud.Move(one, stranger)
			w.start(c.flag, "--fifo", w.Path("floaty.yml"), w.FIFO)
			w.eventually("a reading of the cloud is complete", 5*time.Second, func() bool {
				_, stdout, _ := run(t, "--status", "--output", "json", w.Path("floaty.yml"))
				return strings.Contains(stdout, `"last_read":"2`)
			})
			w.says("MASTER")
			w.holds(3*time.Second, one)
			w.eventually("the assignment is logged with "+c.want, 3*time.Second, func() bool { return w.logged("address assigned") == 1 })
			if w.loggedInTotal(c.want) != 1 {
				t.Errorf("got %q not once in the log, want it once", c.want)
			}
		})
	}
}
