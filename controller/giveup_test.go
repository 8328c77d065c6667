package controller

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"floaty/desired/keepalived"
	"floaty/providers"
)

// A stuck call returns only when it is released, even if its context has ended.
type stuck struct {
	released chan struct{}
	err      error // what the call returns once released
}

func newStuck(err error) *stuck { return &stuck{released: make(chan struct{}), err: err} }

func (s *stuck) read(context.Context) error {
	<-s.released
	return s.err
}

// write returns a function that is stuck on the first write of addr.
func (s *stuck) write(addr netip.Addr) func(context.Context, netip.Addr, string) error {
	first := make(chan struct{}, 1)
	first <- struct{}{}
	return func(_ context.Context, written netip.Addr, _ string) error {
		if written != addr {
			return nil
		}
		select {
		case <-first:
			<-s.released
			return s.err
		default:
			return nil
		}
	}
}

func TestAWriteThatNeverReturnsIsGivenUpAndRetried(t *testing.T) {
	for name, late := range map[string]error{"and succeeds late": nil, "and fails late": errDown} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, c *cloud, h *host) {
				h.slots(1)
				call := newStuck(late)
				c.set(nil, call.write(one))
				h.says(keepalived.Master)
				time.Sleep(12*time.Second + trip) // the deadline plus two seconds
				h.holds(two)                      // the slot is free again
				time.Sleep(2 * time.Second)       // a back-off
				h.holds(one)
				if lines := h.lines("given up"); len(lines) != 1 || !strings.Contains(lines[0], one.String()) {
					t.Errorf("got %q, want one line about %v", lines, one)
				}
				time.Sleep(interval)
				before := len(h.lines(""))
				c.count()
				close(call.released)
				time.Sleep(20 * time.Second)
				if reads, writes := c.count(); reads > 1 || writes != 0 { // one may be a refresh
					t.Errorf("%d reads and %d writes after the late answer, want none", reads, writes)
				}
				if lines := h.lines("")[before:]; len(lines) != 0 {
					t.Errorf("got %q after the late answer, want nothing", lines)
				}
				if left := h.leftovers(1); left != "" {
					t.Errorf("left over: %s", left)
				}
			})
		})
	}
}

// A write that was given up may still have taken effect, so a reading from before it no longer counts.
func TestAWriteThatWasGivenUpInvalidatesTheReadings(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		c.move(one, here)
		c.move(two, here)
		time.Sleep(2 * interval)
		h.says(keepalived.Master)
		time.Sleep(time.Second)
		call := newStuck(nil)
		defer close(call.released)
		c.set(nil, call.write(one))
		c.count()
		c.move(one, there)
		for len(c.written()) == 0 {
			time.Sleep(trip)
		}
		c.move(one, here) // the write has taken effect after all
		c.count()
		time.Sleep(20 * time.Second)
		if reads, writes := c.count(); reads == 0 || writes != 0 {
			t.Errorf("%d reads and %d writes after the write was given up, want a read and no write", reads, writes)
		}
	})
}

func TestADemotionDoesNotWaitLongForAWriteThatNeverReturns(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		call := newStuck(nil)
		defer close(call.released)
		c.set(nil, call.write(one))
		h.says(keepalived.Master)
		time.Sleep(time.Second)
		h.says(keepalived.Backup)
		h.says(keepalived.Master)
		time.Sleep(providers.Grace + trip)
		h.holds(one)
		if lines := h.lines("failed"); len(lines) != 0 {
			t.Errorf("got %q, want no failure logged for a demotion", lines)
		}
	})
}

func TestAReadThatNeverReturnsIsGivenUp(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		h.says(keepalived.Master)
		time.Sleep(20 * time.Second)
		call := newStuck(nil)
		defer close(call.released)
		c.set(call.read, nil)
		time.Sleep(interval * 12 / 10) // the verification after 30 s, a refresh and every other read hang
		if lines := h.lines("given up"); len(lines) == 0 {
			t.Errorf("got %q, want a line about it", h.lines(""))
		}
		c.set(nil, nil)
		c.move(one, there)
		time.Sleep(26 * time.Second) // a read that still hangs, and a back-off
		h.holds(one)
	})
}

func TestStoppingDoesNotWaitForCallsThatNeverReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(one, two)
		call := newStuck(nil)
		defer close(call.released)
		c.set(call.read, call.write(one))
		h := newHost(t, c, here, stuckServer{c, call}, one, two)
		h.says(keepalived.Master)
		time.Sleep(5 * time.Second)
		before := time.Now()
		h.stop()
		if took := time.Since(before); took != providers.Grace {
			t.Errorf("stopping took %v, want %v", took, providers.Grace)
		}
	})
}

// stuckServer is a provider whose Server call does not return until it is released.
type stuckServer struct {
	*cloud
	call *stuck
}

func (d stuckServer) Server(ctx context.Context) (string, error) { return "", d.call.read(ctx) }
