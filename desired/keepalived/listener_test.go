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

func TestABurstIsReportedAsItsLastStates(t *testing.T) {
	env := newEnvWithFIFO(t)
	wr := env.writer()
	env.run()
	wr.raw("INSTANCE \"A\" MASTER 100\nINSTANCE \"B\" BACKUP 100\nINSTANCE \"A\" FAULT 100\n") // one write, so one read
	env.waitFor("writer: A FAULT, B BACKUP")
	env.wantNever("A", Master)
}

func TestAFullPipeIsReportedAsItsLastStates(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.step(0) // opens the FIFO for reading
	wr := env.writer()
	full := 0
	for ; full < 10_000; full++ {
		if _, err := unix.Write(wr.fd, fmt.Appendf(nil, "INSTANCE \"A%02d\" %s 100\n", full%10, [...]string{"MASTER", "BACKUP"}[full%2])); err != nil {
			break // the pipe is full: Keepalived would drop the line
		}
	}
	if full < 2000 || full == 10_000 {
		t.Fatalf("got %d lines into the pipe, want about 2,500", full)
	}
	env.step(probeEvery)
	if got := len(env.reports()); got != 1 {
		t.Errorf("got %d changes, want one for all lines", got)
	}
	env.wantLast("writer: A00 MASTER, A01 BACKUP, A02 MASTER, A03 BACKUP, A04 MASTER, A05 BACKUP, A06 MASTER, A07 BACKUP, A08 MASTER, A09 BACKUP")
	if got := env.last().Instances["A00"].Claims; got < 200 {
		t.Errorf("claims: got %d, want about 250, one per MASTER line", got)
	}
	wr.say(`INSTANCE "A00" STOP 100`) // the pipe has room again
	env.step(0)
	if got := env.last().Instances["A00"].State; got != Stop {
		t.Errorf("got %v, want STOP", got)
	}
}

func TestAnIncompleteLineWaitsForItsEnd(t *testing.T) {
	env := newEnvWithFIFO(t)
	wr := env.writer()
	wr.raw(`INSTANCE "A" MAS`)
	env.step(0)
	env.wantLast("writer:")
	wr.raw("TER 100\nINSTANCE \"B\" BACK")
	env.step(0)
	env.wantLast("writer: A MASTER")
	wr.raw("UP 100\n")
	env.step(0)
	env.wantLast("writer: A MASTER, B BACKUP")
}

func TestAnIncompleteLineMayBeCompletedByTheNextWriter(t *testing.T) {
	for what, pieces := range map[string][]string{
		"the rest of the line":           {`INSTANCE "A" MAS`, "TER 100\n"},
		"a line in three pieces":         {`INST`, `ANCE "A" M`, "ASTER 100\n"},
		"after half a line":              {`INSTANCE "B" BACK`, "INSTANCE \"A\" MASTER 100\n"},
		"after half a word":              {`I`, "INSTANCE \"A\" MASTER 100\n"},
		"after half a line of VS":        {`VS [192.0.2.1]`, "INSTANCE \"A\" MASTER 100\n"},
		"after half a name":              {`INSTANCE "`, "INSTANCE \"A\" MASTER 100\n"},
		"after a line that is too long":  {strings.Repeat("x", 2*maxLine), "INSTANCE \"A\" MASTER 100\n"},
		"after a line just short enough": {strings.Repeat("x", maxLine-1), "INSTANCE \"A\" MASTER 100\n"},
	} {
		t.Run(what, func(t *testing.T) {
			env := newEnvWithFIFO(t)
			env.step(0)
			for _, piece := range pieces {
				wr := env.writer()
				wr.raw(piece)
				env.step(probeEvery)
				wr.close()
				env.step(0)
			}
			env.wantLast("no writer: A MASTER?")
		})
	}
}

func TestMalformedLinesAreIgnoredAndLoggedOncePerMinute(t *testing.T) {
	env := newEnvWithFIFO(t)
	wr := env.writer()
	wr.say("nonsense", `INSTANCE "A" MASTER 100`, strings.Repeat("long", 10_000), "\x1b[31m", `INSTANCE "B" BACKUP 100`)
	env.step(0)
	env.wantLast("writer: A MASTER, B BACKUP")
	env.wantLogged("malformed line", 1)
	env.wantLogged("nonsense", 1)

	env.step(malformedEvery)
	wr.say("\x1b" + strings.Repeat("ü", 1000))
	env.step(0)
	env.wantLogged("malformed line", 2)
	env.wantLogged(`"lines"=4`, 1)
	for _, line := range env.log.Lines("malformed line") {
		if len(line) > 1000 || strings.ContainsAny(line, "\x1bü") {
			t.Errorf("got a log line of %d bytes, %q, want at most 1000 bytes of plain ASCII", len(line), line)
		}
	}
}

func TestAnIncompleteLineThatIsNeverCompletedIsLogged(t *testing.T) {
	env := newEnvWithFIFO(t)
	wr := env.writer()
	wr.raw("half")
	env.step(0)
	wr.close()
	env.step(0)
	env.writer().say(`INSTANCE "A" MASTER 100`)
	env.step(probeEvery)
	env.wantLast("writer: A MASTER")
	env.wantLogged(`\"half\"`, 1)
}

