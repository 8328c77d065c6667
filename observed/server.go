package observed

import (
	"context"
	"time"

	"floaty/providers"
	"floaty/providers/failurelog"
	"floaty/providers/logkey"
)

// findServer asks until it is known which server this is: the metadata service may start later than floaty.
func (o *Observed) findServer(ctx context.Context) {
	var log failurelog.Entry
	for {
		server, err := o.askServer(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			o.opts.Found(server)
			return
		}
		say, wait := log.Failed(time.Now()), o.opts.BackOff.Wait(log.Attempts)
		if say {
			o.opts.Log.Error(err, "cannot determine this server's ID; not assigning anything until it is known",
				logkey.Attempt, log.Attempts, logkey.Next, time.Now().Add(wait))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (o *Observed) askServer(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, o.opts.Timeout)
	defer cancel()
	return providers.Await(ctx, func() (string, error) { return o.opts.Provider.Server(ctx) })
}
