package serve

import "floaty/cmd/floaty/internal/report"

// maxEvents is how many events are kept.
const maxEvents = 50

// A history is the last events, oldest first.
type history []report.StatusEvent

// add appends an event and drops the oldest one of too many.
func (h *history) add(e report.StatusEvent) {
	if len(*h) >= maxEvents {
		*h = append((*h)[:0], (*h)[len(*h)-maxEvents+1:]...)
	}
	*h = append(*h, e)
}
