package observed

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"floaty/providers"
	"floaty/providers/providertest"
)

var (
	one = netip.MustParseAddr("198.51.100.1")
	two = netip.MustParseAddr("198.51.100.2")

	errDown = errors.New("down")
)

// A cloud answers each read after one second, with the value that holder has by then.
type cloud struct {
	mu     sync.Mutex // guards all below
	holder string
	err    error
	server error
	hangs  bool
	stuck  chan struct{} // if set, no call returns before it is closed
	asked  [][]netip.Addr
}

func (c *cloud) Server(context.Context) (string, error) {
	c.mu.Lock()
	stuck, err := c.stuck, c.server
	c.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
	return "me", err
}

func (c *cloud) Read(ctx context.Context, addrs []netip.Addr) (map[netip.Addr]providers.Holding, error) {
	c.mu.Lock()
	c.asked = append(c.asked, slices.Clone(addrs))
	hangs, stuck, err := c.hangs, c.stuck, c.err
	c.mu.Unlock()
	if stuck != nil {
		<-stuck
		return map[netip.Addr]providers.Holding{one: {Servers: []string{"late"}}}, nil
	}
	wait := time.After(time.Second)
	if hangs {
		wait = nil
	}
	select {
	case <-wait:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	answer := map[netip.Addr]providers.Holding{}
	for _, addr := range addrs {
		answer[addr] = providers.Holding{Servers: []string{c.holder}}
	}
	return answer, err
}

func (c *cloud) Assign(context.Context, netip.Addr, string, []string) error {
	panic("observed called Assign")
}

func (c *cloud) set(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func (c *cloud) reads() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.asked)
}

// story runs a test with fake time.
func story(t *testing.T, tell func(t *testing.T, c *cloud, o *Observed, log *providertest.Log)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log := &providertest.Log{}
		c := &cloud{holder: "there", server: errDown}
		o := New(Options{
			Provider: c, Addresses: func() []netip.Addr { return []netip.Addr{one, two} },
			Interval: time.Minute, Timeout: 10 * time.Second,
			BackOff: BackOff{Initial: time.Second, Multiplier: 2, Max: 8 * time.Second},
			Found:   func(server string) { log.Add("found " + server) },
			Log:     log.Logger(),
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); o.Run(ctx) }()
		defer func() { stop(); <-done }()
		synctest.Wait()
		tell(t, c, o, log)
	})
}

// reading calls Read until it is no longer pending, and returns its result.
func reading(ctx context.Context, o *Observed, addr netip.Addr, after time.Time) (Reading, error) {
	for {
		r, pending, err := o.Read(addr, after)
		if !pending {
			return r, err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return Reading{}, context.Cause(ctx)
		}
	}
}

// refresh causes a refresh, even if none is due, and returns when its read has ended.
func refresh(o *Observed) {
	o.mu.Lock()
	o.due = time.Time{}
	o.mu.Unlock()
	o.Refresh()
	ended := func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return !slices.ContainsFunc(o.reads, func(r *read) bool { return r.refresh })
	}
	for !ended() {
		time.Sleep(time.Millisecond)
	}
}

func TestConcurrentReadsShareOneCall(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, o *Observed, _ *providertest.Log) {
		var callers sync.WaitGroup
		for i := range 100 {
			callers.Go(func() {
				addr := []netip.Addr{one, two}[i%2]
				if r, err := reading(t.Context(), o, addr, time.Time{}); err != nil || r.Servers[0] != "there" {
					t.Errorf("got %v, %v", r, err)
				}
			})
		}
		callers.Wait()
		if got := c.reads(); got != 1 {
			t.Errorf("%d reads, want 1", got)
		}
	})
}

