package simulator

import (
	"io"
	"net/http"
	"net/netip"
	"time"
)

const maxBody = 1 << 20 // bytes of a request's body that are read; no real request is larger

// A dialect is the API of one cloud. The cloud's mutex is held in subject and route.
type dialect interface {
	// subject returns the address that a request would change and the server that it names, if any.
	subject(r *http.Request, body []byte) (netip.Addr, string)
	// route carries a request out and returns its answer.
	route(v *request, r *http.Request) answer
	// errorBody returns the API's usual answer with a 4xx status.
	errorBody(status int) answer
	// truncated returns the start of a list as invalid JSON.
	truncated() string
}

// A request is an HTTP request while the cloud handles it.
type request struct {
	call    *Call
	api     dialect
	body    []byte
	latency time.Duration
	fault   *Fault
	cleared <-chan struct{}
}

// accept reads a request to its end, chooses its fault, and records it as a call if it counts. It reads the body first, because
// net/http detects that a client is gone only after that.
func (c *Cloud) accept(r *http.Request, api dialect, counts bool) *request {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		abort() // it did not arrive completely
	}
	now := time.Now()
	v := &request{body: body, api: api, call: &Call{
		At: now, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Remote: r.RemoteAddr,
	}}
	c.mu.Lock()
	defer c.mu.Unlock()
	v.call.Address, v.call.Server = api.subject(r, body)
	v.latency, v.cleared = c.latency, c.cleared
	v.fault = c.takeFault(r.Method, r.URL.Path, now)
	if counts {
		c.calls = append(c.calls, v.call)
	}
	return v
}

// serveAPI answers a request as the API of a cloud.
func (c *Cloud) serveAPI(w http.ResponseWriter, r *http.Request, api dialect) {
	v := c.accept(r, api, true)
	defer c.end(v.call)
	a, done := v.injectFault(w, r)
	switch {
	case done:
		c.answered(v.call, a.status)
	case v.fault != nil && v.fault.Kind == LostAnswer:
		c.apply(v, r, false)
		reset(w)
	default:
		a = c.apply(v, r, true)
	}
	a.write(w)
}

// apply carries a request out and returns its answer. If noted is set, the recorded call gets the answer's status; observers see the
// effect and the status at the same moment.
func (c *Cloud) apply(v *request, r *http.Request, noted bool) answer {
	c.lock()
	defer c.mu.Unlock()
	if r.Context().Err() != nil {
		abort() // the client left while the request waited for the lock
	}
	a := v.api.route(v, r)
	if noted {
		v.call.Status = a.status
	}
	return a
}
