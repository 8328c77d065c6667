package handover

import (
	"context"

	"floaty/desired/keepalived"
)

// A watched is a process whose end is awaited. A nil one never ends.
type watched struct {
	*keepalived.Process
	ended chan struct{} // closed when it has ended
	stop  context.CancelFunc
	done  chan struct{} // closed when the goroutine that waits has returned
}

// watchEnd waits for the end of p until close, which also closes p.
func watchEnd(p *keepalived.Process) *watched {
	ctx, stop := context.WithCancel(context.Background())
	w := &watched{Process: p, ended: make(chan struct{}), stop: stop, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		if p.Wait(ctx) == nil {
			close(w.ended)
		}
	}()
	return w
}

// end returns a channel that is closed when the process has ended.
func (w *watched) end() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.ended
}

// isRunning reports whether this is the process with that ID, and runs.
func (w *watched) isRunning(pid int) bool { return w != nil && w.PID == pid && w.Alive() }

// close stops waiting and closes the process.
func (w *watched) close() {
	if w == nil {
		return
	}
	w.stop()
	<-w.done
	w.Close()
}
