package daemon

import (
	"context"
	"fmt"
	"os"

	"floaty/cmd/floaty/internal/inputs"
	"floaty/desired"
	"floaty/desired/keepalived"
	"floaty/providers/logkey"
)

// Hold keeps the addresses of the named instances at this host until ctx ends, or until permitted, which is called
// before each write, returns an error: after a standstill, this process may not have been told yet that it must stop.
func Hold(ctx context.Context, opts Options, s inputs.Inputs, event keepalived.Event, names []string, hangup <-chan os.Signal, permitted func() error) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	var holder *keepalived.Holder // it needs the daemon, whose fence needs it
	d, err := newDaemon(opts, s, names, func(ctx context.Context) error {
		if err := permitted(); err != nil {
			end(err)
			return err
		}
		return holder.Settle(ctx)
	})
	if err != nil {
		return err
	}
	changed := func() {
		d.update(func() desired.Change { return d.state.SetKeepalived(holder.Instances()) })
	}
	holder = keepalived.NewHolder(event, names, keepalived.HolderOptions{AdvertInterval: d.state.AdvertInterval, Changed: changed, Log: opts.Log})
	changed()
	d.run(ctx, hangup, holder.Run, listenerNews{})
	key := SubjectKey(event)
	opts.Log.Info("no longer holding the addresses", key, event.Name, logkey.Err, fmt.Sprint(context.Cause(ctx)))
	return nil
}

// SubjectKey returns the log key for the name in an event.
func SubjectKey(e keepalived.Event) string {
	if e.IsGroup() {
		return logkey.Group
	}
	return logkey.Instance
}
