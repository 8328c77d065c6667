package daemon

import (
	"context"
	"slices"
	"time"

	"floaty/cmd/floaty/internal/inputs"
	"floaty/desired"
	"floaty/desired/keepalived"
	"floaty/providers/logkey"
)

// listenRetryDelay is the delay before the listener is started again, for example after the system ran out of file
// descriptors.
const listenRetryDelay = 10 * time.Second

// A sourceInfo tells the listener which FIFO and which process to trust.
type sourceInfo struct {
	owners  []uint32 // the users who may own the FIFO
	pidFile string   // path of the VRRP process's PID file
}

// listenerNews are what the listener tells run's goroutine. A value that was not received yet is replaced by the next one. Without a
// listener, as in a notify script, both channels are nil.
type listenerNews struct {
	connected chan bool // whether Keepalived has the FIFO open, whenever that has changed
	vrrpPID   chan int  // the process ID of the VRRP process, whenever it has become known
}

// newListener returns the listener for Keepalived's events. The channels of heard must have a capacity of 1.
func (d *daemon) newListener(heard listenerNews) *keepalived.Listener {
	was, vrrp := false, 0
	return keepalived.New(keepalived.Options{
		Path:      d.opts.FIFO,
		StateFile: inputs.StateFile(d.files.running.Config, ".states"),

		PIDFile: func() string { return d.sources.Load().pidFile },
		Trusted: func(uid uint32) bool { return slices.Contains(d.sources.Load().owners, uid) },
		Conf: keepalived.Conf{
			Named:          d.state.Named,
			Members:        d.state.Members,
			VIPs:           d.state.VIPs,
			AdvertInterval: d.state.AdvertInterval,
		},
		Changed: func(s keepalived.Snapshot) {
			d.checkHostName() // before MASTER is acted on, so that the addresses go to the right server
			d.update(func() desired.Change { return d.state.SetKeepalived(s.Instances) })
			d.monitor.SetKeepalived(s)
			if s.PID != 0 && s.PID != vrrp {
				vrrp = s.PID
				replace(heard.vrrpPID, vrrp)
			}
			if s.Connected != was {
				was = s.Connected
				replace(heard.connected, was)
			}
		},
		Log: d.opts.Log,
	})
}

// replace sends value without blocking, in place of one that was not received yet and is outdated. c must have a capacity of 1 and no
// other sender.
func replace[T any](c chan T, value T) {
	select {
	case <-c:
	default:
	}
	c <- value
}

// listen runs the listener until ctx ends.
func (d *daemon) listen(ctx context.Context, listener *keepalived.Listener) {
	for ctx.Err() == nil {
		if err := listener.Run(ctx); err != nil {
			d.opts.Log.Error(err, "cannot read the FIFO", logkey.Path, d.opts.FIFO, logkey.Next, time.Now().Add(listenRetryDelay))
			select {
			case <-ctx.Done():
			case <-time.After(listenRetryDelay):
			}
		}
	}
}
