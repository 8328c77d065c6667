// Package failurelog decides which of many failures of one kind are worth a log line, so that a night of them stays readable.
//
// The first failure is worth a line. While it goes on there are reminders, at a distance that doubles from a minute to an hour. When it
// works again, that is worth a line too. Something that fails again within ten minutes of that is failing now and then: it gets one line
// that says so, then reminders, and is over when it has not failed for ten minutes.
//
// It logs nothing itself, and knows nothing about what failed.
package failurelog

import "time"

const (
	firstReminder   = time.Minute
	longestReminder = time.Hour

	// calm is how long nothing must fail until an intermittent failure is over.
	calm = 10 * time.Minute
)

// An Entry follows the failures of one kind. Its zero value is ready. It must not be used from several goroutines at once.
type Entry struct {
	Attempts int       // failures in a row
	Failures int       // failures since Since, with successes between them where Intermittent
	Since    time.Time // of the first of Failures; zero: it has never failed

	intermittent bool
	text         string    // of the failure that was logged last
	last         time.Time // the last failure
	next         time.Time // the next reminder
	distance     time.Duration
}

// Failed counts a failure at now and reports whether it is worth a line.
func (e *Entry) Failed(now time.Time) bool { return e.FailedWith("", now) }

// FailedWith is like Failed, but a failure with another text than the one before is worth a line at once.
func (e *Entry) FailedWith(text string, now time.Time) bool {
	began := e.Since.IsZero() || e.Attempts == 0 && !e.intermittent && now.Sub(e.last) >= calm
	if began {
		*e = Entry{Since: now}
	}
	cameBack := !began && e.Attempts == 0 && !e.intermittent
	changed := text != e.text
	e.Attempts++
	e.Failures++
	e.last, e.text = now, text
	switch {
	case began, cameBack, changed:
		e.intermittent = e.intermittent || cameBack
		e.distance = firstReminder
	case now.Before(e.next):
		return false
	default:
		e.distance = min(2*e.distance, longestReminder)
	}
	e.next = now.Add(e.distance)
	return true
}

// Succeeded notes that it worked at now, and reports whether that is worth a line: it ends trouble.
func (e *Entry) Succeeded(now time.Time) bool {
	failed := e.Attempts > 0
	e.Attempts = 0
	if e.intermittent {
		if now.Sub(e.last) < calm {
			return false
		}
		*e = Entry{}
		return true
	}
	return failed
}

// Intermittent reports whether it fails now and then, with successes between.
func (e *Entry) Intermittent() bool { return e.intermittent }
