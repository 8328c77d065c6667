package simulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Kind is a kind of fault.
type Kind int

// The kinds of faults. A write takes effect with LostAnswer, and with Hang and OperationPending once the faults are cleared. With
// every other kind it does not.
const (
	Status     Kind = iota // an answer with the fault's status, body and Retry-After
	Hang                   // no answer until the client leaves, or until ClearFaults: then the normal one
	Reset                  // the connection is reset; on HTTP/2 the stream
	BrokenJSON             // 200 with a truncated JSON body
	SlowBody               // 200 at once, then an endless body, byte by byte, until the client leaves
	HTML                   // 502 with an HTML page, as from a proxy
	LostAnswer             // the request takes effect, then the connection is reset

	// These affect only requests that start an operation at Exoscale's API.

	OperationFailure    // the operation ends in failure
	OperationTimeout    // the operation ends in timeout
	OperationPending    // the operation stays pending until ClearFaults: then it succeeds
	OperationUnfinished // the operation takes effect in time, but is shown as pending until ClearFaults
)

var kinds = []string{
	"status", "hang", "reset", "broken-json", "slow-body", "html", "lost-answer",
	"operation-failure", "operation-timeout", "operation-pending", "operation-unfinished",
}

// String returns the kind's name in the control API, such as "broken-json".
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kinds) {
		return fmt.Sprintf("Kind(%d)", int(k))
	}
	return kinds[k]
}

// UnmarshalText parses a name that String returns.
func (k *Kind) UnmarshalText(text []byte) error {
	i := slices.Index(kinds, string(text))
	if i < 0 {
		return fmt.Errorf("unknown kind of fault %q (want one of %s)", text, strings.Join(kinds, ", "))
	}
	*k = Kind(i)
	return nil
}

// A Fault breaks the requests to the API and the metadata service that match its Method and Path. It is applied before the credential
// is checked. The zero Fault answers everything with 500 until it is cleared.
type Fault struct {
	Method     string        // exact; empty: any
	Path       string        // a substring of the URL's path; empty: any
	Kind       Kind          // how
	Status     int           // for Kind Status; 0: 500
	Body       string        // for Kind Status; empty: the API's usual body for a 4xx, nothing for a 5xx
	NoBody     bool          // for Kind Status: an empty Body means none, below 500 too
	RetryAfter string        // for Kind Status: the header Retry-After; empty: none
	Times      int           // how many requests it breaks; 0: until cleared
	Reason     string        // for an operation that does not succeed; empty: "busy"
	Message    string        // for an operation that does not succeed; empty: some text
	For        time.Duration // how long from now it applies to arriving requests; 0: no end
}

// A fault is a Fault in force.
type fault struct {
	Fault
	until time.Time // zero: no end
	left  int       // requests yet to break; counts only if Times is above 0
}

// Fail puts f in force after those already in force. The first one that matches a request applies.
func (c *Cloud) Fail(f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	added := &fault{Fault: f, left: f.Times}
	if f.For > 0 {
		added.until = time.Now().Add(f.For)
	}
	c.faults = append(c.faults, added)
}

// ClearFaults ends all faults. Requests that hang and operations that are pending because of one continue.
func (c *Cloud) ClearFaults() {
	c.lock()
	defer c.mu.Unlock()
	c.faults = nil
	c.release()
	close(c.cleared)
	c.cleared = make(chan struct{})
}

// takeFault returns the fault for a request, or nil, and counts it. c.mu must be held.
func (c *Cloud) takeFault(method, path string, now time.Time) *Fault {
	c.faults = slices.DeleteFunc(c.faults, func(f *fault) bool {
		return !f.until.IsZero() && !now.Before(f.until)
	})
	i := slices.IndexFunc(c.faults, func(f *fault) bool {
		return (f.Method == "" || f.Method == method) && strings.Contains(path, f.Path) &&
			(f.Kind < OperationFailure || startsOperation(method, path))
	})
	if i < 0 {
		return nil
	}
	f := c.faults[i]
	if f.left--; f.Times > 0 && f.left == 0 {
		c.faults = slices.Delete(c.faults, i, i+1)
	}
	return &f.Fault
}

// injectFault applies the latency and the fault to a request before the API handles it. It returns the answer of a fault that answers,
// and false if the API is to answer. It does not return if the client leaves or is cut off.
func (v *request) injectFault(w http.ResponseWriter, r *http.Request) (answer, bool) {
	if !wait(r.Context(), v.latency) {
		abort()
	}
	if v.fault == nil {
		return answer{}, false
	}
	switch v.fault.Kind {
	case Hang:
		select {
		case <-r.Context().Done():
			abort()
		case <-v.cleared:
		}
		return answer{}, false
	case Reset:
		reset(w)
	case SlowBody:
		slowBody(w, r)
	case LostAnswer, OperationFailure, OperationTimeout, OperationPending, OperationUnfinished:
		return answer{}, false
	case BrokenJSON:
		return text(http.StatusOK, "application/json", v.api.truncated()), true
	case HTML:
		return text(http.StatusBadGateway, "text/html", badGateway), true
	case Status:
	}
	return v.fault.answer(v.api), true
}

const badGateway = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n" +
	"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"

// answer returns the answer of a fault of Kind Status.
func (f *Fault) answer(api dialect) answer {
	status := f.Status
	if status == 0 {
		status = http.StatusInternalServerError
	}
	a := api.errorBody(status)
	if f.NoBody || f.Body != "" || status >= http.StatusInternalServerError {
		a.body = []byte(f.Body)
	}
	a.retryAfter = f.RetryAfter
	return a
}

// wait waits for d and reports whether the client is still connected.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

// reset resets the connection, or HTTP/2's stream, and does not return.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // not possible with HTTP/2: net/http resets the stream
		abort()
	}
	if over, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS would send a close notification first
		conn = over.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // close then sends RST instead of FIN; an error does not matter
	}
	_ = conn.Close()
	abort()
}

// slowBody sends a body byte by byte until the client leaves, and does not return.
func slowBody(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	flusher := http.NewResponseController(w)
	for next := []byte("["); ; next = []byte(" ") {
		_, err := w.Write(next)
		if err = errors.Join(err, flusher.Flush()); err != nil || !wait(r.Context(), 20*time.Millisecond) {
			abort()
		}
	}
}

// abort ends a request without an answer, or in the middle of one. net/http recognises this panic and prints nothing.
func abort() {
	panic(http.ErrAbortHandler)
}
