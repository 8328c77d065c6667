package keepalived

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A fence lets a caller wait until all that Keepalived has said so far has been acted on. It refuses nothing itself: acting on a lost
// MASTER cancels the caller's context, and settle returns the cause. The listener calls begin before it reads and end after
// it has acted; everybody else only waits, in settle.
type fence struct {
	mu       sync.Mutex // guards all below
	wakeUp   func()     // ends the listener's sleep; nil: there is no listener yet
	clock    clock
	fds      [3]unix.PollFd // the FIFO, the next one and the VRRP process, between end and begin; -1: none
	begun    uint64         // how often the listener has begun to read
	ended    uint64         // begun, when the listener last ended
	nextDone chan struct{}  // closed at the next end; nil: nobody waits
}

// newFence returns the fence of a listener that does not run yet: settle waits.
func newFence() *fence { return &fence{clock: newClock(), begun: 1} }

// open sets the function that ends the listener's sleep.
func (f *fence) open(wakeUp func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wakeUp = wakeUp
}

// wake ends the listener's sleep, if it runs.
func (f *fence) wake() {
	f.mu.Lock()
	wakeUp := f.wakeUp
	f.mu.Unlock()
	if wakeUp != nil {
		wakeUp()
	}
}

// begin notes that the listener begins to read, and returns how the process has stood still since the last call. Until end, the listener
// may open and close descriptors.
func (f *fence) begin() standstill {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begun++
	return f.clock.reset()
}

// end notes that the listener has acted on everything that it read from fifo and next, and on the end of process. These are
// descriptors, or -1.
func (f *fence) end(fifo, next, process int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, fd := range []int{fifo, next, process} {
		f.fds[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN} //nolint:gosec // a descriptor fits
	}
	f.ended = f.begun
	if f.nextDone != nil {
		close(f.nextDone)
		f.nextDone = nil
	}
}

// beat notes that the process runs. After a standstill it wakes the listener instead, which then calls begin.
func (f *fence) beat() {
	f.mu.Lock()
	stoodStill := f.clock.standstill().matters()
	if !stoodStill {
		f.clock.due = time.Now().Add(beatEvery)
	}
	f.mu.Unlock()
	if stoodStill {
		f.wake()
	}
}

// expectBeats sets whether beat will be called from now on.
func (f *fence) expectBeats(expect bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock.due = time.Time{}
	if expect {
		f.clock.due = time.Now().Add(beatEvery)
	}
}

// close makes settle wait from now on, because the listener has ended.
func (f *fence) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begun++
}

// settle returns nil at once if nothing is unread, the VRRP process has not ended and nothing has stood still, unless evenIfQuiet.
// Otherwise it waits until the listener has completed a round of reading and acting that began after the call. If ctx ends first, it
// returns the cause.
func (f *fence) settle(ctx context.Context, evenIfQuiet bool) error {
	f.mu.Lock()
	enough := f.begun + 1
	for f.ended < enough {
		acting := f.ended < f.begun
		if !acting && !evenIfQuiet && f.quiet() {
			break
		}
		if f.nextDone == nil {
			f.nextDone = make(chan struct{})
		}
		done := f.nextDone
		f.mu.Unlock()
		if !acting {
			f.wake()
		}
		select {
		case <-done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		f.mu.Lock()
	}
	f.mu.Unlock()
	if ctx.Err() != nil { // what was read may have cancelled the very call that waits
		return context.Cause(ctx)
	}
	return nil
}

// quiet reports whether there is nothing for the listener to do. f.mu is held.
func (f *fence) quiet() bool {
	if f.clock.standstill().matters() {
		return false
	}
	n, err := unix.Poll(f.fds[:], 0)
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Poll(f.fds[:], 0)
	}
	return n == 0 && err == nil
}