func TestAReadThatBeginsWhenARefreshIsDueServesAsTheRefresh(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, o *Observed, _ *providertest.Log) {
		var callers sync.WaitGroup
		callers.Go(func() { _, _ = reading(t.Context(), o, one, time.Time{}) })
		synctest.Wait()
		o.Refresh()
		callers.Wait()
		if got := c.reads(); got != 1 {
			t.Errorf("got %d reads, want one", got)
		}
		if r, ok := o.Last(two); !ok || !r.Refresh {
			t.Errorf("got %+v, %v, want a reading that counts as a refresh", r, ok)
		}

		o.Invalidate(one)
		callers.Go(func() { _, _ = reading(t.Context(), o, one, time.Time{}) })
		synctest.Wait()
		callers.Go(func() { refresh(o) }) // the read in progress does not cover two
		callers.Wait()
		if got := c.reads(); got != 3 {
			t.Errorf("got %d reads, want three", got)
		}
	})
}

// The retry of a single address and the refresh come at the same instant, in either order.
func TestAFailedRefreshIsRetriedInOneRead(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, o *Observed, _ *providertest.Log) {
		c.set(func() { c.err = &providers.WaitError{Wait: 5 * time.Second, Err: errDown} })
		refresh(o)
		if got := time.Until(o.Due()); got > 5*time.Second {
			t.Errorf("the refresh is due in %v, want 5 s", got)
		}
		time.Sleep(time.Until(o.Due()))
		before := c.reads()
		_, pending, err := o.Read(one, time.Now())
		if !pending || err != nil {
			t.Errorf("got %v, %v from a single address's retry, want a read in progress", pending, err)
		}
		o.Refresh()
		synctest.Wait()
		if got := c.reads() - before; got != 1 {
			t.Errorf("%d reads, want 1", got)
		}
	})
}

func TestAFailedReadOfOneAddressDoesNotMakeTheRefreshEarlier(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, o *Observed, _ *providertest.Log) {
		refresh(o)
		due := o.Due()
		c.set(func() { c.err = errDown })
		if _, err := reading(t.Context(), o, one, time.Now()); err == nil {
			t.Error("the read succeeded, want an error")
		}
		if got := o.Due(); !got.Equal(due) {
			t.Errorf("the refresh is due %v earlier", due.Sub(got))
		}
	})
}

func TestTheTimeOfAReadingIsThatOfItsRequest(t *testing.T) {
	story(t, func(t *testing.T, _ *cloud, o *Observed, _ *providertest.Log) {
		sent := time.Now()
		r, err := reading(t.Context(), o, one, time.Time{})
		if err != nil || !r.At.Equal(sent) {
			t.Errorf("got %v, %v; want %v", r.At, err, sent)
		}
	})
}

func TestAReadBegunBeforeAnInvalidationDoesNotCount(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, o *Observed, _ *providertest.Log) {
		go func() { refresh(o) }()
		time.Sleep(time.Second / 2)
		o.Invalidate(one)
		c.set(func() { c.holder = "me" })
		time.Sleep(time.Second)
		if r, ok := o.Last(one); ok {
			t.Errorf("got %v, want nothing valid", r)
		}
		if _, ok := o.Last(two); !ok {
			t.Error("the other address has no reading, want one")
		}
		if r, err := reading(t.Context(), o, one, time.Time{}); err != nil || r.Servers[0] != "me" || c.reads() != 2 {
			t.Errorf("got %v, %v after %d reads, want me after 2", r, err, c.reads())
		}
	})
}

func TestACallerThatGivesUpDoesNotEndTheRead(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, o *Observed, _ *providertest.Log) {
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("gone")
		time.AfterFunc(time.Second/2, func() { cancel(why) })
		if _, err := reading(ctx, o, one, time.Time{}); !errors.Is(err, why) {
			t.Errorf("got %v, want %v", err, why)
		}
		time.Sleep(time.Second)
		if r, ok := o.Last(one); !ok || c.reads() != 1 {
			t.Errorf("got %v %v after %d reads, want a reading after 1", r, ok, c.reads())
		}
	})
}

