package simulator

import (
	"net/netip"
	"time"
)

// A Call is one request to the API of either cloud. Requests to the metadata service and the control API are not among them.
type Call struct {
	At      time.Time  `json:"at"` // when it had arrived, before any latency
	Method  string     `json:"method"`
	Path    string     `json:"path"`
	Query   string     `json:"query,omitempty"`  // as it was sent, "ip-address=192.0.2.1"
	Remote  string     `json:"remote"`           // where it came from, "192.0.2.1:40000"
	Address netip.Addr `json:"address,omitzero"` // that a PATCH, or a PUT to attach or detach, is for
	Server  string     `json:"server,omitempty"` // that such a request names, known as soon as it has arrived
	Status  int        `json:"status"`           // answered; 0 while under way, and for ever if it was cut off
}

// Calls returns every request to the API in order of arrival, also those under way.
func (c *Cloud) Calls() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := make([]Call, len(c.calls))
	for i, call := range c.calls {
		calls[i] = *call
	}
	return calls
}

// ForgetCalls empties the list of calls; those under way do not come back to it.
func (c *Cloud) ForgetCalls() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = nil
}

// OnCall makes the cloud call f with each request to the API when it has ended, answered or not, side by side for requests
// that end at once. Set it before the first request.
func (c *Cloud) OnCall(f func(Call)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = f
}

// end hands call to who asked for it.
func (c *Cloud) end(call *Call) {
	c.mu.Lock()
	f, last := c.ended, *call
	c.mu.Unlock()
	if f != nil {
		f(last)
	}
}

// answered notes what a call is answered with.
func (c *Cloud) answered(call *Call, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	call.Status = status
}
