package providers

import "time"

const (
	firstReminder   = time.Minute
	longestReminder = time.Hour
)

// Trouble decides which of many repeated failures are worth a line: the first, then reminders at a distance that doubles
// from a minute to an hour. Its zero value is ready; it must not be used from several goroutines at once.
type Trouble struct {
	Attempts int       // failures so far
	Since    time.Time // of the first

	next     time.Time
	distance time.Duration
}

// Fail counts a failure and reports whether to say it.
func (t *Trouble) Fail(now time.Time) bool {
	t.Attempts++
	switch {
	case t.Attempts == 1:
		t.Since, t.distance = now, firstReminder
	case now.Before(t.next):
		return false
	default:
		t.distance = min(2*t.distance, longestReminder)
	}
	t.next = now.Add(t.distance)
	return true
}

// Over ends the trouble and reports whether there was any.
func (t *Trouble) Over() bool {
	was := t.Attempts > 0
	*t = Trouble{}
	return was
}