func TestAFailedReadIsSharedUntilItsBackOffIsOver(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, o *Observed, log *providertest.Log) {
		c.set(func() { c.err = errDown })
		for range 50 {
			if _, err := reading(t.Context(), o, one, time.Time{}); !errors.Is(err, errDown) {
				t.Fatalf("got %v, want %v", err, errDown)
			}
		}
		if got := c.reads(); got != 1 {
			t.Errorf("%d reads, want 1", got)
		}
		c.set(func() { c.err = nil })
		time.Sleep(time.Until(o.Retry()))
		if _, err := reading(t.Context(), o, one, time.Time{}); err != nil {
			t.Errorf("got %v after the back-off, want a reading", err)
		}
		if retry := o.Retry(); !retry.IsZero() {
			t.Errorf("got a retry at %v after a read that succeeded, want none", retry)
		}
		synctest.Wait()
		if got := len(log.Lines(`"reading the cloud failed: `)); got != 1 {
			t.Errorf("%d lines about the failed read, want 1: %q", got, log.Lines(""))
		}
	})
}

func TestAnOldReadingStaysWhenReadsFail(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, o *Observed, _ *providertest.Log) {
		refresh(o)
		c.set(func() { c.err = errDown })
		time.Sleep(time.Hour)
		refresh(o)
		if r, ok := o.Last(one); !ok || r.Servers[0] != "there" {
			t.Errorf("got %v, %v, want the old reading", r, ok)
		}
		if !o.Due().Before(time.Now().Add(3 * time.Second)) {
			t.Errorf("the next read is due in %v, want after a back-off", time.Until(o.Due()))
		}
	})
}

func TestAHangingReadEndsAtItsDeadlineAndDoesNotAffectANewerOne(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, o *Observed, _ *providertest.Log) {
		c.set(func() { c.hangs = true })
		go func() { refresh(o) }()
		time.Sleep(5 * time.Second)
		c.set(func() { c.hangs = false })
		o.Invalidate(one)
		if _, err := reading(t.Context(), o, one, time.Time{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		o.Invalidate(one)
		if _, err := reading(t.Context(), o, one, time.Time{}); err != nil {
			t.Errorf("got %v, want the late failure of the old read not to count", err)
		}
	})
}

func TestRefreshesComeOncePerInterval(t *testing.T) {
	story(t, func(t *testing.T, _ *cloud, o *Observed, _ *providertest.Log) {
		for range 100 {
			wait := o.Refresh()
			if wait < 54*time.Second || wait > 66*time.Second {
				t.Fatalf("the next is due after %v, want a minute ±10 %%", wait)
			}
			if again := o.Refresh(); again != wait {
				t.Fatalf("called again: the next is due after %v, want %v", again, wait)
			}
			time.Sleep(wait)
		}
		r, _ := o.Last(two)
		if !r.Refresh {
			t.Errorf("got %+v, want it marked as a refresh", r)
		}
	})
}

func TestAnAddressMissingFromTheAnswerIsNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Options{
			Provider: silent{}, Addresses: func() []netip.Addr { return nil }, Interval: time.Minute, Timeout: time.Second,
			BackOff: BackOff{Initial: 1, Multiplier: 1, Max: 1}, Found: func(string) {},
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); o.Run(ctx) }()
		defer func() { stop(); <-done }()
		if r, err := reading(ctx, o, one, time.Time{}); err != nil || !errors.Is(r.Err, providers.ErrNotFound) {
			t.Errorf("got %v, %v; want %v", r, err, providers.ErrNotFound)
		}
	})
}

type silent struct{ providers.Provider }

func (silent) Server(context.Context) (string, error) { return "me", nil }

func (silent) Read(context.Context, []netip.Addr) (map[netip.Addr]providers.Holding, error) {
	return nil, nil
}

func TestTheServersIDIsRequestedUntilItIsKnown(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, _ *Observed, log *providertest.Log) {
		time.Sleep(time.Minute)
		if n := len(log.Lines("")); n == 0 || n > 2 {
			t.Errorf("got %q in a minute, want a line and at most a reminder", log.Lines(""))
		}
		c.set(func() { c.server = nil })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := log.Lines(""); len(got) < 2 || got[len(got)-1] != "found me" {
			t.Errorf("got %q, want it found", got)
		}
	})
}

