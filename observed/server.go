package observed

import (
	"context"
	"time"

	"floaty/providers"
	"floaty/providers/logkey"
)

// findServer asks until it is known which server this is: the metadata service may be up later than floaty.
func (o *Observed) findServer(ctx context.Context) {
	var trouble providers.Trouble
	for {
		server, err := o.askServer(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			if trouble.Over() {
				o.opts.Log.Info("it is now known which server this is", logkey.Server, server)
			}
			o.opts.Found(server)
			return
		}
		if trouble.Fail(time.Now()) {
			o.opts.Log.Error(err, "finding out which server this is failed: nothing is written until it is known",
				logkey.Attempt, trouble.Attempts)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(o.opts.BackOff.Wait(trouble.Attempts)):
		}
	}
}

func (o *Observed) askServer(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, o.opts.Timeout)
	defer cancel()
	return providers.Await(ctx, func() (string, error) { return o.opts.Provider.Server(ctx) })
}
