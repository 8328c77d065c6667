package handover

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// Each instance's events come to the lock in another order than they were started in, more often than not.
func TestPairsEndAsTheOneStartedLastSays(t *testing.T) {
	const instances = 40
	w := newWorld(t)
	k := w.keepalived("keepalived")
	for round := range 2 { // in the second, there is a holder where the first has left one
		var all []role
		last := map[string]role{}
		for i := range instances {
			path := filepath.Join(w.dir, fmt.Sprintf("floaty-VI_%d.lock", i))
			pair := []role{w.master(fmt.Sprintf("master-%d-%d", round, i)), w.backup(fmt.Sprintf("backup-%d-%d", round, i))}
			if (i+round)%2 == 1 {
				pair[0], pair[1] = pair[1], pair[0]
			}
			for j := range pair {
				pair[j].Path, pair[j].Delay = path, time.Duration((i*7+j*13)%23)*time.Millisecond
			}
			all = append(all, pair...)
			last[path] = pair[1]
		}
		k.start(all...)
		for _, r := range last {
			w.settles(r)
		}
		w.leaves(all, last)
	}
}

func TestABurstEndsAsItsLastEventSays(t *testing.T) {
	w := newWorld(t)
	k := w.keepalived("keepalived")
	var all []role
	for i := range 15 {
		r := w.master(fmt.Sprintf("event-%d", i))
		if i%3 == 1 {
			r.State = "BACKUP"
		}
		r.Delay = time.Duration(i*7%15) * 2 * time.Millisecond
		all = append(all, r)
	}
	k.start(all...)
	last := map[string]role{w.path: all[len(all)-1]}
	w.settles(last[w.path])
	w.leaves(all, last)
}

// settles waits until the last event has had its way.
func (w *world) settles(last role) {
	w.t.Helper()
	if last.State == "MASTER" {
		w.hears(last.Name + " holds")
	} else {
		w.hears(last.Name + " let go")
	}
}

// leaves waits for the end of all others and asserts that the last event's will still is done.
func (w *world) leaves(all []role, last map[string]role) {
	w.t.Helper()
	for _, r := range all {
		if r.Name == last[r.Path].Name {
			continue
		}
		eventually(w.t, func() (string, bool) {
			over := len(w.heard(r.Name+" newer")) + len(w.heard(r.Name+" let go")) + len(w.heard(r.Name+" ended"))
			return fmt.Sprintf("%s goes on, want it over", r.Name), over > 0
		})
	}
	for path, r := range last {
		want := 0
		if r.State == "MASTER" {
			want = w.pidOf(r.Name)
		}
		if got := w.holder(path); got != want {
			w.t.Errorf("%s: got holder %d, want %d, as %s was started last", path, got, want, r.Name)
		}
		w.silent(r.Name + " told")
		w.silent(r.Name + " error")
	}
}
