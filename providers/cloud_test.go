package providers_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"floaty/providers"
)

const self = "11111111-1111-4111-8111-111111111111"

var (
	addr  = netip.MustParseAddr("198.51.100.7")
	other = netip.MustParseAddr("198.51.100.8")
	addrs = []netip.Addr{addr, other}

	errFull  = errors.New("503 Service Unavailable")
	errWrong = fmt.Errorf("%w: invalid token", providers.ErrUnauthorized)
)

// A cloud is a provider whose responses are set by the test, and which counts its calls.
type cloud struct {
	mu       sync.Mutex
	assign   func(context.Context) error
	holdings map[netip.Addr]providers.Holding
	read     error
	reads    int
	assigns  int
	servers  int
}

func (c *cloud) Server(context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.servers++
	return self, nil
}

func (c *cloud) Read(context.Context, []netip.Addr) (map[netip.Addr]providers.Holding, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads++
	return c.holdings, c.read
}

func (c *cloud) Assign(ctx context.Context, _ netip.Addr, _ string, _ []string) error {
	c.mu.Lock()
	c.assigns++
	assign := c.assign
	c.mu.Unlock()
	if assign == nil {
		return nil
	}
	return assign(ctx)
}

// answers makes every Read and Assign return err.
func (c *cloud) answers(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = err
	c.assign = func(context.Context) error { return err }
}

// answersWhen makes each Assign wait for an error on the returned channel, and return it.
func (c *cloud) answersWhen() chan<- error {
	answer := make(chan error)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.assign = func(ctx context.Context) error {
		select {
		case err := <-answer:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return answer
}

// begin starts n assignments through p and returns once all of them are waiting. Each ends with an error sent to answer; told receives
// what p returned.
func (c *cloud) begin(t *testing.T, p *providers.Paced, n int) (answer chan<- error, told <-chan error) {
	t.Helper()
	answer = c.answersWhen()
	results := make(chan error)
	for range n {
		go func() { results <- assign(t, p) }()
	}
	synctest.Wait()
	return answer, results
}

func (c *cloud) calls() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reads + c.assigns
}

func assign(t *testing.T, p providers.Provider) error {
	t.Helper()
	return p.Assign(t.Context(), addr, self, nil)
}

// wantWait checks that err is a WaitError with this wait and cause.
func wantWait(t *testing.T, err error, wait time.Duration, why error) {
	t.Helper()
	var told *providers.WaitError
	if !errors.As(err, &told) {
		t.Fatalf("got %v, want a wait of %v", err, wait)
	}
	if told.Wait != wait || !errors.Is(err, why) {
		t.Errorf("got a wait of %v because of %q, want %v because of %q", told.Wait, told.Err, wait, why)
	}
}

func wantCalls(t *testing.T, c *cloud, want int) {
	t.Helper()
	if got := c.calls(); got != want {
		t.Errorf("got %d calls, want %d", got, want)
	}
}

func wantNoError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("got %v, want no error", err)
	}
}
