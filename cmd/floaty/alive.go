package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	pingEvery    = 10 * time.Second       // the loops are asked whether they answer: a quiet day wakes the CPU for little else
	answerWithin = 5 * time.Second        // a loop that takes longer counts as hanging
	pollEvery    = 100 * time.Millisecond // for what can only be looked at
)

// A liveness asks the daemon's loops, one after the other and again and again, whether they still answer. Those who want to know the
// result ask [liveness.alive], and so never wait for a loop that hangs.
type liveness struct {
	loops   []loop
	asking  atomic.Pointer[question] // now, or last
	healthy func()                   // called after each round in which all loops have answered; nil: nobody is told
}

// A loop is a goroutine that must answer.
type loop struct {
	name string
	ping func(ctx context.Context) error // returns once the loop has answered; its error is the cause of ctx's end
}

// A question is what a liveness does since a time: it asks a loop, or rests between two rounds.
type question struct {
	loop  string // empty: it rests
	since time.Time
}

// newLiveness returns a liveness that asks nobody until run.
func newLiveness(healthy func(), loops ...loop) *liveness {
	l := &liveness{loops: loops, healthy: healthy}
	l.ask("")
	return l
}

func (l *liveness) ask(name string) { l.asking.Store(&question{loop: name, since: time.Now()}) }

// alive returns nil if all loops have answered lately, and else an error that names the one that hangs. It does not block.
func (l *liveness) alive() error {
	q := l.asking.Load()
	took := time.Since(q.since)
	switch {
	case q.loop != "" && took > answerWithin:
		return fmt.Errorf("%s has not answered for %v", q.loop, took.Round(time.Second))
	case took > pingEvery+answerWithin:
		return fmt.Errorf("the loops have not been asked for %v whether they work", took.Round(time.Second))
	}
	return nil
}

// run asks until ctx ends, each loop once every interval.
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

// answer returns once run's goroutine has taken a ping.
func (d *daemon) answer(ctx context.Context) error {
	select {
	case d.pings <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// refreshes returns once the controller is not behind with its refresh. A read may take its time; the next refresh is due during that.
func (d *daemon) refreshes(ctx context.Context) error {
	for {
		d.mu.Lock()
		due := d.engine.seen.Due()
		d.mu.Unlock()
		if time.Since(due) < d.secrets.Load().RefreshTimeout+hangAtMost {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollEvery):
		}
	}
}
