package keepalived

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestABurstCountsAsItsLastStates(t *testing.T) {
	w := newEnvWithFIFO(t)
	wr := w.writer()
	w.run()
	wr.raw("INSTANCE \"A\" MASTER 100\nINSTANCE \"B\" BACKUP 100\nINSTANCE \"A\" FAULT 100\n") // one write, so one read
	w.becomes("writer: A FAULT, B BACKUP")
	w.never("A", Master)
}

func TestTheHistoryInAPipeCountsAsItsLastStates(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.look(0) // holds it open
	wr := w.writer()
	full := 0
	for ; full < 10_000; full++ {
		if _, err := unix.Write(wr.fd, fmt.Appendf(nil, "INSTANCE \"A%02d\" %s 100\n", full%10, [...]string{"MASTER", "BACKUP"}[full%2])); err != nil {
			break // a full pipe: Keepalived drops the event
		}
	}
	if full < 2000 || full == 10_000 {
		t.Fatalf("got %d lines into the pipe, want about 2,500", full)
	}
	w.look(probeEvery)
	if got := len(w.history()); got != 1 {
		t.Errorf("got %d changes, want all lines as one", got)
	}
	w.is("writer: A00 MASTER, A01 BACKUP, A02 MASTER, A03 BACKUP, A04 MASTER, A05 BACKUP, A06 MASTER, A07 BACKUP, A08 MASTER, A09 BACKUP")
	if got := w.last().Instances["A00"].Claims; got < 200 {
		t.Errorf("claims: got %d, want each of about 250", got)
	}
	wr.say(`INSTANCE "A00" STOP 100`) // there is room again
	w.look(0)
	if got := w.last().Instances["A00"].State; got != Stop {
		t.Errorf("got %v, want STOP", got)
	}
}

func TestPartOfALineWaitsForItsNewline(t *testing.T) {
	w := newEnvWithFIFO(t)
	wr := w.writer()
	wr.raw(`INSTANCE "A" MAS`)
	w.look(0)
	w.is("writer:")
	wr.raw("TER 100\nINSTANCE \"B\" BACK")
	w.look(0)
	w.is("writer: A MASTER")
	wr.raw("UP 100\n")
	w.look(0)
	w.is("writer: A MASTER, B BACKUP")
}

func TestPartOfALineWaitsForTheNextWriter(t *testing.T) {
	for what, pieces := range map[string][]string{
		"the rest":                 {`INSTANCE "A" MAS`, "TER 100\n"},
		"in three":                 {`INST`, `ANCE "A" M`, "ASTER 100\n"},
		"a line of its own":        {`INSTANCE "B" BACK`, "INSTANCE \"A\" MASTER 100\n"},
		"after half a word":        {`I`, "INSTANCE \"A\" MASTER 100\n"},
		"after half a line of VS":  {`VS [192.0.2.1]`, "INSTANCE \"A\" MASTER 100\n"},
		"after half a name":        {`INSTANCE "`, "INSTANCE \"A\" MASTER 100\n"},
		"after what is too long":   {strings.Repeat("x", 2*maxLine), "INSTANCE \"A\" MASTER 100\n"},
		"after what is just short": {strings.Repeat("x", maxLine-1), "INSTANCE \"A\" MASTER 100\n"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newEnvWithFIFO(t)
			w.look(0)
			for _, piece := range pieces {
				wr := w.writer()
				wr.raw(piece)
				w.look(probeEvery)
				wr.close()
				w.look(0)
			}
			w.is("no writer: A MASTER?")
		})
	}
}

func TestALineThatCannotBeUnderstoodIsSaidNowAndThenAndHarmsNoOther(t *testing.T) {
	w := newEnvWithFIFO(t)
	wr := w.writer()
	wr.say("nonsense", `INSTANCE "A" MASTER 100`, strings.Repeat("long", 10_000), "\x1b[31m", `INSTANCE "B" BACKUP 100`)
	w.look(0)
	w.is("writer: A MASTER, B BACKUP")
	w.said("malformed line", 1)
	w.said("nonsense", 1)

	w.look(malformedEvery)
	wr.say("\x1b" + strings.Repeat("ü", 1000))
	w.look(0)
	w.said("malformed line", 2)
	w.said(`"lines"=4`, 1)
	for _, line := range w.logged("malformed line") {
		if len(line) > 1000 || strings.ContainsAny(line, "\x1bü") {
			t.Errorf("got a log line of %d bytes, %q, want it short and plain", len(line), line)
		}
	}
}

func TestHalfALineThatNobodyCompletesIsSaid(t *testing.T) {
	w := newEnvWithFIFO(t)
	wr := w.writer()
	wr.raw("half")
	w.look(0)
	wr.close()
	w.look(0)
	w.writer().say(`INSTANCE "A" MASTER 100`)
	w.look(probeEvery)
	w.is("writer: A MASTER")
	w.said(`\"half\"`, 1)
}

