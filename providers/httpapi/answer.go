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

// An Answer is what one call was answered. Of several calls with its context, the last counts. It must not be used while
// a call is under way.
type Answer struct {
	method     string
	where      url.URL // without its query
	hide       secrets // that the call is made with; kept to keep them out of messages
	status     int     // 0: there was no answer
	retryAfter time.Duration
	location   string // of a redirect
	date       time.Time
	limit      int64  // of the body, in bytes
	start      []byte // of the body, as far as it was read
}

type captureKey struct{}

// Capture returns a context for one call, and the place where its answer will be, which is about one thing.
func Capture(ctx context.Context) (context.Context, *Answer) { return capture(ctx, maxOne) }

// CaptureList is Capture for a call whose answer lists things.
func CaptureList(ctx context.Context) (context.Context, *Answer) { return capture(ctx, maxList) }

func capture(ctx context.Context, limit int64) (context.Context, *Answer) {
	a := &Answer{limit: limit}
	return context.WithValue(ctx, captureKey{}, a), a
}

// captured returns the place for the answer of a call with ctx; one that nobody looks at if nobody asked.
func captured(ctx context.Context) *Answer {
	if a, ok := ctx.Value(captureKey{}).(*Answer); ok {
		return a
	}
	return &Answer{limit: maxOne}
}

// Status returns the answer's status; 0 if there was none.
func (a *Answer) Status() int { return a.status }

// Date returns what the server's clock said; zero if it did not say.
func (a *Answer) Date() time.Time { return a.date }

// IsObject reports whether the answer is a JSON object, as far as its first character tells: an SDK makes the same of an
// object without fields and of null.
func (a *Answer) IsObject() bool { return bytes.HasPrefix(bytes.TrimSpace(a.start), []byte("{")) }

// Err returns the error of the call, err being what the SDK made of it; nil if the call succeeded. It says in one line
// which call failed, its status and what the server says, never the credential, and wraps err and what package providers
// has for the status:
//
//   - 401: [providers.ErrUnauthorized]
//   - 404, 410: [providers.ErrNotFound]
//   - 429 and 503 with Retry-After: a [*providers.WaitError]
//   - 408, 409, 423, 425, 429, 5xx: nothing, since a later try may succeed
//   - other 4xx: [providers.ErrRefused]
//   - a success that the SDK cannot use, a redirect, no answer at all: nothing
func (a *Answer) Err(err error) error {
	if err == nil && (a.status == 0 || success(a.status)) {
		return nil
	}
	failed := &callError{text: a.text(err), status: a.status, wraps: []error{err}}
	if err == nil {
		failed.wraps = nil
	}
	if kind := kind(a.status); kind != nil {
		failed.wraps = append(failed.wraps, kind)
	}
	if a.retryAfter > 0 {
		return &providers.WaitError{Wait: a.retryAfter, Err: failed}
	}
	return failed
}

// Status returns the status of the answer that err, from [Answer.Err], is about; 0 if there was none.
func Status(err error) int {
	var failed *callError
	if errors.As(err, &failed) {
		return failed.status
	}
	return 0
}

// text says what happened, part by part.
func (a *Answer) text(err error) string {
	var parts []string
	if a.method != "" {
		parts = append(parts, a.method+" "+a.where.String())
	}
	if a.status != 0 {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%d %s", a.status, http.StatusText(a.status))))
	}
	// The SDK's error says nothing that status and message do not say better, unless the answer was a success or missing.
	if err != nil && (a.status == 0 || success(a.status)) {
		parts = append(parts, tidy(reason(err), a.hide, maxMessage))
	}
	if message := a.message(); message != "" {
		parts = append(parts, message)
	}
	return strings.Join(parts, ": ")
}

// message returns what the server says.
func (a *Answer) message() string {
	if a.status >= 300 && a.status <= 399 {
		return redirected(a.location, a.hide)
	}
	start := a.start
	if len(start) == maxError { // the cut may leave a part of a secret, which would not be recognized
		start = start[:max(maxError-a.hide.longest(), 0)]
	}
	return message(start, a.hide)
}

// reason returns what err says without the call, which net/http repeats.
func reason(err error) string {
	var repeated *url.Error
	if errors.As(err, &repeated) {
		err = repeated.Err
	}
	return err.Error()
}

// asked notes the call that is made now.
func (a *Answer) asked(req *http.Request, hide secrets) {
	where := url.URL{Scheme: req.URL.Scheme, Host: req.URL.Host, Path: req.URL.Path} // a query may hold secrets
	*a = Answer{method: req.Method, where: where, hide: hide, limit: a.limit}
}

// answered notes the answer, but for its body.
func (a *Answer) answered(resp *http.Response) {
	a.status = resp.StatusCode
	a.location = resp.Header.Get("Location")
	a.date, _ = http.ParseTime(resp.Header.Get("Date"))
	if a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable {
		a.retryAfter = retryAfter(resp.Header, time.Now())
	}
}

// read notes what was read of the body, up to the bound.
func (a *Answer) read(data []byte) {
	a.start = append(a.start, data[:min(len(data), maxError-len(a.start))]...)
}

// kind returns what the rest of the program branches on; nil if a later try may succeed.
func kind(status int) error {
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

// A callError says in one line how a call failed.
type callError struct {
	text   string
	status int // 0: there was no answer
	wraps  []error
}

func (e *callError) Error() string   { return e.text }
func (e *callError) Unwrap() []error { return e.wraps }
