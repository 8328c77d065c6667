package main_test

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"floaty/hack/testenv"
)

// cpu returns the time that floaty has computed.
func (w *world) cpu() time.Duration {
	w.Helper()
	ns := 0
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", w.FloatyPID()))
	w.must(err)
	for _, task := range tasks {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", w.FloatyPID(), task.Name()))
		if err != nil { // it has ended
			continue
		}
		n, err := strconv.Atoi(strings.Fields(string(data))[0])
		w.must(err)
		ns += n
	}
	return time.Duration(ns)
}

// addresses returns so many.
func addresses(n int) []netip.Addr {
	var addrs []netip.Addr
	for i := range n {
		addrs = append(addrs, netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}))
	}
	return addrs
}

// Scrapes must not make floaty big: a host has little memory to spare for it. What a scrape computes is printed only: it depends on
// the machine.
func TestMemoryAfterManyScrapes(t *testing.T) {
	if testenv.Race {
		t.Skip("the race detector takes memory of its own")
	}
	hundred := addresses(100)
	w := newWorld(t, hundred...)
	run := func(scrapes int) (memory int) {
		w.start()
		defer w.StopFloaty()
		w.says("MASTER")
		w.holds(10*time.Second, hundred...)
		if scrapes == 0 {
			return w.memory()
		}
		share := func(begun time.Time, before time.Duration) float64 {
			return float64(w.cpu()-before) / float64(time.Since(begun))
		}
		begun, before := time.Now(), w.cpu()
		time.Sleep(2 * interval) // what floaty does without scrapes, refreshes included
		idle := share(begun, before)
		begun, before = time.Now(), w.cpu()
		tick := time.NewTicker(50 * time.Millisecond) // no more than are answered: a refused scrape takes time, too
		defer tick.Stop()
		for range scrapes {
			w.ask("/metrics")
			<-tick.C
		}
		own := (share(begun, before) - idle) * float64(time.Since(begun)) / float64(scrapes)
		t.Logf("a scrape takes %v of CPU", time.Duration(own).Round(10*time.Microsecond))
		return w.memory()
	}
	for attempt := 1; ; attempt++ { // when the collector comes is a matter of luck
		without, with := run(0), run(300)
		t.Logf("resident: %d KiB without scrapes, %d KiB after 300", without, with)
		if with <= 28<<10 && with <= without+6<<10 {
			return
		}
		if attempt == 3 {
			t.Fatalf("resident after 300 scrapes: got %d KiB, want at most 28 MiB and 6 MiB more than the %d KiB without", with, without)
		}
	}
}
