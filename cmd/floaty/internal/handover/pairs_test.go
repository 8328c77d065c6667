package handover

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// The two events of an instance often reach the lock in another order than the one in which they were started.
func TestTheEventOfEachPairThatWasStartedLastWins(t *testing.T) {
	const instances = 40
	env := newEnv(t)
	k := env.keepalived("keepalived")
	for round := range 2 { // the second round begins with the holders of the first
		var all []role
		last := map[string]role{}
		for i := range instances {
			path := filepath.Join(env.dir, fmt.Sprintf("floaty-VI_%d.lock", i))
			pair := []role{env.master(fmt.Sprintf("master-%d-%d", round, i)), env.backup(fmt.Sprintf("backup-%d-%d", round, i))}
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
			env.waitForLast(r)
		}
		env.wantOnlyLast(all, last)
	}
}

func TestTheLastEventOfABurstWins(t *testing.T) {
	env := newEnv(t)
	k := env.keepalived("keepalived")
	var all []role
	for i := range 15 {
		r := env.master(fmt.Sprintf("event-%d", i))
		if i%3 == 1 {
			r.State = "BACKUP"
		}
		r.Delay = time.Duration(i*7%15) * 2 * time.Millisecond
		all = append(all, r)
	}
	k.start(all...)
	last := map[string]role{env.path: all[len(all)-1]}
	env.waitForLast(last[env.path])
	env.wantOnlyLast(all, last)
}

// waitForLast waits until the last event has held or released the lock.
func (env *testEnv) waitForLast(last role) {
	env.t.Helper()
	if last.State == "MASTER" {
		env.waitFor(last.Name + " holds")
	} else {
		env.waitFor(last.Name + " released")
	}
}

// wantOnlyLast waits until all other events are over, and asserts that the last event for each lock decides who holds it.
func (env *testEnv) wantOnlyLast(all []role, last map[string]role) {
	env.t.Helper()
	for _, r := range all {
		if r.Name == last[r.Path].Name {
			continue
		}
		eventually(env.t, func() (string, bool) {
			over := len(env.output(r.Name+" newer")) + len(env.output(r.Name+" released")) + len(env.output(r.Name+" ended"))
			return fmt.Sprintf("%s is not over", r.Name), over > 0
		})
	}
	for path, r := range last {
		want := 0
		if r.State == "MASTER" {
			want = env.pidOf(r.Name)
		}
		if got := env.holder(path); got != want {
			env.t.Errorf("%s: got holder %d, want %d, because %s was started last", path, got, want, r.Name)
		}
		env.wantNothing(r.Name + " told")
		env.wantNothing(r.Name + " error")
	}
}
