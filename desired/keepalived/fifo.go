package keepalived

import "time"

const (
	probeEvery = 50 * time.Millisecond // while there is no writer: poll(2) would report the end of file again and again
	maxRead    = 64 << 10              // bytes at once: what a pipe holds by default
)

// A fifo reads events from the FIFO at a path. If the FIFO is removed and made again, it goes over to the new one.
type fifo struct {
	at        fifoPath
	current   *fifoFile // the one that is read; nil: none has been opened yet
	next      *fifoFile // the one at the path, while current is no longer there but still has a writer
	connected bool      // current has a writer
	events    eventReader
	buf       []byte
	on        fifoHandlers
}

// fifoHandlers are called from read and follow, in the order in which things happened.
type fifoHandlers struct {
	connected func(now time.Time) // a writer has opened the FIFO
	event     func(e Event, now time.Time)
	gone      func(now time.Time) // the writer has gone; what it had written was handed on before
}

func newFIFO(opts *Options, counters *eventCounters, on fifoHandlers) *fifo {
	return &fifo{
		at:     fifoPath{opts: opts},
		events: eventReader{counters: counters, log: opts.Log},
		buf:    make([]byte, maxRead),
		on:     on,
	}
}

// opened reports whether a FIFO has been opened. Its lock keeps out a second daemon with the same configuration.
func (f *fifo) opened() bool { return f.current != nil }

// read hands on what is in the current FIFO.
func (f *fifo) read(now time.Time) {
	n, writer := f.current.read(f.buf)
	f.receive(f.buf[:n], writer, now)
}

// receive hands on data. writer tells whether the FIFO still had a writer after data was read.
func (f *fifo) receive(data []byte, writer bool, now time.Time) {
	if !f.connected && (writer || len(data) > 0) {
		f.connected = true
		f.on.connected(now)
	}
	f.events.add(data, now, f.on.event)
	if f.connected && !writer {
		f.connected = false
		f.events.writerGone()
		f.on.gone(now)
	}
}

// follow keeps the FIFO at the path open. One that was opened earlier is read for as long as it has a writer and the one at the path has
// none.
func (f *fifo) follow(now time.Time) {
	due := f.at.due(now, f.next != nil)
	if f.connected && f.next == nil && !due {
		return
	}
	f.at.checked = now
	f.goOver(now) // first, because the next FIFO may have been removed in turn, and still hold lines
	if f.current.isAt(f.at.opts.Path) {
		f.at.found(now)
		return
	}
	if !f.next.isAt(f.at.opts.Path) {
		f.next.close()
		if f.next = f.at.open(now); f.next == nil {
			return
		}
	}
	f.goOver(now)
}

// goOver makes the next FIFO, if there is one, the current one as soon as it has a writer or lines, or the current one has no writer.
func (f *fifo) goOver(now time.Time) {
	if f.next == nil {
		return
	}
	if !f.connected {
		f.read(now) // it may have had a writer since it was last read
	}
	if n, writer := f.next.read(f.buf); n > 0 || writer || !f.connected {
		f.replaceCurrent(f.buf[:n], writer, now)
	}
}

// replaceCurrent replaces the current FIFO by the next one, from which data has been read. What the current one still holds was written
// earlier.
func (f *fifo) replaceCurrent(data []byte, writer bool, now time.Time) {
	rest := make([]byte, maxRead)
	n, _ := f.current.read(rest)
	f.receive(rest[:n], false, now)
	f.current.close()
	f.current, f.next = f.next, nil
	f.receive(data, writer, now)
}

// wait returns how long there will be nothing to do, unless one of the descriptors that it appends to fds becomes readable.
func (f *fifo) wait(now time.Time, fds []int) (time.Duration, []int) {
	wait := probeEvery
	if f.connected {
		fds = append(fds, f.current.fd)
		wait = max(f.at.checked.Add(f.at.interval(f.next != nil)).Sub(now), time.Millisecond)
	}
	if pause := f.at.dir.pause(now); pause > 0 {
		wait = min(wait, pause)
	} else if f.at.dir.fd >= 0 {
		fds = append(fds, f.at.dir.fd)
	}
	return wait, fds
}

func (f *fifo) close() {
	f.current.close()
	f.next.close()
	f.current, f.next = nil, nil
}
