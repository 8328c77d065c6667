package httpapi

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"floaty/providers"
)

// retryAfter returns how long the server asks to wait, [providers.MaxWait] at most; 0 if it does not ask, or for nothing
// that can be understood.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) { // out of range it is the largest number
		longest := uint64(providers.MaxWait / time.Second)
		return time.Duration(min(seconds, longest)) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date // what the server meant, whatever this host's clock says
	}
	return min(max(at.Sub(now), 0), providers.MaxWait)
}
