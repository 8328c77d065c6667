package handover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"floaty/desired/keepalived"
)

// A Keepalived is the set of processes with which this process must end.
type Keepalived struct {
	ancestry  ancestry
	processes []*keepalived.Process
	what      string // what each of them is, for errors
}

// Above returns the nearest ancestor that is a Keepalived, which is its VRRP process, or else all ancestors. It must be called early,
// because the children of an ancestor that ends get another parent. The caller must then call [Keepalived.Watch], whose stop releases the
// processes.
func Above() *Keepalived {
	k := &Keepalived{ancestry: ownAncestry(), what: keepalived.Program}
	if k.ancestry.keepalived > 0 {
		k.add(k.ancestry.keepalived)
		return k
	}
	k.what = "a process above this one"
	for _, pid := range k.ancestry.ancestors {
		if pid != 1 {
			k.add(pid)
		}
	}
	return k
}

// Identify adds the process that Keepalived's pid file names, if it belongs to the Keepalived above. If no ancestor is known to be a
// Keepalived, the process that the pid file names replaces the ancestors: it must be a Keepalived, or the file must belong to root and the
// process must be an ancestor, even if this process cannot see what it is.
//
// If that finds no Keepalived either, as when somebody tries floaty in a shell, Identify returns an error, and all ancestors remain: one of
// them may be a Keepalived, and a holder must not outlive it.
func (k *Keepalived) Identify(pidFile string) error {
	vrrp, err := keepalived.FindProcess(pidFile)
	if k.ancestry.keepalived > 0 {
		if err == nil && k.ancestry.related(vrrp.Stat) {
			k.add(vrrp.PID)
		}
		vrrp.Close()
		return nil
	}
	if err == nil {
		k.close()
		k.processes, k.what = []*keepalived.Process{vrrp}, keepalived.Program
		return nil
	}
	if pid, owner, err := keepalived.ReadPIDFile(pidFile); err == nil && owner == 0 && slices.Contains(k.ancestry.ancestors, pid) {
		k.close()
		k.processes, k.what = nil, keepalived.Program
		k.add(pid)
		return nil
	}
	return fmt.Errorf("no ancestor of this process is a Keepalived, and the pid file names none (%w)", err)
}

// add adds a process, even if it has just ended.
func (k *Keepalived) add(pid int) {
	if slices.ContainsFunc(k.processes, func(p *keepalived.Process) bool { return p.PID == pid }) {
		return
	}
	p, err := keepalived.OpenProcess(pid)
	if err != nil {
		p = keepalived.EndedProcess(pid)
	}
	k.processes = append(k.processes, p)
}

func (k *Keepalived) close() {
	for _, p := range k.processes {
		p.Close()
	}
}

// Check returns an error if one of the processes has ended.
func (k *Keepalived) Check() error {
	for _, p := range k.processes {
		if !p.Alive() {
			return k.endedError(p)
		}
	}
	return nil
}

func (k *Keepalived) endedError(p *keepalived.Process) error {
	return fmt.Errorf("%s, process %d, has ended", k.what, p.PID)
}

// Watch returns a context that is cancelled when one of the processes ends, with an error that says so as its cause. The end is noticed at
// once, or within 25 ms if the kernel has no pidfd. The caller must call stop, which cancels the context and closes k.
func (k *Keepalived) Watch(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var waits sync.WaitGroup
	for _, p := range k.processes {
		waits.Go(func() {
			if p.Wait(ctx) == nil {
				cancel(k.endedError(p))
			}
		})
	}
	return ctx, func() {
		cancel(context.Canceled)
		waits.Wait()
		k.close()
	}
}

// An ancestry is a process and its ancestors.
type ancestry struct {
	event      keepalived.Stat // what Keepalived started, or the process itself if no ancestor is a Keepalived
	keepalived int             // the process ID of the nearest ancestor that is a Keepalived; 0: none
	ancestors  []int           // the process IDs of the ancestors, the nearest first; the last one may be hidden
}

// ownAncestry returns the ancestry of this process.
func ownAncestry() ancestry {
	for range 3 { // the children of an ancestor that ends meanwhile get another parent
		if a, err := ancestryOf(os.Getpid()); err == nil {
			return a
		}
	}
	self, _ := keepalived.StatOf(os.Getpid()) // the zero value if there is no /proc
	return ancestry{event: self}
}

// ancestryOf returns the ancestry of a process. If /proc hides the processes of other users (hidepid), it ends with the first one that is
// hidden, and what is below that one counts as started by Keepalived, which then runs as another user.
func ancestryOf(pid int) (ancestry, error) {
	self, err := keepalived.StatOf(pid)
	if err != nil {
		return ancestry{}, err
	}
	a := ancestry{event: self}
	for below := self; below.Parent > 0; {
		a.ancestors = append(a.ancestors, below.Parent)
		above, err := keepalived.StatOf(below.Parent)
		if err != nil {
			if again, err := keepalived.StatOf(below.PID); err != nil || again.Parent != below.Parent {
				return ancestry{}, errors.New("an ancestor has just ended")
			}
			a.event = below
			return a, nil
		}
		if keepalived.IsKeepalived(above.PID) {
			a.event, a.keepalived = below, above.PID
			return a, nil
		}
		below = above
	}
	return a, nil
}

// related reports whether a process is the Keepalived above, or its parent or child. There may be another Keepalived on the host, whose end
// does not matter.
func (a ancestry) related(p keepalived.Stat) bool {
	above, err := keepalived.StatOf(a.keepalived)
	return p.PID == a.keepalived || p.Parent == a.keepalived || err == nil && above.Parent == p.PID
}
