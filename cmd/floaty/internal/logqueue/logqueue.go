// Package logqueue writes log lines without blocking those who log. A write to a pipe that nobody reads blocks, and
// floaty must not miss a line of Keepalived because of one of its own: lines that do not fit into the queue are
// dropped and counted.
//
// It knows nothing about the content of the lines.
package logqueue

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// maxQueued bounds the lines that wait to be written, in bytes: a few thousand lines.
const maxQueued = 256 << 10

// A Queue writes lines later, in the order of Write. Create it with [New].
type Queue struct {
	w    io.Writer
	note func(dropped int) []byte
	more chan struct{} // wakes run
	done chan struct{} // closed when everything is written, after Close

	mu      sync.Mutex // guards all below
	lines   [][]byte
	size    int    // of lines, in bytes
	dropped int    // since the last note
	total   uint64 // dropped since New
	closed  bool
}

// New returns a queue in front of w. Once lines can be written again after some were dropped, it writes the line that
// note returns. Errors of w are ignored, because there is nowhere to report them.
func New(w io.Writer, note func(dropped int) []byte) *Queue {
	q := &Queue{w: w, note: note, more: make(chan struct{}, 1), done: make(chan struct{})}
	go q.run()
	return q
}

// Write queues a line, or drops it if the queue is full. It never blocks or fails.
func (q *Queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	if q.size+len(line) > maxQueued {
		q.dropped++
		q.total++
	} else {
		q.lines = append(q.lines, bytes.Clone(line))
		q.size += len(line)
	}
	q.mu.Unlock()
	q.wake()
	return len(line), nil
}

// Dropped returns how many lines have been dropped since New.
func (q *Queue) Dropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.total
}

// Sync implements zapcore.WriteSyncer. It does nothing: see [Queue.Close].
func (q *Queue) Sync() error { return nil }

// Close waits until everything is written, for at most a given time. It may be called once; lines written after it
// are lost.
func (q *Queue) Close(atMost time.Duration) {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.wake()
	select {
	case <-q.done:
	case <-time.After(atMost): // a write to a pipe that nobody reads cannot be cancelled
	}
}

func (q *Queue) wake() {
	select {
	case q.more <- struct{}{}:
	default: // run is about to look anyway
	}
}

// run writes until Close.
func (q *Queue) run() {
	defer close(q.done)
	for {
		lines, closed := q.next()
		for _, line := range lines {
			_, _ = q.w.Write(line)
		}
		switch {
		case len(lines) > 0:
		case closed:
			return
		default:
			<-q.more
		}
	}
}

// next returns the lines to be written now, and whether the queue is closed.
func (q *Queue) next() (lines [][]byte, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines = q.lines
	q.lines, q.size = nil, 0
	if len(lines) == 0 && q.dropped > 0 { // all lines queued before have been written
		lines = [][]byte{q.note(q.dropped)}
		q.dropped = 0
	}
	return lines, q.closed
}
