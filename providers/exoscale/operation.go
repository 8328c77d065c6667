package exoscale

import (
	"context"
	"fmt"
	"time"

	v3 "github.com/exoscale/egoscale/v3"

	"floaty/providers/httpapi"
)

// How often a pending operation is asked for: the SDK's Wait asks only after 3 s.
const (
	pollFirst = 100 * time.Millisecond
	pollSteps = 10 // at that distance, before it grows
	pollMost  = time.Second
)

// finish waits until an operation has ended. What has not succeeded is an error with the API's reason and message.
func (p *Provider) finish(ctx context.Context, api *v3.Client, op *v3.Operation) error {
	wait := pollFirst
	for step := 1; op.State == v3.OperationStatePending; step++ {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for operation %s: %w", op.ID, context.Cause(ctx))
		case <-time.After(wait):
		}
		if step >= pollSteps {
			wait = min(wait*3/2, pollMost)
		}
		next, err := p.operation(ctx, api, op.ID)
		if err != nil {
			return err
		}
		op = next
	}
	if op.State != v3.OperationStateSuccess {
		return fmt.Errorf("operation %s ended in %s: %s: %.200q", op.ID, op.State, op.Reason, op.Message)
	}
	return nil
}

// operation asks for an operation.
func (p *Provider) operation(ctx context.Context, api *v3.Client, id v3.UUID) (*v3.Operation, error) {
	ctx, answer := httpapi.Capture(ctx)
	op, err := api.GetOperation(ctx, id)
	if err := outcome(answer, op, err); err != nil {
		return nil, fmt.Errorf("asking for operation %s: %w", id, err)
	}
	return op, nil
}
