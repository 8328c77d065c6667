// Package failurelog decides which of many failures of one kind are worth a log line, so that a night of them stays readable.
//
// The first failure is worth a line. While the failures go on, there are reminders, at intervals that double from a minute to an hour. The
// first success after them is worth a line too. If it then fails again less than ten minutes after the last failure, it is failing
// intermittently: one line reports this, reminders follow, and it is over once there has been no failure for ten minutes.
//
// It logs nothing itself, and knows nothing about what failed.
package failurelog

import "time"

const (
	firstReminder   = time.Minute
	longestReminder = time.Hour

	// calm is how long there must be no failure before an intermittent one is over.
	calm = 10 * time.Minute
)

// An Entry follows the failures of one kind. Its zero value is ready. It must not be used from several goroutines at once.
type Entry struct {
	Attempts int       // failures in a row
	RowSince time.Time // of the first of Attempts
	Failures int       // failures since Since, with successes between them if Intermittent
	Since    time.Time // of the first of Failures; zero: it has never failed

	intermittent bool
	reason       string    // of the last failure
	last         time.Time // the last failure
	next         time.Time // the next reminder
	distance     time.Duration
}

// Failed counts a failure at now and reports whether it is worth a line.
func (e *Entry) Failed(now time.Time) bool { return e.FailedBecause("", now) }

// FailedBecause is like Failed, but a failure for another reason than the last one is worth a line at once.
func (e *Entry) FailedBecause(reason string, now time.Time) bool {
	began := e.Since.IsZero() || e.Attempts == 0 && !e.intermittent && now.Sub(e.last) >= calm
	if began {
		*e = Entry{Since: now}
	}
	cameBack := !began && e.Attempts == 0 && !e.intermittent
	changed := reason != e.reason
	if e.Attempts == 0 {
		e.RowSince = now
	}
	e.Attempts++
	e.Failures++
	e.last, e.reason = now, reason
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

// Succeeded notes that it worked at now, and reports whether that is worth a line, because it ends a series of failures. A nil Entry has
// never failed.
func (e *Entry) Succeeded(now time.Time) bool {
	if e == nil {
		return false
	}
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

// Intermittent reports whether there were successes between the failures.
func (e *Entry) Intermittent() bool { return e.intermittent }
