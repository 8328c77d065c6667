package daemon

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"floaty/providers/simulator"
)

func TestAliveNamesTheLoopThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		var hanging atomic.Bool
		fed := 0
		live := newLiveness(func() { fed++ },
			loop{"the first", func(context.Context) error { return nil }},
			loop{"the second", func(ctx context.Context) error {
				if !hanging.Load() {
					return nil
				}
				<-ctx.Done()
				return context.Cause(ctx)
			}},
		)
		done := make(chan struct{})
		go func() {
			defer close(done)
			live.run(ctx, pingEvery)
		}()
		time.Sleep(time.Hour)
		synctest.Wait()
		if err := live.alive(); err != nil {
			t.Errorf("all loops answer: got %v, want no error", err)
		}
		if want := int(time.Hour/pingEvery) + 1; fed != want {
			t.Errorf("got the watchdog fed %d times within an hour, want %d", fed, want)
		}

		hanging.Store(true)
		before := fed
		time.Sleep(pingEvery + answerWithin - time.Millisecond)
		synctest.Wait()
		if err := live.alive(); err != nil {
			t.Errorf("just before the limit: got %v, want no error", err)
		}
		time.Sleep(time.Second)
		if err := live.alive(); err == nil || !strings.Contains(err.Error(), "the second has not answered for 6s") {
			t.Errorf("a loop hangs: got %v, want an error that names it", err)
		}
		if fed != before {
			t.Errorf("got the watchdog fed %d times while a loop hung, want 0", fed-before)
		}
		end()
		<-done
		time.Sleep(time.Minute)
		if err := live.alive(); err == nil {
			t.Error("after the end of the pings: got no error, want one")
		}
	})
}

func TestTheRefreshIsPingedOnlyWhileTheControllerRuns(t *testing.T) {
	d := newDaemonAt(t, simulator.New())
	ctx, end := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	go func() { answered <- d.refreshes(ctx) }()
	select {
	case err := <-answered:
		t.Errorf("no controller runs: got the answer %v, want none", err)
	case <-time.After(3 * pollEvery):
	}
	d.engine.Load().start(ctx)
	if err := <-answered; err != nil {
		t.Errorf("the controller runs: got %v, want an answer", err)
	}
	end()
	d.engine.Load().end()
}