func TestLinesOfNoInterestAreSilent(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.writer().say(`VS [192.0.2.1]:tcp:80 UP`, `INSTANCE "A" WHO_KNOWS 100`, `INSTANCE "A" BACKUP_PRIORITY 100`, `GROUP "H" MASTER 0`)
	w.look(0)
	w.is("writer:")
	w.said("", 0)
}

func TestAGroupMovesItsMembers(t *testing.T) {
	w := newEnvWithFIFO(t)
	wr := w.writer()
	wr.say(`INSTANCE "C" MASTER 100`, `GROUP "G" MASTER 0`)
	w.look(0)
	w.is("writer: A MASTER, B MASTER, C MASTER")
	wr.say(`GROUP "G" FAULT 0`)
	w.look(0)
	w.is("writer: A FAULT, B FAULT, C MASTER")
	wr.say(`GROUP "G" MASTER 0`)
	w.look(0)
	w.is("writer: A FAULT, B FAULT, C MASTER")
}

func TestTheEndStopsReadingAtOnce(t *testing.T) {
	w := newEnvWithFIFO(t)
	wr := w.writer()
	stop := w.run()
	wr.say(`INSTANCE "A" MASTER 100`)
	w.becomes("writer: A MASTER")
	stop()
	// Keepalived sends SIGTERM first and writes its STOP lines then (seen on 2.2.7).
	wr.say(`INSTANCE "A" STOP 100`)
	w.is("writer: A MASTER")

	w.isFree()
	next := w.another() // the FIFO is free, and the line still there
	next.look(0)
	next.is("writer: A STOP")
}

// Nothing waits for a deadline at the end, though one may be half a second away. The best of several tries counts, for the
// machine may be busy.
func TestTheEndIsAtOnce(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.writer()
	best := patience
	for range 5 {
		connected := len(w.history())
		w.Listener = New(w.opts)
		stop := w.run()
		eventually(t, func() (string, bool) { return "not connected", len(w.history()) > connected })
		began := time.Now()
		stop()
		best = min(best, time.Since(began))
	}
	if most := lookEvery / 4; best > most {
		t.Errorf("got an end after %v, want it within %v", best, most)
	}
}

func TestTheEndLeavesNothingOpen(t *testing.T) {
	w := newEnvWithFIFO(t)
	k := w.keepalived()
	stop := w.run()
	k.say(`INSTANCE "A" MASTER 100`)
	w.becomes("writer: A MASTER")
	w.areOpen(1)
	w.remakeFIFO()
	eventually(t, func() (string, bool) { return "the new FIFO is not open", len(w.opened()) == 2 })
	stop()
	w.areOpen(0)
}

func TestAnEndBeforeTheStartReadsNothing(t *testing.T) {
	w := newEnvWithFIFO(t)
	w.writer().say(`INSTANCE "A" MASTER 100`)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.Run(ctx); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	w.is("no writer:")
}

// An end of file, and an ended process, stay readable to poll: a loop that waits for them spins.
func TestWaitingCostsNoTime(t *testing.T) {
	for what, prepare := range map[string]func(w *testEnv){
		"no FIFO can be made":     func(w *testEnv) { w.opts.Path += "/nowhere/fifo" },
		"no writer yet":           func(*testEnv) {},
		"a writer that is silent": func(w *testEnv) { w.writer() },
		"a writer that has gone": func(w *testEnv) {
			w.look(0)
			wr := w.writer()
			w.look(0)
			wr.close()
		},
		"no writer, and something new beside the FIFO": func(w *testEnv) {
			time.AfterFunc(100*time.Millisecond, func() { _ = os.WriteFile(w.opts.Path+".new", nil, 0o600) })
		},
		"a writer, and files that come and go beside the FIFO": func(w *testEnv) {
			w.writer()
			done := make(chan struct{})
			w.t.Cleanup(func() { close(done) })
			go func() {
				for {
					select {
					case <-done:
						return
					default:
						_ = os.WriteFile(w.opts.Path+".new", nil, 0o600)
						_ = os.Remove(w.opts.Path + ".new")
					}
				}
			}()
		},
		"a process that has ended, and a writer that has not": func(w *testEnv) {
			k := w.keepalived()
			w.look(0)
			w.writer()
			k.kill()
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := newEnvWithFIFO(t)
			prepare(w)
			ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
			defer cancel()
			used := make(chan time.Duration)
			go func() {
				runtime.LockOSThread() // what is counted is this thread
				before := threadTime()
				if err := w.Run(ctx); err != nil {
					t.Error(err)
				}
				used <- threadTime() - before
			}()
			// A loop that spins takes all of the time, or its share of it on a busy machine.
			if got, most := <-used, 50*time.Millisecond; got > most {
				t.Errorf("got %v of processor time in half a second of waiting, want at most %v", got, most)
			}
		})
	}
}

func threadTime() time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
