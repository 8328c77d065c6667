package handover

import (
	"context"
	"fmt"
	"os"

	"github.com/go-logr/logr"
)

// WatchKeepalived returns a context that is cancelled, with a cause that says so, once the Keepalived above this process
// has ended: the nearest ancestor of that name, which is the VRRP process, so that it counts even if only that one ends.
// It is seen at once, or within 25 ms where the kernel has no handles of processes. Where there is none above, as for
// somebody who tries floaty in a shell, that is one line and ctx goes on.
//
// The caller calls stop in the end; it ends the context.
func WatchKeepalived(ctx context.Context, log logr.Logger) (_ context.Context, stop func()) {
	var above stat
	self, err := statOf(os.Getpid())
	if err == nil {
		_, above = lineage(self)
	}
	if above.pid == 0 {
		log.Info("no keepalived is above this process: only a signal or a newer event ends it")
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	gone := fmt.Errorf("keepalived, process %d, has ended", above.pid)
	p, err := openProcess(above.pid)
	if err != nil || p.start != above.start {
		p.close()
		cancel(gone)
		return ctx, func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-p.end():
			cancel(gone)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(context.Canceled)
		<-done
		p.close()
	}
}

// lineage returns the process that Keepalived started for the event, and that Keepalived: self and the zero stat where no
// ancestor is so named, or where the ancestors cannot be seen (/proc mounted with hidepid).
func lineage(self stat) (event, keepalived stat) {
	for range 3 { // an ancestor that ends in between gives its children another parent
		event, keepalived, err := climb(self.pid)
		if err == nil {
			return event, keepalived
		}
	}
	return self, stat{}
}

func climb(pid int) (event, keepalived stat, err error) {
	self, err := statOf(pid)
	for below := self; err == nil && below.parent > 0; {
		var above stat
		if above, err = statOf(below.parent); err == nil && (above.name == "keepalived" || above.name == "keepalived_vrrp") { // with process_names
			return below, above, nil
		}
		below = above
	}
	return self, stat{}, err
}
