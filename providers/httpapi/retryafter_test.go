package httpapi

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfterInSecondsOrAsADate(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, test := range []struct {
		value, date string
		want        time.Duration
	}{
		{value: "", want: 0},
		{value: "0", want: 0},
		{value: "1", want: time.Second},
		{value: "120", want: 2 * time.Minute},
		{value: "86400", want: 5 * time.Minute},
		{value: "99999999999999999999999", want: 5 * time.Minute},
		{value: "-1", want: 0},
		{value: "1.5", want: 0},
		{value: "soon", want: 0},
		{value: at(30 * time.Second), want: 30 * time.Second},
		{value: at(-time.Second), want: 0},
		{value: at(24 * time.Hour), want: 5 * time.Minute},
		{value: at(0), date: at(-10 * time.Second), want: 10 * time.Second}, // this host's clock is ahead
		{value: at(10 * time.Second), date: "today", want: 10 * time.Second},
	} {
		header := http.Header{"Retry-After": {test.value}}
		if test.date != "" {
			header.Set("Date", test.date)
		}
		if got := retryAfter(header, now); got != test.want {
			t.Errorf("Retry-After %q, Date %q: got %v, want %v", test.value, test.date, got, test.want)
		}
	}
}
