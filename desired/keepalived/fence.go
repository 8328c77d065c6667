package keepalived

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A fence tells whether all that Keepalived has said so far has been acted on. The listener's goroutine brackets its reading and
// acting with begin and end; all others only ask.
type fence struct {
	mu    sync.Mutex // guards all below
	wake  func()     // ends the listener's sleep
	clock clock
	fds   [3]unix.PollFd // the FIFO, the next one and the VRRP process while the listener does nothing; -1: none
	begun uint64         // how often the listener began to read
	ended uint64         // how often it had acted on what it read
	over  chan struct{}  // closed at the next end; nil: nobody waits
}

// newFence returns the fence of a listener that does not listen yet: nobody passes it.
func newFence() *fence { return &fence{clock: newClock(), begun: 1} }

// open names what ends the listener's sleep.
func (f *fence) open(wake func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wake = wake
}

// rouse ends the listener's sleep, if it listens.
func (f *fence) rouse() {
	f.mu.Lock()
	wake := f.wake
	f.mu.Unlock()
	if wake != nil {
		wake()
	}
}

// begin notes that the listener starts to read, and returns how it stood still before, if it did. Until end the listener may open
// and close descriptors.
func (f *fence) begin() pause {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begun++
	return f.clock.awake()
}

// end notes that the listener has acted on all that it read from fifo and next, and on the end of process. Each may be -1.
func (f *fence) end(fifo, next, process int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, fd := range []int{fifo, next, process} {
		f.fds[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN} //nolint:gosec // a descriptor fits
	}
	f.ended = f.begun
	if f.over != nil {
		close(f.over)
		f.over = nil
	}
}

// beat notes that the process runs. After a standstill it leaves that to the listener, which it wakes.
func (f *fence) beat() {
	f.mu.Lock()
	stood := f.clock.pause().any()
	if !stood {
		f.clock.due = time.Now().Add(beatEvery)
	}
	f.mu.Unlock()
	if stood {
		f.rouse()
	}
}

// expect says whether there will be beats.
func (f *fence) expect(beats bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock.due = time.Time{}
	if beats {
		f.clock.due = time.Now().Add(beatEvery)
	}
}

// close has nobody pass any more: nobody listens.
func (f *fence) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begun++
}

// settle returns at once if nothing is unread, nobody has ended and nothing has stood still. Else it waits until the listener has
// read and acted once more, from a moment after the call on; so it does in any case if evenIfQuiet. Its error is the cause of ctx's end.
func (f *fence) settle(ctx context.Context, evenIfQuiet bool) error {
	f.mu.Lock()
	enough := f.begun + 1
	for f.ended < enough {
		acting := f.ended < f.begun
		if !acting && !evenIfQuiet && f.quiet() {
			break
		}
		if f.over == nil {
			f.over = make(chan struct{})
		}
		over := f.over
		f.mu.Unlock()
		if !acting {
			f.rouse()
		}
		select {
		case <-over:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		f.mu.Lock()
	}
	f.mu.Unlock()
	if ctx.Err() != nil { // what was read may have cancelled the call that asks
		return context.Cause(ctx)
	}
	return nil
}

// quiet reports whether there is nothing for the listener to do. f.mu is held.
func (f *fence) quiet() bool {
	if f.clock.pause().any() {
		return false
	}
	n, err := unix.Poll(f.fds[:], 0)
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Poll(f.fds[:], 0)
	}
	return n == 0 && err == nil
}
