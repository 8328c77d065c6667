package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"floaty/providers"
)

// An Answer describes the answer to one call. If several calls use its context, the last one counts. It must not be used while a
// call is in progress.
type Answer struct {
	method     string
	where      url.URL // without its query
	hidden     secrets // of the call, to be kept out of messages
	status     int     // 0: no answer
	retryAfter time.Duration
	location   string // of a redirect
	date       time.Time
	limit      int64  // of the body, in bytes
	start      []byte // of the body, as far as it was read
}

type captureKey struct{}

// Capture returns a context for one call and the Answer that the call will fill. It is for calls that return a single object.
func Capture(ctx context.Context) (context.Context, *Answer) { return capture(ctx, maxOne) }

// CaptureList is like Capture, for calls that return a list.
func CaptureList(ctx context.Context) (context.Context, *Answer) { return capture(ctx, maxList) }

func capture(ctx context.Context, limit int64) (context.Context, *Answer) {
	a := &Answer{limit: limit}
	return context.WithValue(ctx, captureKey{}, a), a
}

// captured returns the Answer that a call with ctx fills. Without Capture it is a new one, which nobody reads.
func captured(ctx context.Context) *Answer {
	if a, ok := ctx.Value(captureKey{}).(*Answer); ok {
		return a
	}
	return &Answer{limit: maxOne}
}

// Status returns the HTTP status; 0 if there was no answer.
func (a *Answer) Status() int { return a.status }

// Date returns the time in the Date header; zero if there was none.
func (a *Answer) Date() time.Time { return a.date }

// IsObject reports whether the answer is a JSON object, judging by its first character. The SDKs do not distinguish an object without
// fields from null.
func (a *Answer) IsObject() bool { return bytes.HasPrefix(bytes.TrimSpace(a.start), []byte("{")) }

// Err returns the call's error, or nil if it succeeded. err is what the SDK returned. The text is one line with the method, URL,
// status and the server's message, and never contains the credential. It wraps err and, depending on the status:
//
//   - 401: [providers.ErrUnauthorized]
//   - 404, 410: [providers.ErrNotFound]
//   - 429 and 503 with Retry-After: a [*providers.WaitError]
//   - 407, 408, 409, 423, 425, 429, 5xx: nothing else, because a later try may succeed (with 407 it is a proxy that refuses)
//   - other 4xx: [providers.ErrRefused]
//   - a success that the SDK cannot use, a redirect, no answer: nothing else
func (a *Answer) Err(err error) error {
	if err == nil && (a.status == 0 || success(a.status)) {
		return nil
	}
	failed := &callError{text: a.text(err), status: a.status, wraps: []error{err}}
	if err == nil {
		failed.wraps = nil
	}
	if known := sentinel(a.status); known != nil {
		failed.wraps = append(failed.wraps, known)
	}
	if a.retryAfter > 0 {
		return &providers.WaitError{Wait: a.retryAfter, Err: failed}
	}
	return failed
}

// Status returns the HTTP status in an error from [Answer.Err]; 0 if there was no answer.
func Status(err error) int {
	var failed *callError
	if errors.As(err, &failed) {
		return failed.status
	}
	return 0
}

// text returns the error's text: the call, the status, and why.
func (a *Answer) text(err error) string {
	var parts []string
	if a.method != "" {
		parts = append(parts, a.method+" "+a.where.String())
	}
	if a.status != 0 {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%d %s", a.status, http.StatusText(a.status))))
	}
	// The status and the server's message say more than the SDK's error, unless the answer was a success or missing.
	if err != nil && (a.status == 0 || success(a.status)) {
		parts = append(parts, oneLine(reason(err), a.hidden, maxMessage))
	}
	if message := a.message(); message != "" {
		parts = append(parts, message)
	}
	return strings.Join(parts, ": ")
}

// message returns the server's message.
func (a *Answer) message() string {
	if a.status >= 300 && a.status <= 399 {
		return redirected(a.location, a.hidden)
	}
	start := a.start
	if len(start) == maxError { // a secret that was cut in half would not be recognized
		start = start[:max(maxError-a.hidden.longest(), 0)]
	}
	return message(start, a.hidden)
}

// reason returns the text of err without the method and URL that net/http adds.
func reason(err error) string {
	var repeated *url.Error
	if errors.As(err, &repeated) {
		err = repeated.Err
	}
	return err.Error()
}

// begin notes the call that is about to be made.
func (a *Answer) begin(req *http.Request, hidden secrets) {
	where := url.URL{Scheme: req.URL.Scheme, Host: req.URL.Host, Path: req.URL.Path} // a query may hold secrets
	*a = Answer{method: req.Method, where: where, hidden: hidden, limit: a.limit}
}

// answered notes the answer, except its body.
func (a *Answer) answered(resp *http.Response) {
	a.status = resp.StatusCode
	a.location = resp.Header.Get("Location")
	a.date, _ = http.ParseTime(resp.Header.Get("Date"))
	if a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable {
		a.retryAfter = retryAfter(resp.Header, time.Now())
	}
}

// read keeps data from the body, up to maxError bytes in all.
func (a *Answer) read(data []byte) {
	a.start = append(a.start, data[:min(len(data), maxError-len(a.start))]...)
}

// sentinel returns the error of package providers for a status; nil if a later try may succeed.
func sentinel(status int) error {
	switch status {
	case http.StatusUnauthorized:
		return providers.ErrUnauthorized
	case http.StatusNotFound, http.StatusGone:
		return providers.ErrNotFound
	case http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusConflict, http.StatusLocked,
		http.StatusTooEarly, http.StatusTooManyRequests:
		return nil
	}
	if status >= 400 && status <= 499 {
		return providers.ErrRefused
	}
	return nil
}

// A callError describes in one line how a call failed.
type callError struct {
	text   string
	status int // 0: no answer
	wraps  []error
}

func (e *callError) Error() string   { return e.text }
func (e *callError) Unwrap() []error { return e.wraps }
