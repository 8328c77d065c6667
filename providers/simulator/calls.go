package simulator

import (
	"net/http"
	"net/netip"
	"time"
)

// A Call is one request to the API of a cloud. Requests to the metadata service and the control API are not recorded.
type Call struct {
	At      time.Time  `json:"at"` // when it arrived, before any latency
	Method  string     `json:"method"`
	Path    string     `json:"path"`
	Query   string     `json:"query,omitempty"`  // as sent, such as "ip-address=192.0.2.1"
	Remote  string     `json:"remote"`           // the client, such as "192.0.2.1:40000"
	Address netip.Addr `json:"address,omitzero"` // of a PATCH, or of a PUT that attaches or detaches
	Server  string     `json:"server,omitempty"` // that such a request names; set on arrival
	Status  int        `json:"status"`           // of the answer; 0 while in progress, and for ever if it was cut off
}

// Calls returns all requests to the API in order of arrival, including those in progress.
func (c *Cloud) Calls() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := make([]Call, len(c.calls))
	for i, call := range c.calls {
		calls[i] = *call
	}
	return calls
}

// Requests returns how many requests to the API have arrived, including those in progress, and how many of them could change something.
func (c *Cloud) Requests() (all, changing int) {
	calls := c.Calls()
	for _, call := range calls {
		if call.Method != http.MethodGet {
			changing++
		}
	}
	return len(calls), changing
}

// ForgetCalls empties the list of calls. Those in progress do not return to it.
func (c *Cloud) ForgetCalls() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = nil
}

// OnCall registers f to be called when a request to the API has ended, whether or not it was answered, possibly from several
// goroutines at once. Call it before the first request.
func (c *Cloud) OnCall(f func(Call)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = f
}

// end passes call to the function from OnCall.
func (c *Cloud) end(call *Call) {
	c.mu.Lock()
	f, last := c.ended, *call
	c.mu.Unlock()
	if f != nil {
		f(last)
	}
}

// answered records the status of a call's answer.
func (c *Cloud) answered(call *Call, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	call.Status = status
}
