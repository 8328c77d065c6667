package daemon

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	pingEvery    = 10 * time.Second       // the interval of the checks; little else wakes the CPU on a quiet day
	answerWithin = 5 * time.Second        // a loop that takes longer counts as hanging
	pollEvery    = 100 * time.Millisecond // the interval at which refreshes checks
)

// A liveness checks continually, one loop after another, whether the daemon's loops still answer. Callers of [liveness.alive] get the last
// result, and so never wait for a loop that hangs.
type liveness struct {
	loops   []loop
	asking  atomic.Pointer[question] // the current question
	healthy func()                   // called after each round in which all loops have answered; may be nil
}

// A loop is a goroutine that must answer.
type loop struct {
	name string
	ping func(ctx context.Context) error // returns nil once the loop has answered, or the cause if ctx ends first
}

// A question is what a liveness is doing, and since when: asking a loop, or pausing between two rounds.
type question struct {
	loop  string // empty: pausing
	since time.Time
}

// newLiveness returns a liveness that asks no loop until run.
func newLiveness(healthy func(), loops ...loop) *liveness {
	l := &liveness{loops: loops, healthy: healthy}
	l.ask("")
	return l
}

func (l *liveness) ask(name string) { l.asking.Store(&question{loop: name, since: time.Now()}) }

// alive returns nil if all loops have answered recently, and otherwise an error that names the one that hangs. It
// does not block.
func (l *liveness) alive() error {
	q := l.asking.Load()
	took := time.Since(q.since)
	switch {
	case q.loop != "" && took > answerWithin:
		return fmt.Errorf("%s has not answered for %v", q.loop, took.Round(time.Second))
	case took > pingEvery+answerWithin:
		return fmt.Errorf("the loops have not been checked for %v", took.Round(time.Second))
	}
	return nil
}

// run checks each loop once per interval, until ctx ends.
func (l *liveness) run(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		for _, loop := range l.loops {
			l.ask(loop.name)
			if err := loop.ping(ctx); err != nil {
				return // ctx has ended
			}
		}
		l.ask("")
		if l.healthy != nil {
			l.healthy()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// answer returns once run's goroutine has received a ping.
func (d *daemon) answer(ctx context.Context) error {
	select {
	case d.pings <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// refreshes returns once the controller's refresh is not overdue. A read may take long enough for the next refresh to become due.
func (d *daemon) refreshes(ctx context.Context) error {
	for {
		if due := d.engine.Load().observed.Due(); time.Since(due) < d.current.Load().RefreshTimeout+hangTimeout {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollEvery):
		}
	}
}
