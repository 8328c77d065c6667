package keepalived

import "bytes"

// maxLine is the longest line that is read, in bytes. Keepalived writes a line at once, so none is longer than the
// kernel's PIPE_BUF of 4096.
const maxLine = 4096

// lines cuts what is read into lines. A part of a line waits for its newline, also for that of a later writer. Of what one
// writer says without a newline at most maxLine+1 bytes are kept, so that what is too long stays so.
type lines struct {
	part []byte // of a line, without newline
	cut  int    // how much of part is from earlier writers
}

// A line is one that is complete.
type line struct {
	text []byte // without newline; valid until the next call
	cut  int    // so much of text was written before the last writer went
}

// add takes in what was read and calls each with every line that it completes.
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

// writerGone notes that what comes next is by somebody else.
func (l *lines) writerGone() {
	l.part = l.part[:min(len(l.part), maxLine+1)]
	l.cut = len(l.part)
}
