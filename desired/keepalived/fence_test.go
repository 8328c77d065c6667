package keepalived

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// settle calls Settle of the running Listener and returns the text of the last report by then.
func (env *testEnv) settle() string {
	env.t.Helper()
	ctx, cancel := context.WithTimeout(env.t.Context(), patience)
	defer cancel()
	if err := env.Settle(ctx); err != nil {
		env.t.Fatalf("Settle: got %v, want nil", err)
	}
	return env.last().text
}

func TestSettleWaitsUntilUnreadLinesAreHandled(t *testing.T) {
	env := newEnvWithFIFO(t)
	wr := env.writer()
	env.run()
	for range 200 {
		for _, state := range []string{"MASTER", "BACKUP"} {
			wr.say(`INSTANCE "A" ` + state + ` 100`)
			if got, want := env.settle(), "writer: A "+state; got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
		}
	}
}

func TestSettleWaitsUntilTheLossOfTheWriterIsHandled(t *testing.T) {
	env := newEnvWithFIFO(t)
	wr := env.writer()
	wr.say(`INSTANCE "A" MASTER 100`)
	env.run()
	env.waitFor("writer: A MASTER")
	wr.close()
	if got, want := env.settle(), "no writer: A MASTER?"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Another process keeps the old FIFO open, which Keepalived has removed, while Keepalived writes to the new one.
func TestSettleWaitsUntilTheNextFIFOIsRead(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.writer().say(`INSTANCE "A" MASTER 100`)
	env.run()
	env.waitFor("writer: A MASTER")
	env.remakeFIFO()
	eventually(t, func() (string, bool) {
		env.fence.mu.Lock()
		defer env.fence.mu.Unlock()
		return "the next FIFO is not open", env.fence.fds[1].Fd >= 0
	})
	env.writer().say(`INSTANCE "A" BACKUP 100`)
	if got, want := env.settle(), "writer: A BACKUP"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSettleWaitsUntilTheEndOfTheProcessIsHandled(t *testing.T) {
	env := newEnvWithFIFO(t)
	k := env.keepalived()
	env.writer() // keeps the FIFO open
	k.say(`INSTANCE "A" MASTER 100`)
	env.run()
	env.waitFor("writer: A MASTER")
	k.kill()
	if got, want := env.settle(), "writer: A unknown"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSettleWaitsUntilAStandstillIsHandled(t *testing.T) {
	env := newEnvWithFIFO(t)
	wr := env.writer()
	wr.say(`INSTANCE "A" MASTER 100`)
	env.opts.Conf.AdvertInterval = func(string) time.Duration { return time.Microsecond } // so that the MASTER line counts as old
	env.run()
	env.waitFor("writer: A MASTER")
	eventually(t, func() (string, bool) { // the first beat is expected a moment after MASTER is reported
		env.fence.mu.Lock()
		defer env.fence.mu.Unlock()
		if env.fence.clock.due.IsZero() {
			return "no beat is expected", false
		}
		env.fence.clock.due = time.Now().Add(-time.Minute)
		return "", true
	})
	if got, want := env.settle(), "writer: A MASTER?"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSettleWaitsUntilASuspendOfTheMachineIsHandled(t *testing.T) {
	env := newEnvWithFIFO(t)
	wr := env.writer()
	wr.say(`INSTANCE "A" MASTER 100`)
	env.run()
	env.waitFor("writer: A MASTER")
	env.fence.mu.Lock()
	env.fence.clock.ahead -= time.Minute
	env.fence.mu.Unlock()
	if got, want := env.settle(), "writer: A MASTER?"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := env.settle(), "writer: A MASTER?"; got != want || env.last().Standstills != 1 {
		t.Errorf("got %q and %d standstills, want %q and 1", got, env.last().Standstills, want)
	}
}

// A report of the listener may cancel the very write that called Settle. That write must not go on.
func TestSettleReturnsTheCauseIfALineCancelsItsContext(t *testing.T) {
	env := newEnvWithFIFO(t)
	wr := env.writer()
	ctx, cancel := context.WithCancelCause(t.Context())
	lost := errors.New("no longer ours")
	changed := env.opts.Changed
	env.opts.Changed = func(s Snapshot) {
		changed(s)
		if s.Instances["A"].State == Backup {
			cancel(lost)
		}
	}
	env.Listener = New(env.opts)
	wr.say(`INSTANCE "A" MASTER 100`)
	env.run()
	env.waitFor("writer: A MASTER")
	wr.say(`INSTANCE "A" BACKUP 100`)
	if err := env.Settle(ctx); !errors.Is(err, lost) {
		t.Errorf("got %v, want %v", err, lost)
	}
	if err := env.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := env.Settle(ctx); !errors.Is(err, lost) { // nothing is unread by now
		t.Errorf("again: got %v, want %v", err, lost)
	}
}

func TestSettleEndsWithItsContext(t *testing.T) {
	env := newEnvWithFIFO(t) // its Listener is not running
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := env.Settle(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestAThousandCallsOfSettleShareAPass(t *testing.T) {
	t.Parallel()
	var pipe [2]int // it has an unread byte
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = unix.Close(pipe[0]), unix.Close(pipe[1]) }()
	if _, err := unix.Write(pipe[1], []byte("x")); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var woken, returned atomic.Int64
		f := newFence()
		f.open(func() { woken.Add(1) })
		f.begin() // a pass is under way
		for range 1000 {
			go func() {
				if err := f.settle(t.Context(), false); err != nil {
					t.Errorf("got %v, want nil", err)
				}
				returned.Add(1)
			}()
		}
		synctest.Wait()
		f.end(pipe[0], -1, -1)
		synctest.Wait()
		if woken.Load() == 0 || returned.Load() != 0 {
			t.Errorf("got the listener woken %d times and %d calls returned, want it woken and none returned, because of the unread byte", woken.Load(), returned.Load())
		}
		f.begin() // the pass for which all calls wait
		synctest.Wait()
		if got := returned.Load(); got != 0 {
			t.Errorf("got %d calls returned before the pass ended, want none", got)
		}
		f.end(pipe[0], -1, -1)
		synctest.Wait()
		if got := returned.Load(); got != 1000 {
			t.Errorf("got %d calls returned after the pass, want all 1000", got)
		}
	})
}

func BenchmarkSettleQuiet(b *testing.B) {
	path := filepath.Join(b.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		b.Fatal(err)
	}
	fifo, err := openFIFO(path)
	if err != nil {
		b.Fatal(err)
	}
	defer fifo.close()
	writer, err := openAsKeepalived(path)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = unix.Close(writer) }()
	f := newFence()
	f.begin()
	f.end(fifo.fd, -1, -1)
	f.clock.due = time.Now().Add(time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		if err := f.settle(b.Context(), false); err != nil {
			b.Fatal(err)
		}
	}
	if f.begun != 2 || f.nextDone != nil {
		b.Error("got a call that waited, want none")
	}
}
