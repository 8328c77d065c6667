package controller

import (
	"testing"
	"testing/synctest"
	"time"

	"floaty/observed"
)

var testBackOff = observed.BackOff{Initial: time.Second, Multiplier: 2, Max: 8 * time.Second, MaxElapsed: time.Minute}

func TestAFailureWaitsLongerEachTime(t *testing.T) {
	for _, c := range []struct {
		what     string
		failures int           // before, one per second
		forget   bool          // after these failures
		want     time.Duration // ±20 %
	}{
		{"the first", 0, false, time.Second},
		{"the second", 1, false, 2 * time.Second},
		{"at the maximum", 10, false, 8 * time.Second},
		{"after a success", 10, true, time.Second},
		{"after max-elapsed-time: the refresh interval", 60, false, interval},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPace(testBackOff, interval)
			for range c.failures {
				p.When(one)
				time.Sleep(time.Second)
			}
			if got := p.NumRequeues(one); got != c.failures {
				t.Errorf("%s: got %d failures, want %d", c.what, got, c.failures)
			}
			if c.forget {
				p.Forget(one)
			}
			wait := p.When(one)
			if wait < c.want*8/10 || wait > c.want*12/10 {
				t.Errorf("%s: got a wait of %v, want %v ±20 %%", c.what, wait, c.want)
			}
			if got := p.Reserve(one, false); got != wait {
				t.Errorf("%s: a write may be made after %v, want %v", c.what, got, wait)
			}
			if got := p.Reserve(two, false); got != 0 {
				t.Errorf("%s: another address waits for %v, want no wait", c.what, got)
			}
		})
	}
}

func TestAHeldAddressWaitsAsLongAsRequested(t *testing.T) {
	for what, c := range map[string]struct {
		then func(p *pace)
		want time.Duration
	}{
		"nothing":                          {func(*pace) {}, 4 * time.Minute},
		"held for less":                    {func(p *pace) { p.Hold(one, time.Second) }, time.Second},
		"a minute later":                   {func(*pace) { time.Sleep(time.Minute) }, 3 * time.Minute},
		"MASTER, or found in place":        {func(p *pace) { p.Forget(one) }, 0},
		"MASTER, and an immediate write":   {func(p *pace) { p.Reserve(one, true) }, 0},
		"the cloud may be called again":    {func(p *pace) { p.Resume() }, 0},
		"dropped":                          {func(p *pace) { p.Drop(one) }, 0},
		"the same done to another address": {func(p *pace) { p.Forget(two); p.Drop(two) }, 4 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPace(testBackOff, interval)
			p.Hold(one, 4*time.Minute)
			c.then(p)
			if got := p.Reserve(one, false); got != c.want {
				t.Errorf("%s: got a wait of %v, want %v", what, got, c.want)
			}
			if got := p.NumRequeues(one); got != 0 {
				t.Errorf("%s: got %d failures, want none", what, got)
			}
		})
	}
}

func TestFourWritesInARowThenOnePerSecond(t *testing.T) {
	for what, c := range map[string]struct {
		rest time.Duration // after four writes
		more int           // writes that may follow without a wait
		then time.Duration // the wait for the next
	}{
		"immediately":         {0, 0, time.Second},
		"after half a second": {time.Second / 2, 0, time.Second / 2},
		"after a second":      {time.Second, 1, time.Second},
		"after 2.5 s":         {2500 * time.Millisecond, 2, time.Second / 2},
		"after a minute":      {time.Minute, 4, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPace(testBackOff, interval)
			for i := range 4 {
				if got := p.Reserve(one, false); got != 0 {
					t.Fatalf("write %d waits for %v, want four without a wait", i+1, got)
				}
			}
			p.Forget(one) // which does not refund a write
			time.Sleep(c.rest)
			for i := range c.more {
				if got := p.Reserve(one, false); got != 0 {
					t.Errorf("%s: write %d waits for %v, want %d without a wait", what, i+1, got, c.more)
				}
			}
			if got := p.Reserve(one, false); got != c.then {
				t.Errorf("%s: the next waits for %v, want %v", what, got, c.then)
			}
		})
	}
}

func TestIdleIsTheTimeSinceTheLastWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(testBackOff, interval)
		if got := p.Idle(one); got < 1000*time.Hour {
			t.Errorf("never written: idle for %v, want at least 1000 h", got)
		}
		p.Reserve(one, false)
		p.When(one)
		p.Forget(one)
		time.Sleep(interval)
		if got := p.Idle(one); got != interval {
			t.Errorf("idle for %v, want %v", got, interval)
		}
	})
}
