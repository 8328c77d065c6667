package exoscale

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	v3 "github.com/exoscale/egoscale/v3"

	"floaty/providers"
	"floaty/providers/httpapi"
)

// A change attaches an instance to an elastic IP, or detaches it.
type change struct {
	ip       v3.UUID
	instance string
	attach   bool
}

// make makes a change and returns once it is proved. If an operation from an earlier call is still pending, make continues to wait for that
// one instead of starting a second.
func (p *Provider) make(ctx context.Context, api *v3.Client, c change) error {
	if id, before := p.started.get(c); before {
		op, err := p.operation(ctx, api, id)
		switch {
		case err == nil && op.State == v3.OperationStatePending:
			return p.await(ctx, api, c, op)
		case general(err), ctx.Err() != nil: // the operation's state is unknown
			return err
		}
		p.started.forget(c)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	op, answer, err := request(ctx, api, c)
	switch {
	case err == nil:
	case !c.attach && errors.Is(err, providers.ErrNotFound): // not attached, or gone
		return nil
	case answer.Status() == http.StatusConflict, errors.Is(err, providers.ErrRefused):
		// How the API answers if the change was already made is not documented.
		if shown, asking := p.shown(ctx, api, c); asking == nil && shown {
			return nil
		}
		return err
	default:
		return err
	}
	p.started.add(c, op.ID)
	return p.await(ctx, api, c, op)
}

// request sends the request for a change.
func request(ctx context.Context, api *v3.Client, c change) (*v3.Operation, *httpapi.Answer, error) {
	ctx, answer := httpapi.Capture(ctx)
	target := &v3.InstanceTarget{ID: v3.UUID(c.instance)}
	var op *v3.Operation
	var err error
	if c.attach {
		op, err = api.AttachInstanceToElasticIP(ctx, c.ip, v3.AttachInstanceToElasticIPRequest{Instance: target})
	} else {
		op, err = api.DetachInstanceFromElasticIP(ctx, c.ip, v3.DetachInstanceFromElasticIPRequest{Instance: target})
	}
	return op, answer, outcome(answer, op, err)
}

// shown reports whether the API now shows the instance as it is after the change.
func (p *Provider) shown(ctx context.Context, api *v3.Client, c change) (bool, error) {
	ids, err := p.holds(ctx, api, c.instance)
	return err == nil && slices.Contains(ids, c.ip) == c.attach, err
}

// resumable is the age up to which a pending operation is continued. Users have reported operations of 14 s, and some that hung for
// more than 600 s; after a minute a new operation is the better bet.
const resumable = time.Minute

// A started holds the operations of changes that are not known to be complete.
type started struct {
	mu         sync.Mutex // guards operations
	operations map[change]operation
}

type operation struct {
	id v3.UUID
	at time.Time // when it was started
}

func (s *started) add(c change, id v3.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.operations == nil {
		s.operations = map[change]operation{}
	}
	s.operations[c] = operation{id, time.Now()}
}

// get returns the operation that an unfinished call started for a change, if it is not too old.
func (s *started) get(c change) (id v3.UUID, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	op, ok := s.operations[c]
	if ok && time.Since(op.at) >= resumable {
		delete(s.operations, c)
		return "", false
	}
	return op.id, ok
}

func (s *started) forget(c change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.operations, c)
}
