// Package logqueue writes log lines beside those who log them. A pipe that nobody reads blocks whoever writes into it, and floaty must
// miss no line of Keepalived's for a line of its own: what does not fit into the queue is dropped, and counted.
//
// It knows nothing of what the lines say.
package logqueue

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// maxQueued bounds what waits to be written, in bytes: some thousand lines.
const maxQueued = 256 << 10

// A Queue writes what is written to it, later and in the same order. Create it with [New].
type Queue struct {
	w    io.Writer
	note func(dropped int) []byte
	more chan struct{} // there is something to do
	done chan struct{} // closed when all is written, after Close

	mu      sync.Mutex // guards all below
	lines   [][]byte
	size    int    // of lines, in bytes
	dropped int    // since a note said so
	total   uint64 // dropped since New
	closed  bool
}

// New returns a queue in front of w. Once lines can be written again after some were dropped, the one that note returns is written.
// Whatever w returns as an error is ignored: there is nowhere to say it.
func New(w io.Writer, note func(dropped int) []byte) *Queue {
	q := &Queue{w: w, note: note, more: make(chan struct{}, 1), done: make(chan struct{})}
	go q.run()
	return q
}

// Write queues a line, or drops it. It never blocks and never fails.
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

// Close waits until all is written, but no longer than a time. It can be called once; what is written after it is lost.
func (q *Queue) Close(atMost time.Duration) {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.wake()
	select {
	case <-q.done:
	case <-time.After(atMost): // nobody can end a write to a pipe that nobody reads
	}
}

func (q *Queue) wake() {
	select {
	case q.more <- struct{}{}:
	default: // it is about to look
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

// next returns what is to be written now, and whether that is all.
func (q *Queue) next() (lines [][]byte, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines = q.lines
	q.lines, q.size = nil, 0
	if len(lines) == 0 && q.dropped > 0 { // what was queued before has been written
		lines = [][]byte{q.note(q.dropped)}
		q.dropped = 0
	}
	return lines, q.closed
}
