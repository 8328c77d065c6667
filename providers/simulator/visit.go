package simulator

import (
	"io"
	"net/http"
	"net/netip"
	"time"
)

const maxBody = 1 << 20 // bytes of a request that are read; an API of this size has no larger ones

// A dialect is how the API of one cloud speaks. The cloud's mutex is held in subject and route.
type dialect interface {
	// subject returns which address a request would change and which server it names, as far as it does.
	subject(r *http.Request, body []byte) (netip.Addr, string)
	// route finds out what a request wants, and does it.
	route(v *visit, r *http.Request) answer
	// usual returns what the API says with a status that is an error of the client's.
	usual(status int) answer
	// half returns the start of a list.
	half() string
}

// A visit is a request on its way through the cloud.
type visit struct {
	call    *Call
	speaks  dialect
	body    []byte
	latency time.Duration
	fault   *Fault
	cleared <-chan struct{}
}

// arrive reads a request to its end, decides its fate and, if it counts, puts it on the list of calls. The body is read
// first because net/http notices that a client has gone only after that.
func (c *Cloud) arrive(r *http.Request, speaks dialect, counts bool) *visit {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		abort() // it never arrived whole
	}
	now := time.Now()
	v := &visit{body: body, speaks: speaks, call: &Call{
		At: now, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Remote: r.RemoteAddr,
	}}
	c.mu.Lock()
	defer c.mu.Unlock()
	v.call.Address, v.call.Server = speaks.subject(r, body)
	v.latency, v.cleared = c.latency, c.cleared
	v.fault = c.takeFault(r.Method, r.URL.Path, now)
	if counts {
		c.calls = append(c.calls, v.call)
	}
	return v
}

// serveAPI answers as the API of a cloud.
func (c *Cloud) serveAPI(w http.ResponseWriter, r *http.Request, speaks dialect) {
	v := c.arrive(r, speaks, true)
	defer c.end(v.call)
	a, done := v.meet(w, r)
	switch {
	case done:
		c.answered(v.call, a.status)
	case v.fault != nil && v.fault.Kind == LostAnswer:
		c.take(v, r, false)
		reset(w)
	default:
		a = c.take(v, r, true)
	}
	a.write(w)
}

// take lets a request have its effect and returns its answer; noted says whether the list of calls shows that answer. The
// effect and the note are one for everybody who looks.
func (c *Cloud) take(v *visit, r *http.Request, noted bool) answer {
	c.lock()
	defer c.mu.Unlock()
	if r.Context().Err() != nil {
		abort() // gone while it waited for the lock
	}
	a := v.speaks.route(v, r)
	if noted {
		v.call.Status = a.status
	}
	return a
}
