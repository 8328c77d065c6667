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

// errNoKeepalived is what [Keepalived.Identify] says when it finds none.
var errNoKeepalived = errors.New("no keepalived is above this process, and the pid file names none")

// A Keepalived is the processes with which this one is to end.
type Keepalived struct {
	family    family
	processes []*keepalived.Process
	named     string // what each of them is, for whom it may concern
}

// Above returns what is above this process: the nearest ancestor that is a Keepalived, which is the VRRP process, or else all
// ancestors. It comes before all else, for an ancestor that ends gives its children another parent. The
// caller calls [Keepalived.Watch], whose stop lets go of it.
func Above() *Keepalived {
	k := &Keepalived{family: lineage(), named: keepalived.Program}
	if k.family.keepalived > 0 {
		k.add(k.family.keepalived)
		return k
	}
	k.named = "a process above this one"
	for _, pid := range k.family.ancestors {
		if pid != 1 {
			k.add(pid)
		}
	}
	return k
}

// Identify adds the process of Keepalived's pid file, where that is of the Keepalived above. Where no ancestor can be told to be one,
// the process of the pid file is Keepalived, and so is the ancestor that root's pid file names, whatever may be seen of it.
//
// Where there is none, as for somebody who tries floaty in a shell, the error says so, and all ancestors remain: one that cannot be
// told from others may be Keepalived, and a holder must not outlive it.
func (k *Keepalived) Identify(pidFile string) error {
	vrrp, err := keepalived.FindProcess(pidFile)
	if k.family.keepalived > 0 {
		if err == nil && k.family.related(vrrp.Stat) {
			k.add(vrrp.PID)
		}
		vrrp.Close()
		return nil
	}
	if err == nil {
		k.close()
		k.processes, k.named = []*keepalived.Process{vrrp}, keepalived.Program
		return nil
	}
	if pid, owner, err := keepalived.ReadPIDFile(pidFile); err == nil && owner == 0 && slices.Contains(k.family.ancestors, pid) {
		k.close()
		k.processes, k.named = nil, keepalived.Program
		k.add(pid)
		return nil
	}
	return fmt.Errorf("%w (%w)", errNoKeepalived, err)
}

// add adds a process. One that has just ended counts as such.
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

// Check returns an error that says so if one of the processes has ended.
func (k *Keepalived) Check() error {
	for _, p := range k.processes {
		if !p.Alive() {
			return k.gone(p)
		}
	}
	return nil
}

func (k *Keepalived) gone(p *keepalived.Process) error {
	return fmt.Errorf("%s, process %d, has ended", k.named, p.PID)
}

// Watch returns a context that is cancelled, with a cause that says so, once one of the processes has ended. It is seen at once,
// or within 25 ms where the kernel has no pidfd. The caller calls stop in the end; it ends the context and closes k.
func (k *Keepalived) Watch(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var waits sync.WaitGroup
	for _, p := range k.processes {
		waits.Go(func() {
			if p.Wait(ctx) == nil {
				cancel(k.gone(p))
			}
		})
	}
	return ctx, func() {
		cancel(context.Canceled)
		waits.Wait()
		k.close()
	}
}

// A family is a process and its ancestors.
type family struct {
	event      keepalived.Stat // what Keepalived started; the process itself where no ancestor is a Keepalived
	keepalived int             // the nearest ancestor that is one; 0: none
	ancestors  []int           // nearest first, as far as can be seen and one further
}

// lineage returns the family of this process.
func lineage() family {
	for range 3 { // an ancestor that ends in between gives its children another parent
		if f, err := climb(os.Getpid()); err == nil {
			return f
		}
	}
	self, _ := keepalived.StatOf(os.Getpid()) // its zero value where there is no /proc
	return family{event: self}
}

// climb goes up from a process. Where /proc hides the processes of others (hidepid), the first that is hidden is the last that is
// known of; what is below it is taken for what Keepalived, which is another user's, has started.
func climb(pid int) (family, error) {
	self, err := keepalived.StatOf(pid)
	if err != nil {
		return family{}, err
	}
	f := family{event: self}
	for below := self; below.Parent > 0; {
		f.ancestors = append(f.ancestors, below.Parent)
		above, err := keepalived.StatOf(below.Parent)
		if err != nil {
			if again, err := keepalived.StatOf(below.PID); err != nil || again.Parent != below.Parent {
				return family{}, errors.New("an ancestor has just ended")
			}
			f.event = below
			return f, nil
		}
		if keepalived.IsKeepalived(above.PID) {
			f.event, f.keepalived = below, above.PID
			return f, nil
		}
		below = above
	}
	return f, nil
}

// related reports whether a process is the Keepalived of the family, its parent or its child: there may be another Keepalived on
// the host, which is not to be ended with.
func (f family) related(p keepalived.Stat) bool {
	above, err := keepalived.StatOf(f.keepalived)
	return p.PID == f.keepalived || p.Parent == f.keepalived || err == nil && above.Parent == p.PID
}
