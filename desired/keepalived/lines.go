package keepalived

import (
	"bytes"
	"fmt"
	"time"

	"github.com/go-logr/logr"

	"floaty/providers/logkey"
)

const (
	// maxLine is the longest line that is parsed, in bytes. Keepalived writes a line with one write(2), so no line is longer than the
	// kernel's PIPE_BUF of 4096.
	maxLine = 4096

	maxLogged      = 80          // bytes of a malformed line
	malformedEvery = time.Minute // between two log lines about malformed lines, at least
)

// An eventReader turns what is read into events. It counts lines and logs malformed ones, which it ignores.
type eventReader struct {
	lines    lines
	counters *eventCounters
	log      logr.Logger
	logged   time.Time // when a malformed line was last logged
}

// add calls each for the event of every line that data completes.
func (r *eventReader) add(data []byte, now time.Time, each func(Event, time.Time)) {
	r.lines.add(data, func(line line) {
		e, err := ParseEvent(line.text[line.cut:])
		switch {
		case line.cut == 0:
		case e.Name == "": // not an event by itself: it may complete what an earlier writer began
			e, err = ParseEvent(line.text)
		default:
			r.malformed(line.text[:line.cut], now)
		}
		if err != nil {
			r.malformed(line.text, now)
			return
		}
		r.counters.count(e)
		each(e, now)
	})
}

func (r *eventReader) writerGone() { r.lines.writerGone() }

// malformed counts a line that cannot be parsed, and logs it unless one has just been logged.
func (r *eventReader) malformed(text []byte, now time.Time) {
	count := r.counters.malformed.Add(1)
	if !r.logged.IsZero() && now.Sub(r.logged) < malformedEvery {
		return
	}
	r.logged = now
	start := text[:min(len(text), maxLogged)]
	r.log.Error(nil, "ignoring a malformed line in the FIFO; if these go on, something other than Keepalived is writing to it",
		logkey.Line, fmt.Sprintf("%+q", start), logkey.Lines, count)
}

// lines splits what is read into lines. The beginning of a line waits for its end, even if a later writer provides that. Of one
// writer's text without a newline, at most maxLine+1 bytes are kept: enough to see that the line is too long.
type lines struct {
	part []byte // the line so far, without a newline
	cut  int    // how many bytes of part were written by earlier writers
}

// A line is one that is complete.
type line struct {
	text []byte // without the newline; valid until the next call of add
	cut  int    // how many bytes of text were written by earlier writers
}

// add calls each with every line that data completes.
func (l *lines) add(data []byte, each func(line)) {
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		piece := data
		if end >= 0 {
			piece = data[:end]
		}
		room := l.cut + maxLine + 1 - len(l.part)
		l.part = append(l.part, piece[:min(len(piece), room)]...)
		if end < 0 {
			return
		}
		each(line{l.part, l.cut})
		l.part, l.cut = l.part[:0], 0
		data = data[end+1:]
	}
}

// writerGone notes that what comes next is from another writer.
func (l *lines) writerGone() {
	l.part = l.part[:min(len(l.part), maxLine+1)]
	l.cut = len(l.part)
}
