package observed

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"floaty/providers"
	"floaty/providers/providertest"
)

func TestAWaitOfZeroStillPausesReads(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, o *Observed, _ *providertest.Log) {
		c.set(func() { c.err = &providers.WaitError{Err: errDown} })
		refresh(o)
		if rest := time.Until(o.Due()); rest < minWait-time.Millisecond { // refresh polls for the end of the read every millisecond
			t.Errorf("the next read is due in %v, want a pause of at least %v", rest, minWait)
		}
	})
}

func TestACallThatNeverReturnsIsGivenUp(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, o *Observed, log *providertest.Log) {
		stuck := make(chan struct{})
		c.set(func() { c.stuck = stuck })
		began := time.Now()
		if _, err := reading(t.Context(), o, one, time.Time{}); !errors.Is(err, providers.ErrGivenUp) {
			t.Errorf("got %v, want %v", err, providers.ErrGivenUp)
		}
		if took := time.Since(began).Truncate(100 * time.Millisecond); took != 12*time.Second {
			t.Errorf("it was given up after %v, want the deadline plus %v", took, providers.Grace)
		}
		time.Sleep(2 * time.Minute) // requests for the server's ID are stuck too
		c.set(func() { c.stuck, c.server = nil, nil })
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if len(log.Lines("found me")) == 0 {
			t.Errorf("got %q, want the server found", log.Lines(""))
		}
		if _, err := reading(t.Context(), o, one, time.Now()); err != nil {
			t.Errorf("got %v, want a reading", err)
		}
		close(stuck)
		synctest.Wait()
		if r, ok := o.Last(one); !ok || r.Servers[0] != "there" {
			t.Errorf("got %v, %v after the late answer, want the newer reading", r, ok)
		}
	})
}