func TestIrrelevantLinesAreIgnoredSilently(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.writer().say(`VS [192.0.2.1]:tcp:80 UP`, `INSTANCE "A" WHO_KNOWS 100`, `INSTANCE "A" BACKUP_PRIORITY 100`, `GROUP "H" MASTER 0`)
	env.step(0)
	env.wantLast("writer:")
	env.wantLogged("", 0)
}

func TestAGroupChangesItsMembers(t *testing.T) {
	env := newEnvWithFIFO(t)
	wr := env.writer()
	wr.say(`INSTANCE "C" MASTER 100`, `GROUP "G" MASTER 0`)
	env.step(0)
	env.wantLast("writer: A MASTER, B MASTER, C MASTER")
	wr.say(`GROUP "G" FAULT 0`)
	env.step(0)
	env.wantLast("writer: A FAULT, B FAULT, C MASTER")
	wr.say(`GROUP "G" MASTER 0`)
	env.step(0)
	env.wantLast("writer: A FAULT, B FAULT, C MASTER")
}

func TestRunStopsReadingWhenItsContextEnds(t *testing.T) {
	env := newEnvWithFIFO(t)
	wr := env.writer()
	stop := env.run()
	wr.say(`INSTANCE "A" MASTER 100`)
	env.waitFor("writer: A MASTER")
	stop()
	// When Keepalived stops, it first sends SIGTERM to the scripts that it started, and then writes its STOP lines (seen on 2.2.7).
	wr.say(`INSTANCE "A" STOP 100`)
	env.wantLast("writer: A MASTER")

	env.waitUnlocked()
	next := env.secondListener() // the FIFO is unlocked, and the line is still in it
	next.step(0)
	next.wantLast("writer: A STOP")
}

// Run must not wait for its next deadline, which may be half a second away. Only the fastest of several tries counts, because the machine
// may be busy.
func TestRunReturnsAtOnceWhenItsContextEnds(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.writer()
	best := patience
	for range 5 {
		connected := len(env.reports())
		env.Listener = New(env.opts)
		stop := env.run()
		eventually(t, func() (string, bool) { return "not connected", len(env.reports()) > connected })
		began := time.Now()
		stop()
		best = min(best, time.Since(began))
	}
	if most := checkEvery / 4; best > most {
		t.Errorf("got Run's return after %v, want it within %v", best, most)
	}
}

func TestRunLeavesNoFIFOOpen(t *testing.T) {
	env := newEnvWithFIFO(t)
	k := env.keepalived()
	stop := env.run()
	k.say(`INSTANCE "A" MASTER 100`)
	env.waitFor("writer: A MASTER")
	env.wantOpen(1)
	env.remakeFIFO()
	eventually(t, func() (string, bool) { return "the new FIFO is not open", len(env.openFiles()) == 2 })
	stop()
	env.wantOpen(0)
}

func TestRunWithAnEndedContextReadsNothing(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.writer().say(`INSTANCE "A" MASTER 100`)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := env.Run(ctx); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	env.wantLast("no writer:")
}

// For poll(2), an end of file and an ended process stay readable, so a loop that kept waiting for them would spin.
func TestWaitingUsesNoCPUTime(t *testing.T) {
	for what, prepare := range map[string]func(env *testEnv){
		"the FIFO cannot be created": func(env *testEnv) { env.opts.Path += "/nowhere/fifo" },
		"no writer yet":              func(*testEnv) {},
		"a silent writer":            func(env *testEnv) { env.writer() },
		"a writer that has gone": func(env *testEnv) {
			env.step(0)
			wr := env.writer()
			env.step(0)
			wr.close()
		},
		"no writer, and a new file in the directory": func(env *testEnv) {
			time.AfterFunc(100*time.Millisecond, func() { _ = os.WriteFile(env.opts.Path+".new", nil, 0o600) })
		},
		"a writer, and files that come and go in the directory": func(env *testEnv) {
			env.writer()
			done := make(chan struct{})
			env.t.Cleanup(func() { close(done) })
			go func() {
				for {
					select {
					case <-done:
						return
					default:
						_ = os.WriteFile(env.opts.Path+".new", nil, 0o600)
						_ = os.Remove(env.opts.Path + ".new")
					}
				}
			}()
		},
		"an ended process, and a writer that goes on": func(env *testEnv) {
			k := env.keepalived()
			env.step(0)
			env.writer()
			k.kill()
		},
	} {
		t.Run(what, func(t *testing.T) {
			env := newEnvWithFIFO(t)
			prepare(env)
			ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
			defer cancel()
			used := make(chan time.Duration)
			go func() {
				runtime.LockOSThread() // CPU time is counted per thread
				before := threadTime()
				if err := env.Run(ctx); err != nil {
					t.Error(err)
				}
				used <- threadTime() - before
			}()
			// A loop that spins uses a whole CPU, or on a busy machine its share of one.
			if got, most := <-used, 50*time.Millisecond; got > most {
				t.Errorf("got %v of CPU time in half a second of waiting, want at most %v", got, most)
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
