package simulator

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// An operation is a change of holders at Exoscale, which takes time. Its exported fields are what the API shows; the API may leave out the
// reference, and its command is the call that shows the result.
type operation struct {
	ID        string             `json:"id"`
	State     string             `json:"state"`
	Reason    string             `json:"reason,omitempty"`
	Message   string             `json:"message,omitempty"`
	Reference operationReference `json:"reference"`

	address *address
	server  string
	attach  bool   // false: detach
	fault   *Fault // by which it ends; nil: it succeeds
	stuck   bool   // pending until release
	silent  bool   // it is shown as pending until release, though it has ended
	due     time.Time
}

type operationReference struct {
	ID      string `json:"id"`
	Link    string `json:"link"`
	Command string `json:"command"`
}

// SetOperationTime makes each Exoscale operation that starts from now on stay pending for d; it takes effect at the end of that time. With
// 0, as in a new cloud, it takes effect when the request is answered. The answer shows it as pending in any case.
func (c *Cloud) SetOperationTime(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.operationTime = d
}

// SetBusy makes Exoscale's API refuse an attach or detach with 409 while an operation on that elastic IP is pending.
func (c *Cloud) SetBusy(busy bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = busy
}

// SetAttachConflict makes Exoscale's API answer with 409 when an instance that is already attached is to be attached. Otherwise that
// succeeds.
func (c *Cloud) SetAttachConflict(conflict bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attachConflict = conflict
}

// SetAttachFailure makes an Exoscale operation end in failure if it attaches an instance that is already attached.
func (c *Cloud) SetAttachFailure(failure bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attachFailure = failure
}

// change starts the operation that a request to attach or detach wants.
func (c exoscale) change(v *request, path string) answer {
	id, command, _ := wantedChange(path)
	a := c.elasticIP(id)
	if a == nil {
		return missing("Elastic IP")
	}
	server, err := wantedInstance(v.body)
	held := slices.Contains(a.holders, server)
	switch {
	case err != nil:
		return invalid(err.Error())
	case !uuid.MatchString(server):
		return invalid(fmt.Sprintf("instance.id: %q is not a UUID", server))
	case c.serverIndex(server) < 0:
		return missing("Instance")
	case c.busy && slices.ContainsFunc(c.pending, func(o *operation) bool { return o.address == a }):
		return message(http.StatusConflict, "busy")
	case command == "attach" && held && c.attachConflict:
		return message(http.StatusConflict, "The instance is attached to the elastic IP.")
	case command == "detach" && !held:
		return message(http.StatusNotFound, "The instance is not attached to the elastic IP.")
	}
	started := &operation{
		ID: fmt.Sprintf("00000000-0000-4000-8000-%012x", len(c.operations)+1), State: "pending",
		Reference: operationReference{ID: id, Link: elasticIPs + "/" + id, Command: "get-elastic-ip"},
		address:   a, server: server, attach: command == "attach", due: c.now.Add(c.operationTime),
	}
	if command == "attach" && held && c.attachFailure {
		started.fault = &Fault{Reason: "conflict", Message: "The instance is attached to the elastic IP."}
	}
	if v.fault != nil && v.fault.Kind >= OperationFailure {
		started.stuck, started.silent = v.fault.Kind == OperationPending, v.fault.Kind == OperationUnfinished
		started.fault = v.fault
	}
	answered := exoscaleObject(http.StatusOK, started)
	c.operations[started.ID] = started
	c.pending = append(c.pending, started)
	c.settle()
	return answered
}

func (c exoscale) getOperation(id string) answer {
	known, ok := c.operations[id]
	if !ok {
		return missing("Operation")
	}
	return exoscaleObject(http.StatusOK, known.shown())
}

// settle ends the operations that are due, in the order in which they are due. c.mu is held.
func (c *Cloud) settle() {
	if len(c.pending) == 0 {
		return
	}
	slices.SortStableFunc(c.pending, func(a, b *operation) int { return a.due.Compare(b.due) })
	c.pending = slices.DeleteFunc(c.pending, func(o *operation) bool {
		if o.stuck || o.due.After(c.now) {
			return false
		}
		c.finish(o)
		return true
	})
}

// shown returns an operation as the API shows it.
func (o *operation) shown() operation {
	shown := *o
	if o.silent {
		shown.State = "pending"
	}
	return shown
}

// release lets the operations that are stuck succeed now. c.mu is held.
func (c *Cloud) release() {
	for _, o := range c.operations {
		o.silent = false
	}
	for _, o := range c.pending {
		if o.stuck {
			o.stuck, o.fault, o.due = false, nil, c.now
		}
	}
	c.settle()
}

// finish ends an operation, with its effect if it succeeds. c.mu is held.
func (c *Cloud) finish(o *operation) {
	switch a := o.address; {
	case o.fault != nil && o.fault.Kind != OperationUnfinished:
		o.State = "failure"
		if o.fault.Kind == OperationTimeout {
			o.State = "timeout"
		}
		o.Reason, o.Message = cmp.Or(o.fault.Reason, "busy"), cmp.Or(o.fault.Message, "The elastic IP is busy.")
	case !slices.Contains(c.addresses, a) || c.serverIndex(o.server) < 0:
		o.State, o.Reason, o.Message = "failure", "not-found", "The elastic IP or the instance is gone."
	default:
		o.State = "success"
		if held := slices.Contains(a.holders, o.server); o.attach && !held {
			a.hold(o.due, append(slices.Clone(a.holders), o.server)...)
		} else if !o.attach && held {
			a.hold(o.due, without(a.holders, o.server)...)
		}
	}
}
