package handover

import (
	"context"

	"floaty/desired/keepalived"
)

// A watched process is one whose end is waited for. A nil one never ends.
type watched struct {
	*keepalived.Process
	ended chan struct{} // closed once it has
	quit  context.CancelFunc
	done  chan struct{} // closed once nobody waits any more
}

// watch waits for the end of p, which is the watched process's from now on, until close.
func watch(p *keepalived.Process) *watched {
	ctx, quit := context.WithCancel(context.Background())
	w := &watched{Process: p, ended: make(chan struct{}), quit: quit, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		if p.Wait(ctx) == nil {
			close(w.ended)
		}
	}()
	return w
}

// end returns a channel that is closed once the process has ended.
func (w *watched) end() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.ended
}

// is reports whether the process is what has that ID now.
func (w *watched) is(pid int) bool { return w != nil && w.PID == pid && w.Alive() }

// close lets go of the process.
func (w *watched) close() {
	if w == nil {
		return
	}
	w.quit()
	<-w.done
	w.Close()
}
