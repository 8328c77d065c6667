package httpapi

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"floaty/providers"
)

// retryAfter returns the wait that the Retry-After header asks for, [providers.MaxWait] at most. It returns 0 if there is no such
// header or it cannot be parsed.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) { // if out of range, it is the largest number
		longest := uint64(providers.MaxWait / time.Second)
		return time.Duration(min(seconds, longest)) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date // relative to the server's clock, in case this host's is wrong
	}
	return min(max(at.Sub(now), 0), providers.MaxWait)
}
