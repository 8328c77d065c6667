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

// settles asks the running listener and returns what was handed on when it answered.
func (w *testEnv) settles() string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	if err := w.Settle(ctx); err != nil {
		w.t.Fatalf("Settle: got %v, want nil", err)
	}
	return w.last().text
}

func TestWhatIsInTheFIFOHasBeenActedOnWhenSettleReturns(t *testing.T) {
	w := newEnvWithFIFO(t)
	wr := w.writer()
	w.run()
	for range 200 {
		for _, state := range []string{"MASTER", "BACKUP"} {
			wr.say(`INSTANCE "A" ` + state + ` 100`)
			if got, want := w.settles(), "writer: A "+state; got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
		}
	}
}

func TestAWriterThatIsGoneHasBeenNoticedWhenSettleReturns(t *testing.T) {
	w := newEnvWithFIFO(t)
	wr := w.writer()
	wr.say(`INSTANCE "A" MASTER 100`)
	w.run()
	w.becomes("writer: A MASTER")
	wr.close()
	if got, want := w.settles(), "no writer: A MASTER?"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Somebody else keeps the FIFO open that Keepalived has removed, and Keepalived speaks through the one that it made.
func TestWhatIsInTheNextFIFOHasBeenActedOnWhenSettleReturns(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.writer().say(`INSTANCE "A" MASTER 100`)
	w.run()
	w.becomes("writer: A MASTER")
	w.remakeFIFO()
	eventually(t, func() (string, bool) {
		w.fence.mu.Lock()
		defer w.fence.mu.Unlock()
		return "the next FIFO is not open", w.fence.fds[1].Fd >= 0
	})
	w.writer().say(`INSTANCE "A" BACKUP 100`)
	if got, want := w.settles(), "writer: A BACKUP"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAProcessThatEndedHasBeenNoticedWhenSettleReturns(t *testing.T) {
	w := newEnvWithFIFO(t)
	k := w.keepalived()
	w.writer() // keeps the FIFO open
	k.say(`INSTANCE "A" MASTER 100`)
	w.run()
	w.becomes("writer: A MASTER")
	k.kill()
	if got, want := w.settles(), "writer: A unknown"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAStandstillHasBeenNoticedWhenSettleReturns(t *testing.T) {
	w := newEnvWithFIFO(t)
	wr := w.writer()
	wr.say(`INSTANCE "A" MASTER 100`)
	w.opts.Conf.AdvertInterval = func(string) time.Duration { return time.Microsecond } // MASTER was said long ago
	w.run()
	w.becomes("writer: A MASTER")
	eventually(t, func() (string, bool) { // the first beat is expected a moment after MASTER was handed on
		w.fence.mu.Lock()
		defer w.fence.mu.Unlock()
		if w.fence.clock.due.IsZero() {
			return "no beat is expected", false
		}
		w.fence.clock.due = time.Now().Add(-time.Minute)
		return "", true
	})
	if got, want := w.settles(), "writer: A MASTER?"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestASuspendedMachineHasBeenNoticedWhenSettleReturns(t *testing.T) {
	w := newEnvWithFIFO(t)
	wr := w.writer()
	wr.say(`INSTANCE "A" MASTER 100`)
	w.run()
	w.becomes("writer: A MASTER")
	w.fence.mu.Lock()
	w.fence.clock.ahead -= time.Minute
	w.fence.mu.Unlock()
	if got, want := w.settles(), "writer: A MASTER?"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := w.settles(), "writer: A MASTER?"; got != want || w.last().Standstills != 1 {
		t.Errorf("got %q and %d standstills, want %q and 1", got, w.last().Standstills, want)
	}
}

// What the listener hands on cancels the write that asks: it must not go on then.
func TestSettleReturnsTheCauseOfAContextThatTheLinesCancelled(t *testing.T) {
	w := newEnvWithFIFO(t)
	wr := w.writer()
	ctx, cancel := context.WithCancelCause(t.Context())
	lost := errors.New("no longer ours")
	changed := w.opts.Changed
	w.opts.Changed = func(s Snapshot) {
		changed(s)
		if s.Instances["A"].State == Backup {
			cancel(lost)
		}
	}
	w.Listener = New(w.opts)
	wr.say(`INSTANCE "A" MASTER 100`)
	w.run()
	w.becomes("writer: A MASTER")
	wr.say(`INSTANCE "A" BACKUP 100`)
	if err := w.Settle(ctx); !errors.Is(err, lost) {
		t.Errorf("got %v, want %v", err, lost)
	}
	if err := w.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Settle(ctx); !errors.Is(err, lost) { // nothing is unread by now
		t.Errorf("again: got %v, want %v", err, lost)
	}
}

func TestSettleWaitsNoLongerThanItsContext(t *testing.T) {
	w := newEnvWithFIFO(t) // nobody listens
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := w.Settle(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestAThousandThatSettleShareAPass(t *testing.T) {
	t.Parallel()
	var pipe [2]int // something lies in it
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = unix.Close(pipe[0]), unix.Close(pipe[1]) }()
	if _, err := unix.Write(pipe[1], []byte("x")); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var woken, passed atomic.Int64
		f := newFence()
		f.open(func() { woken.Add(1) })
		f.begin() // a pass is under way
		for range 1000 {
			go func() {
				if err := f.settle(t.Context(), false); err != nil {
					t.Errorf("got %v, want nil", err)
				}
				passed.Add(1)
			}()
		}
		synctest.Wait()
		f.end(pipe[0], -1, -1)
		synctest.Wait()
		if woken.Load() == 0 || passed.Load() != 0 {
			t.Errorf("got the listener woken %d times and %d passed, want it woken and none, for something is unread", woken.Load(), passed.Load())
		}
		f.begin() // the pass that all wait for
		synctest.Wait()
		if got := passed.Load(); got != 0 {
			t.Errorf("got %d passed before it has ended, want none", got)
		}
		f.end(pipe[0], -1, -1)
		synctest.Wait()
		if got := passed.Load(); got != 1000 {
			t.Errorf("got %d passed after it, want all 1000", got)
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
