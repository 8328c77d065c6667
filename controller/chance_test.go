package controller

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"floaty/desired/keepalived"
	"floaty/providers"
)

// leftovers describes the slots and writes that the controller still holds once it should be idle; "" if there are none.
func (h *host) leftovers(slots int) string {
	c := h.ctl
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	held := 0
	for _, st := range c.statuses {
		if st.slot != noSlot {
			held++
		}
	}
	if c.slots.free == slots && held+len(c.slots.line)+len(c.slots.writes) == 0 {
		return ""
	}
	return fmt.Sprintf("%d slots free, %d held or waited for, %d writes", c.slots.free, held, len(c.slots.writes))
}

// A scenario is a random sequence of events: two instances change their states, rivals are heard, addresses are added and removed, alone
// or as parts of a resource, and calls fail, hang, or do not return at all.
type scenario struct {
	dice      *dice
	cloud     *cloud
	host      *host
	alone     []netip.Addr // wanted by A
	parts     []netip.Addr // of one resource, wanted by A and B
	elsewhere []netip.Addr // parts of another, wanted by B
}

func newScenario(t *testing.T, seed uint64) (s *scenario, slots int) {
	t.Helper()
	s = &scenario{dice: newDice(seed), alone: following(one, 6), parts: inside, elsewhere: following(netip.MustParseAddr("2001:db8:1::"), 3)}
	s.cloud = newCloud(append(following(one, 6), inside[0], s.elsewhere[0])...)
	s.cloud.join(s.parts...)
	s.cloud.join(s.elsewhere...)
	s.host = newHost(t, s.cloud, here, s.cloud)
	slots = 1 + s.dice.roll(3)
	s.host.slots(slots)
	s.manage(6, 5, 3)
	return s, slots
}

func following(addr netip.Addr, n int) []netip.Addr {
	var addrs []netip.Addr
	for ; len(addrs) < n; addr = addr.Next() {
		addrs = append(addrs, addr)
	}
	return addrs
}

// manage sets how many of their addresses A and B want; of those that they share, B wants the last two.
func (s *scenario) manage(alone, parts, elsewhere int) {
	b := append([]netip.Addr{}, s.elsewhere[:elsewhere]...)
	if parts > 2 {
		b = append(b, s.parts[3:parts]...)
	}
	s.host.wants(map[string][]netip.Addr{"A": append(append([]netip.Addr{}, s.alone[:alone]...), s.parts[:min(parts, 3)]...), "B": b})
}

// trouble injects a random fault into a call, before the call takes effect.
func (s *scenario) trouble(ctx context.Context) error {
	switch s.dice.roll(7) {
	case 1:
		return errors.New("500")
	case 2:
		return hang(ctx)
	case 3:
		return pass(ctx, time.Duration(s.dice.roll(5000))*time.Millisecond)
	case 4: // it ignores its context
		time.Sleep(time.Duration(s.dice.roll(60)) * time.Second)
	case 5:
		return providers.ErrRefused
	}
	return nil
}

// happen makes one random event happen.
func (s *scenario) happen() {
	roll, h := s.dice.roll, s.host
	instance := []string{"A", "B"}[roll(2)]
	switch roll(9) {
	case 0, 1:
		h.saysOf(instance, []keepalived.State{keepalived.Backup, keepalived.Fault}[roll(2)])
	case 2, 3:
		h.saysOf(instance, keepalived.Master)
	case 4:
		h.hearsRivalOf(instance)
	case 5:
		s.manage(roll(7), roll(6), roll(4))
	case 6:
		h.ctl.Resume()
	case 7:
		s.cloud.spoil(s.any(), []error{errDown, providers.ErrNotFound, nil, nil}[roll(4)])
	}
	s.cloud.move(s.any(), []string{there, ""}[roll(2)])
}

func (s *scenario) all() []netip.Addr {
	return append(append(append([]netip.Addr{}, s.alone...), s.parts...), s.elsewhere...)
}

func (s *scenario) any() netip.Addr {
	all := s.all()
	return all[s.dice.roll(len(all))]
}

// ours reports whether addr, or another part of its resource, is ours to write.
func (s *scenario) ours(addr netip.Addr) bool {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	return slices.ContainsFunc(s.all(), func(other netip.Addr) bool {
		is, _ := s.host.desired.Address(other)
		return is.Ours && s.cloud.resource(other) == s.cloud.resource(addr)
	})
}

// At the end every address is here and no slot is still held. Until then, no write takes effect for an address that is not ours.
func TestAfterRandomEventsEveryAddressEndsInPlace(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			s, slots := newScenario(t, seed)
			h := s.host
			defer h.stop()
			s.cloud.landing = func(addr netip.Addr, _ string) {
				if !s.ours(addr) {
					t.Errorf("seed %d: a write of %v took effect although the address is not ours", seed, addr)
				}
			}
			s.cloud.set(s.trouble, func(ctx context.Context, _ netip.Addr, _ string) error { return s.trouble(ctx) })
			for range 80 {
				time.Sleep(time.Duration(s.dice.roll(3e9))) // in nanoseconds, so that no event falls on the instant at which a write lands
				s.happen()
			}
			s.cloud.set(nil, nil)
			for _, addr := range s.all() {
				s.cloud.spoil(addr, nil)
			}
			s.manage(6, 5, 3)
			h.saysOf("A", keepalived.Master)
			h.saysOf("B", keepalived.Master)
			time.Sleep(6 * interval)
			synctest.Wait()
			for _, addr := range s.all() {
				if got := s.cloud.holder(addr); got != here {
					t.Errorf("seed %d: %v is at %q, want %q", seed, addr, got, here)
				}
			}
			s.cloud.count()
			time.Sleep(5 * interval)
			if reads, writes := s.cloud.count(); reads > 6 || writes != 0 {
				t.Errorf("seed %d: %d reads and %d writes in five quiet intervals, want one read each and no write", seed, reads, writes)
			}
			if left := h.leftovers(slots); left != "" {
				t.Errorf("seed %d: left over at the end: %s", seed, left)
			}
		})
	}
}

// A dice is a random source that may be used by many goroutines.
type dice struct {
	mu   sync.Mutex // guards rand
	rand *rand.Rand
}

func newDice(seed uint64) *dice { return &dice{rand: rand.New(rand.NewPCG(seed, 0))} } //nolint:gosec // no secret

// roll returns a number below n.
func (d *dice) roll(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rand.IntN(n)
}