func TestBackOffGrowsWithJitterUpToItsMaximum(t *testing.T) {
	b := BackOff{Initial: time.Second, Multiplier: 2, Max: 10 * time.Second}
	for failure, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 5: 10 * time.Second, 5000: 10 * time.Second} {
		for range 100 {
			if got := b.Wait(failure); got < want*8/10 || got > want*12/10 {
				t.Fatalf("failure %d: %v, want %v ±20 %%", failure, got, want)
			}
		}
	}
}

func TestOnReadIsCalledOncePerRead(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, o *Observed, _ *providertest.Log) {
		reported := map[netip.Addr]int{}
		o.opts.OnRead = func(addrs []netip.Addr) {
			c.set(func() {
				for _, addr := range addrs {
					reported[addr]++
				}
			})
		}
		ask := func(addr netip.Addr, wantPending bool) (Reading, error) {
			t.Helper()
			r, pending, err := o.Read(addr, time.Time{})
			if pending != wantPending {
				t.Errorf("%v: pending: %v, want %v", addr, pending, wantPending)
			}
			return r, err
		}
		want := func(each int) {
			t.Helper()
			time.Sleep(1500 * time.Millisecond)
			c.set(func() {
				if reported[one] != each || reported[two] != each {
					t.Errorf("reported %v, want %d each", reported, each)
				}
			})
		}
		for _, addr := range []netip.Addr{one, two} {
			_, _ = ask(addr, true)
		}
		want(1)
		for _, addr := range []netip.Addr{one, two} {
			if r, err := ask(addr, false); err != nil || !r.At.Before(time.Now()) || r.Servers[0] != "there" {
				t.Errorf("%v: got %+v, %v, want its holder", addr, r, err)
			}
		}
		want(1)

		c.set(func() { c.err = errDown })
		o.Invalidate(one)
		o.Invalidate(two)
		_, _ = ask(one, true)
		_, _ = ask(two, true)
		_, _ = ask(two, true) // a second call causes no second read
		want(2)
		if got := c.reads(); got != 2 {
			t.Errorf("%d reads, want one for both each time", got)
		}
		c.set(func() { c.err = nil })
		time.Sleep(10 * time.Second)
		_, _ = ask(one, true)
		_, _ = ask(two, true)
		want(3)
	})
}

func TestWithoutAddressesAFailedReadIsNotRetried(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, o *Observed, _ *providertest.Log) {
		c.set(func() { c.err = errDown })
		refresh(o)
		o.opts.Addresses = func() []netip.Addr { return nil }
		time.Sleep(time.Until(o.Due()))
		if rest := o.Refresh(); rest < 20*time.Second { // what is left of the interval
			t.Errorf("the next refresh is due in %v, want it at the next interval", rest)
		}
	})
}

// Otherwise the back-off of a failed read would delay the refresh, and the status would show a wait for a read that is not needed.
func TestWithoutAddressesTheBackOffOfAFailedReadEnds(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, o *Observed, _ *providertest.Log) {
		refresh(o)
		time.Sleep(time.Until(o.Due()) - 500*time.Millisecond)
		c.set(func() { c.err = errDown })
		if _, err := reading(t.Context(), o, one, time.Now()); err == nil {
			t.Fatal("got a reading, want an error")
		}
		if !o.Retry().After(o.Due()) {
			t.Fatalf("the failed read is retried at %v, want that after the refresh at %v", o.Retry(), o.Due())
		}
		o.opts.Addresses = func() []netip.Addr { return nil }
		time.Sleep(time.Until(o.Due()))
		if rest := o.Refresh(); rest < 50*time.Second {
			t.Errorf("the next refresh is due in %v, want it after an interval", rest)
		}
		if retry := o.Retry(); !retry.IsZero() {
			t.Errorf("the next retry is at %v, want none", retry)
		}
	})
}
