package keepalived

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"floaty/providers/logkey"
)

// follow keeps the FIFO at the path open. While an older one has a writer that one counts; the one at the path wins once it
// has a writer itself.
func (l *Listener) follow(now time.Time) {
	news := l.folder.changed(now)
	if l.connected && l.next == nil && !news && now.Sub(l.checked) < l.checkEvery() {
		return
	}
	l.checked = now
	if l.current != nil {
		if at, err := l.current.isAt(l.opts.Path); err == nil && at {
			l.found()
			return
		}
	}
	if l.next != nil {
		if at, err := l.next.isAt(l.opts.Path); err != nil || !at {
			l.next.close()
			l.next = nil
		}
	}
	if l.next == nil && !l.open(now) {
		return
	}
	if !l.connected {
		l.read(now) // it may have had a writer since the last look
	}
	if !l.connected {
		l.current.close()
		l.current, l.next = l.next, nil
		return
	}
	if n, writer := l.next.read(l.buf); n > 0 || writer {
		l.change(l.buf[:n], writer, now)
	}
}

// open opens what is at the path, or makes it.
func (l *Listener) open(now time.Time) bool {
	fresh, err := openPipe(l.opts.Path)
	if errors.Is(err, unix.ENOENT) {
		l.absent(now)
		return false
	}
	if err == nil {
		if err = fresh.trusted(l.opts.Trusted); err != nil {
			fresh.close()
		}
	}
	if err != nil {
		l.trouble(err, now)
		return false
	}
	l.found()
	l.next = fresh
	l.stateFile.open(l.fence.rouse)
	return true
}

// found notes that the FIFO is there.
func (l *Listener) found() {
	l.missing, l.begun = time.Time{}, true
	if l.said.text != "" {
		l.said = trouble{}
		l.opts.Log.Info("the FIFO can be read now", logkey.Path, l.opts.Path)
	}
}

// absent makes the FIFO: at the start at once, later not before it has been missing for a while.
func (l *Listener) absent(now time.Time) {
	if l.missing.IsZero() {
		l.missing = now
	}
	if l.begun && now.Sub(l.missing) < missingFor {
		return
	}
	if err := makeFIFO(l.opts.Path); err != nil {
		l.trouble(err, now)
		return
	}
	l.missing, l.begun = time.Time{}, true
	l.opts.Log.Info("FIFO made", logkey.Path, l.opts.Path)
	l.checked = time.Time{} // open it at once
}

// A trouble is what is wrong with the FIFO.
type trouble struct {
	text     string
	next     time.Time     // of the reminder
	distance time.Duration // to it
}

const (
	firstReminder   = time.Minute
	longestReminder = time.Hour
)

// trouble says what is wrong with the FIFO, and again at a growing distance.
func (l *Listener) trouble(err error, now time.Time) {
	said := &l.said
	switch text := err.Error(); {
	case text != said.text:
		said.text, said.distance = text, firstReminder
	case now.Before(said.next):
		return
	default:
		said.distance = min(2*said.distance, longestReminder)
	}
	said.next = now.Add(said.distance)
	l.opts.Log.Error(err, "the FIFO cannot be read: trying again", logkey.Path, l.opts.Path)
}

// change goes over to the next FIFO. What the old one still holds was said earlier.
func (l *Listener) change(data []byte, writer bool, now time.Time) {
	rest := make([]byte, maxRead)
	n, _ := l.current.read(rest)
	l.take(rest[:n], false, now)
	l.current.close()
	l.current, l.next = l.next, nil
	l.take(data, writer, now)
}
