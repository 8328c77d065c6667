package exoscale

import (
	"context"
	"errors"
	"fmt"
	"time"

	v3 "github.com/exoscale/egoscale/v3"

	"floaty/providers"
	"floaty/providers/httpapi"
)

// How often a pending operation is polled. The SDK's Wait polls only after 3 s.
const (
	pollFirst = 100 * time.Millisecond
	pollSteps = 10 // polls at pollFirst, before the interval grows
	pollMost  = time.Second
)

// overdue is how long an operation may be pending before the instance is read as well. All operations recorded at the real API had
// succeeded when polled after 3 s.
const overdue = 5 * time.Second

// await returns nil when a change is proved: by the success of its operation, or, if the operation cannot be queried, fails or takes long,
// by a reading that shows the change. If it fails, the error contains the API's reason and message.
func (p *Provider) await(ctx context.Context, api *v3.Client, c change, op *v3.Operation) error {
	begun, wait := time.Now(), pollFirst
	var refused error
	for step := 1; op.State == v3.OperationStatePending; step++ {
		select {
		case <-ctx.Done():
			return unfinished(ctx, op, refused)
		case <-time.After(wait):
		}
		if step >= pollSteps {
			wait = min(wait*3/2, pollMost)
		}
		if refused == nil {
			next, err := p.operation(ctx, api, op.ID)
			switch {
			case err == nil:
				op = next
			case errors.Is(err, providers.ErrRefused), errors.Is(err, providers.ErrNotFound):
				refused = err
			default:
				return err
			}
			p.logQueries(refused)
		}
		if op.State != v3.OperationStatePending || refused == nil && time.Since(begun) < overdue {
			continue
		}
		if shown, err := p.shown(ctx, api, c); shown || err != nil {
			return err
		}
	}
	if op.State == v3.OperationStateSuccess {
		return nil
	}
	p.started.forget(c)
	if shown, err := p.shown(ctx, api, c); shown && err == nil {
		return nil
	}
	return fmt.Errorf("operation %s ended in %s: %s: %.200q", op.ID, op.State, op.Reason, op.Message)
}

// unfinished is the error of a call that ends before its operation. It mentions that the operation cannot be queried, but does not wrap
// that error: the change was not refused.
func unfinished(ctx context.Context, op *v3.Operation, refused error) error {
	err := fmt.Errorf("waiting for operation %s: %w", op.ID, context.Cause(ctx))
	if refused != nil {
		err = fmt.Errorf("%w (%s)", err, refused.Error())
	}
	return err
}

// operation queries an operation.
func (p *Provider) operation(ctx context.Context, api *v3.Client, id v3.UUID) (*v3.Operation, error) {
	ctx, answer := httpapi.Capture(ctx)
	op, err := api.GetOperation(ctx, id)
	if err := outcome(answer, op, err); err != nil {
		return nil, fmt.Errorf("querying operation %s: %w", id, err)
	}
	return op, nil
}

// logQueries logs when operations cannot be queried, and when they can be again.
func (p *Provider) logQueries(refused error) {
	p.mu.Lock()
	began := refused != nil && p.unqueried.Failed(time.Now())
	ended := refused == nil && p.unqueried.Succeeded(time.Now())
	p.mu.Unlock()
	switch {
	case began:
		p.opts.Log.Error(refused, "cannot query Exoscale's operations: each assignment waits until a reading proves it; "+
			"allow get-operation in the role of the API key")
	case ended:
		p.opts.Log.Info("Exoscale's operations can be queried again")
	}
}

// outcome returns the error of a call that should be answered with an operation.
func outcome(answer *httpapi.Answer, op *v3.Operation, err error) error {
	if err == nil && (op == nil || op.State == "") {
		err = errors.New("unusable response (want an operation)") // perhaps a login page
	}
	return answer.Err(err)
}
