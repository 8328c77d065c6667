package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"floaty/providers"
)

// A limit is the API's rate limit for all hosts of the account together.
type limit struct {
	calls      int           // 0: unlimited
	per        time.Duration // the period that calls refers to
	window     bool          // counted in fixed windows; otherwise a token bucket of that size
	retryAfter time.Duration // sent with a refusal; with windows, the rest of the window is sent instead
}

// A fault is a failure of the whole API.
type fault int

const (
	healthy fault = iota
	broken        // every call fails immediately
	silent        // no call is answered
)

func (f fault) String() string { return [...]string{"healthy", "broken", "silent"}[f] }

var (
	errTooMany = errors.New("429 Too Many Requests")
	errBroken  = errors.New("502 Bad Gateway")
	errSilent  = errors.New("no answer")
)

// A cloud is an in-memory account with its API.
type cloud struct {
	limit limit

	mu      sync.Mutex // guards all below
	began   time.Time
	fault   fault
	holders map[netip.Addr]string
	masters map[netip.Addr]string // according to VRRP; empty: being elected
	landed  []time.Time           // when each write that moved an address took effect
	log     seconds               // since began
	wrong   []string              // calls that must not happen
	tokens  float64
	filled  time.Time // when tokens were counted
}

func newCloud(l limit) *cloud {
	return &cloud{
		limit: l, began: time.Now(), holders: map[netip.Addr]string{}, masters: map[netip.Addr]string{},
		tokens: float64(l.calls), filled: time.Now(),
	}
}

// settle makes server the MASTER of addrs, and points them at it.
func (c *cloud) settle(server string, addrs []netip.Addr) {
	c.elect(server, addrs)
	for _, addr := range addrs {
		c.holders[addr] = server
	}
}

func (c *cloud) elect(server string, addrs []netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, addr := range addrs {
		c.masters[addr] = server
	}
}

func (c *cloud) become(f fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = f
}

// misplaced returns how many addresses do not point at their MASTER.
func (c *cloud) misplaced() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for addr, master := range c.masters {
		if c.holders[addr] != master {
			n++
		}
	}
	return n
}

// moved returns how long after since this share of all moves had happened.
func (c *cloud) moved(since time.Time, share float64) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.landed) == 0 {
		return 0
	}
	return c.landed[max(0, int(share*float64(len(c.landed)))-1)].Sub(since)
}

// since returns the calls of each full second from then on.
func (c *cloud) since(then time.Time) seconds {
	from, to := int(then.Sub(c.began)/time.Second), int(time.Since(c.began)/time.Second)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.second(to)
	return slices.Clone(c.log[from:to])
}

func (c *cloud) violations() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wrong[:min(len(c.wrong), 10)]
}

func (c *cloud) second(n int) *second {
	for len(c.log) <= n {
		c.log = append(c.log, second{})
	}
	return &c.log[n]
}

// admit decides about a call that arrives now: 0 if it is admitted, or else how long the caller must wait.
func (c *cloud) admit(now time.Time) time.Duration {
	l := c.limit
	if l.calls == 0 {
		return 0
	}
	if l.window {
		if start := now.Truncate(l.per); start.After(c.filled) {
			c.tokens, c.filled = float64(l.calls), start
		}
	} else {
		full := float64(l.calls)
		c.tokens, c.filled = min(full, c.tokens+full*float64(now.Sub(c.filled))/float64(l.per)), now
	}
	if c.tokens >= 1 {
		c.tokens--
		return 0
	}
	if l.window { // Retry-After is in whole seconds
		return (l.per - now.Sub(now.Truncate(l.per)) + time.Second - 1).Truncate(time.Second)
	}
	return l.retryAfter
}

// An account is the provider of one host.
type account struct {
	cloud  *cloud
	server string
	until  time.Time // end of the wait that the cloud has imposed on this host; guarded by the cloud's mu
}

func (a *account) Server(context.Context) (string, error) { return a.server, nil }

func (a *account) Read(ctx context.Context, addrs []netip.Addr) (map[netip.Addr]providers.Holding, error) {
	answer := map[netip.Addr]providers.Holding{}
	err := a.call(ctx, func(s *second) {
		s.reads++
		if len(addrs) < 2*perHost {
			s.partial++
		}
	}, func(time.Time, *second) {
		for _, addr := range addrs {
			answer[addr] = providers.Holding{Servers: []string{a.cloud.holders[addr]}}
		}
	})
	return answer, err
}

func (a *account) Assign(ctx context.Context, addr netip.Addr, server string, _ []string) error {
	return a.call(ctx, func(s *second) {
		s.writes++
		if a.cloud.masters[addr] != server {
			a.cloud.violation("%s wrote %v, although its MASTER is %q", server, addr, a.cloud.masters[addr])
		}
	}, func(now time.Time, s *second) {
		if a.cloud.holders[addr] == server {
			s.idle++
			return
		}
		a.cloud.holders[addr] = server
		a.cloud.landed = append(a.cloud.landed, now)
	})
}

// call simulates one request: it travels to the cloud, is counted there, and takes effect if it is admitted; then the answer travels back.
func (a *account) call(ctx context.Context, count func(*second), effect func(now time.Time, s *second)) error {
	c := a.cloud
	c.mu.Lock()
	if left := time.Until(a.until); left > 0 {
		c.violation("%s called %v before the end of its wait", a.server, left)
	}
	c.mu.Unlock()
	if err := sleep(ctx, within(trip/4, 3*trip/4)); err != nil {
		return err
	}
	err := a.accept(count, effect)
	if errors.Is(err, errSilent) {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	if err := sleep(ctx, within(trip/4, 3*trip/4)); err != nil {
		return err
	}
	var told *providers.WaitError
	if errors.As(err, &told) {
		c.mu.Lock()
		a.until = time.Now().Add(told.Wait)
		c.mu.Unlock()
	}
	return err
}

func (a *account) accept(count func(*second), effect func(now time.Time, s *second)) error {
	c, now := a.cloud, time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.second(int(now.Sub(c.began) / time.Second))
	count(s)
	switch c.fault {
	case broken:
		s.failed++
		return errBroken
	case silent:
		s.failed++
		return errSilent
	case healthy:
	}
	if wait := c.admit(now); wait > 0 {
		s.refused++
		return &providers.WaitError{Wait: wait, Err: errTooMany}
	}
	effect(now, s)
	return nil
}

func (c *cloud) violation(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
