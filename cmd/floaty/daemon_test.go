package main_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestATakeoverDoesNotWaitForARead(t *testing.T) {
	w := newEnv(t, one, two, three)
	w.start()
	w.Cloud.ForgetCalls()
	w.says("MASTER")
	w.holds(time.Second, one, two, three)
	for i, call := range w.Cloud.Calls()[:3] {
		if call.Method == http.MethodGet {
			t.Errorf("got a read as call %d of the takeover, want a write: %+v", i+1, call)
		}
	}
}

func TestEveryOtherStateStopsWrites(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		`INSTANCE "VI_1" BACKUP 100`, `INSTANCE "VI_1" FAULT 100`, `INSTANCE "VI_1" STOP 100`, `INSTANCE "VI_1" DELETED 100`,
	} {
		t.Run(strings.Fields(line)[2], func(t *testing.T) {
			w := newEnv(t, one, two)
			w.start()
			w.Cloud.SetLatency(300 * time.Millisecond)
			w.says("MASTER")
			w.eventually("the writes are under way", time.Second, func() bool { return len(w.Writes()) == 2 })
			w.must(w.Say(line))
			w.never("written after "+line, 2*interval, func() bool { return w.here(one) || w.here(two) || len(w.Writes()) > 2 })
		})
	}
}

func TestALineMayArriveInPieces(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	f, err := os.OpenFile(w.FIFO, os.O_RDWR, 0)
	w.must(err)
	defer func() { _ = f.Close() }()
	for _, piece := range []string{"INSTAN", `CE "VI_`, "1\" MAS"} {
		_, err := f.WriteString(piece)
		w.must(err)
		w.never("acted on a part of a line", 100*time.Millisecond, func() bool { return len(w.Writes()) > 0 })
	}
	_, err = f.WriteString("TER 100\n")
	w.must(err)
	w.holds(time.Second, one)
}

func TestMalformedLinesDoNotStopTheReader(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	w.says("BACKUP")
	f, err := os.OpenFile(w.FIFO, os.O_RDWR, 0) // blocking: a write waits for the reader where Keepalived would drop the line
	w.must(err)
	defer func() { _ = f.Close() }()
	rubbish := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(rubbish) // never fails
	for _, text := range [][]byte{bytes.Repeat([]byte("x"), 300_000), []byte("\n"), rubbish, []byte("\n")} {
		_, err := f.Write(text)
		w.must(err)
	}
	w.says("MASTER")
	w.holds(2*time.Second, one)
	if len(w.Log()) > 20_000 {
		t.Errorf("got a log of %d bytes about a mebibyte of rubbish, want at most 20,000", len(w.Log()))
	}
}

func TestTenThousandTransitionsNeedAHandfulOfWrites(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	before := w.memory()
	var lines strings.Builder
	for range 5000 {
		lines.WriteString("INSTANCE \"VI_1\" BACKUP 100\nINSTANCE \"VI_1\" MASTER 100\n")
	}
	f, err := os.OpenFile(w.FIFO, os.O_RDWR, 0)
	w.must(err)
	defer func() { _ = f.Close() }()
	_, err = f.WriteString(lines.String())
	w.must(err)
	w.holds(3*time.Second, one)
	w.never("lost again", time.Second, func() bool { return !w.here(one) })
	if n := len(w.Writes()); n > 8 {
		t.Errorf("got %d writes, want a handful, at most 8", n)
	}
	if after := w.memory(); after > before+20<<10 {
		t.Errorf("got memory that grew from %d to %d KiB, want at most 20 MiB more", before, after)
	}
}

// memory returns the resident memory of floaty's process, in KiB.
func (w *env) memory() int {
	w.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.FloatyPID()))
	w.must(err)
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); fields[0] == "VmRSS:" {
			n, err := strconv.Atoi(fields[1])
			w.must(err)
			return n
		}
	}
	w.Fatal("no VmRSS")
	return 0
}

func TestNoWriterMeansNoWrite(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	w.says("MASTER")
	w.holds(time.Second, one)
	w.CloseFIFO()
	time.Sleep(50 * time.Millisecond)
	w.Cloud.ForgetCalls()
	w.Cloud.Move(one, stranger)
	w.never("written without Keepalived", 3*interval, func() bool { return len(w.Writes()) > 0 })
}

func TestHoldingAHundredAddressesCostsOneReadPerInterval(t *testing.T) {
	var addrs []netip.Addr
	for i := range 100 {
		addrs = append(addrs, netip.AddrFrom4([4]byte{203, 0, 113, byte(i + 1)}))
	}
	w := newEnv(t, addrs...)
	w.start()
	w.says("MASTER")
	w.holds(2*time.Second, addrs...)
	time.Sleep(11 * time.Second) // the verifications 1, 3 and 10 s after the writes are over
	w.Cloud.ForgetCalls()
	time.Sleep(5 * interval)
	if calls, writes := len(w.Cloud.Calls()), len(w.Writes()); calls < 4 || calls > 7 || writes != 0 {
		t.Errorf("got %d calls and %d writes in 5 intervals, want about 5 and 0", calls, writes)
	}
}

func TestAnOutsideChangeIsCorrectedWithinAnInterval(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	w.says("MASTER")
	w.holds(time.Second, one)
	w.Cloud.Move(one, stranger)
	w.holds(interval*12/10, one)
}

func TestADryRunDaemonLogsItsWritesAndMakesNone(t *testing.T) {
	w := newEnv(t, one, two)
	w.Cloud.Move(two, w.UUID)
	w.start("--dry-run", "--fifo", w.Path("floaty.yml"), w.FIFO)
	w.says("MASTER")
	w.eventually("the difference is logged", time.Second, func() bool { return w.logged("would be assigned") == 1 })
	w.never("written in a dry run", 3*interval, func() bool { return len(w.Writes()) > 0 })
	if n := w.loggedInTotal("would be assigned"); n != 1 || w.loggedInTotal("address="+one.String()+" from=stranger to=") != 1 {
		t.Errorf("got %d lines, want one with the address, its current server and the wanted one", n)
	}
	if n := w.loggedInTotal(two.String()); n != 1 || w.loggedInTotal("already there") != 1 {
		t.Errorf("got %d lines about the address in place, want one that reports it as such", n)
	}
}

func TestSIGTERMEndsTheDaemonAtOnce(t *testing.T) {
	w := newEnv(t, one)
	w.start()
	w.Cloud.SetLatency(20 * time.Second)
	w.says("MASTER")
	w.eventually("a write is under way", time.Second, func() bool { return len(w.Writes()) == 1 })
	before := time.Now()
	w.StopFloaty()
	if took := time.Since(before); took > 2*time.Second {
		t.Errorf("got the end %v after SIGTERM, want it within 2 s", took)
	}
}

func TestATakeoverSurvivesFailures(t *testing.T) {
	t.Parallel()
	for _, c := range faults() {
		t.Run(c.name, func(t *testing.T) {
			w := newEnv(t, one, two)
			w.start()
			w.Cloud.Fail(c.fault)
			w.says("MASTER")
			if c.single { // the fault concerns one address only
				w.holds(time.Second, two)
			}
			w.holds(c.within, one, two)
		})
	}
}
