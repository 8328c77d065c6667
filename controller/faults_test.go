package controller

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"floaty/desired"
	"floaty/desired/keepalived"
	"floaty/observed"
	"floaty/providers"
)

var errDown = errors.New("the cloud is down")

func TestAHangingWriteDelaysNoOtherAddress(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		c.set(nil, func(ctx context.Context, addr netip.Addr, _ string) error {
			if addr == one {
				return hang(ctx)
			}
			return nil
		})
		h.says(keepalived.Master)
		time.Sleep(trip / 2)
		synctest.Wait()
		h.holds(two)
		c.set(nil, nil)
		time.Sleep(12 * time.Second) // the deadline of an attempt plus a back-off
		h.holds(one)
	})
}

func TestAFailingWriteBacksOffAndRecovers(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		c.set(nil, func(context.Context, netip.Addr, string) error { return errDown })
		h.says(keepalived.Master)
		time.Sleep(10 * time.Minute)
		_, writes := c.count()
		if writes < 2*60 || writes > 2*90 { // 1 s growing to 10 s, two addresses
			t.Errorf("%d writes in ten minutes, want about 2 × 70", writes)
		}
		if lines := h.lines("assigning the address failed"); len(lines) < 4 || len(lines) > 10 {
			t.Errorf("%d lines in ten minutes, want a first line and reminders for each of two addresses: %q", len(lines), lines)
		}
		c.set(nil, nil)
		time.Sleep(12 * time.Second)
		h.holds(one)
		h.holds(two)
	})
}

func TestAFailedWriteIsLoggedWithTheTimeOfTheNextTry(t *testing.T) {
	for message, failure := range map[string]error{
		"assigning the address failed":      errDown,
		"assigning the address was refused": fmt.Errorf("assigning: %w", providers.ErrRefused),
	} {
		story(t, func(t *testing.T, c *cloud, h *host) {
			c.set(nil, func(_ context.Context, addr netip.Addr, _ string) error {
				if addr == one {
					return failure
				}
				return nil
			})
			h.says(keepalived.Master)
			synctest.Wait()
			lines := h.lines(message)
			if len(lines) != 1 {
				t.Fatalf("got %d lines %q, want one", len(lines), message)
			}
			_, text, _ := strings.Cut(lines[0], `"next"="`)
			text, _, _ = strings.Cut(text, `"`)
			next, err := time.ParseDuration(text)
			if err != nil {
				t.Fatalf("%s: %v", lines[0], err)
			}
			c.count()
			time.Sleep(next - time.Millisecond)
			h.wrote("0")
			time.Sleep(2 * trip) // a refresh may come first
			h.wrote("1")
		})
	}
}

func TestAfterARefusalAWriteIsRetriedOncePerInterval(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		c.set(nil, func(_ context.Context, addr netip.Addr, _ string) error {
			if addr == one {
				return fmt.Errorf("assigning: %w", providers.ErrRefused)
			}
			return nil
		})
		h.says(keepalived.Master)
		time.Sleep(10 * interval)
		h.holds(two)
		h.wrote("9..14") // once two, about ten times one
	})
}

func TestRetryAfterIsNotCutShort(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		c.set(nil, func(context.Context, netip.Addr, string) error {
			return &providers.WaitError{Wait: 4 * time.Minute, Err: errDown}
		})
		h.says(keepalived.Master)
		time.Sleep(3*time.Minute + 59*time.Second) // with refreshes in between
		h.wrote("2")
		c.set(nil, nil)
		time.Sleep(3 * time.Second)
		h.holds(one)
		h.holds(two)
	})
}

func TestResumeEndsTheWait(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		c.set(nil, func(context.Context, netip.Addr, string) error {
			return &providers.WaitError{Wait: 4 * time.Minute, Err: errDown}
		})
		h.says(keepalived.Master)
		time.Sleep(time.Second)
		c.set(nil, nil)
		h.ctl.Resume()
		time.Sleep(trip)
		h.holds(one)
		h.holds(two)
	})
}

func TestMasterTriesAtOnceDuringABackOff(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		c.set(nil, func(context.Context, netip.Addr, string) error { return providers.ErrRefused })
		h.says(keepalived.Master)
		time.Sleep(5 * time.Second)
		c.set(nil, nil)
		h.says(keepalived.Master)
		time.Sleep(trip / 2)
		synctest.Wait()
		h.holds(one)
	})
}

func TestAddressesAreWrittenWhileReadsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(one, two)
		c.set(func(context.Context) error { return errDown }, nil)
		h := newHost(t, c, here, c, one, two)
		defer h.stop()
		time.Sleep(time.Second)
		h.says(keepalived.Master)
		time.Sleep(trip)
		h.holds(one)
		c.move(one, there)
		time.Sleep(2 * interval)
		h.holds(one)
		h.wrote("4..6") // two addresses: each once for the takeover, then once per interval
		if lines := h.lines("reading the cloud failed"); len(lines) != 2 {
			t.Errorf("%d lines, want the first line and a reminder: %q", len(lines), lines)
		}
	})
}

func TestAShortFailureOfReadsCausesNoWrite(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		h.says(keepalived.Master)
		time.Sleep(interval)
		c.count()
		c.set(func(context.Context) error { return errDown }, nil)
		time.Sleep(interval + 5*time.Second)
		c.set(nil, nil)
		time.Sleep(time.Hour)
		h.wrote("0")
	})
}

func TestAnAddressThatTheCloudDoesNotHaveIsLoggedAndDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(two)
		h := newHost(t, c, here, c, one, two)
		defer h.stop()
		time.Sleep(time.Second)
		h.says(keepalived.Master)
		time.Sleep(trip)
		h.holds(two)
		time.Sleep(30 * time.Second)
		if lines := h.lines(`"198.51.100.1"`); len(lines) != 1 {
			t.Errorf("got %q, want one line that names the address", lines)
		}
		c.move(one, there) // it has been created since
		time.Sleep(2 * interval)
		h.holds(one)
	})
}

func TestATakeoverSucceedsThoughTheCloudWasDownAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(one, two)
		c.set(func(context.Context) error { return errDown }, func(context.Context, netip.Addr, string) error { return errDown })
		h := newHost(t, c, here, c, one, two)
		defer h.stop()
		h.says(keepalived.Master)
		time.Sleep(15 * time.Second)
		c.set(nil, nil)
		time.Sleep(4 * time.Second)
		h.holds(one)
		h.holds(two)
	})
}

// At Exoscale, each address has its own list of holders, which may fail to be read while the others succeed.
func TestAnAddressWhoseReadingFailsBacksOff(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		h.says(keepalived.Master)
		time.Sleep(interval)
		c.count()
		before := len(h.lines(""))
		c.spoil(one, errDown)
		time.Sleep(10 * interval)
		if reads, writes := c.count(); reads < 40 || reads > 100 || writes < 8 || writes > 12 {
			t.Errorf("%d reads and %d writes in ten minutes, want one read per 10 s and one write per interval", reads, writes)
		}
		if lines := h.lines("")[before:]; len(lines) < 2 || len(lines) > 5 {
			t.Errorf("%d lines in ten minutes, want a first line and reminders: %q", len(lines), lines)
		}
		c.spoil(one, nil)
		c.move(one, there)
		time.Sleep(13 * time.Second)
		h.holds(one)
		if lines := h.lines("can be read again"); len(lines) != 1 {
			t.Errorf("got %q, want one line at the end", lines)
		}
	})
}

func TestATakeoverDoesNotWaitForAReadingThatFails(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		c.spoil(one, errDown)
		time.Sleep(2 * interval)
		h.says(keepalived.Master)
		time.Sleep(trip / 2)
		synctest.Wait()
		h.holds(one)
	})
}

func TestAStandbysUnreadableAddressWaitsForTheRefresh(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		c.spoil(one, errDown)
		time.Sleep(10 * interval)
		if reads, writes := c.count(); reads < 9 || reads > 12 || writes != 0 {
			t.Errorf("%d reads and %d writes in ten intervals, want one read each and no write", reads, writes)
		}
		c.spoil(one, nil)
		time.Sleep(2 * interval)
		if lines := h.lines(one.String()); len(lines) < 2 || len(lines) > 6 {
			t.Errorf("got %q, want a first line, reminders and one at the end", lines)
		}
	})
}

// A call that was refused may succeed with another credential.
func TestResumeEndsTheWaitOfARefusal(t *testing.T) {
	for name, refuse := range map[string]func(c *cloud, err error){
		"a write":   func(c *cloud, err error) { c.set(nil, func(context.Context, netip.Addr, string) error { return err }) },
		"a reading": func(c *cloud, err error) { c.spoil(one, err); c.spoil(two, err) },
		"a read":    func(c *cloud, err error) { c.set(func(context.Context) error { return err }, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, c *cloud, h *host) {
				refuse(c, fmt.Errorf("403: %w", providers.ErrRefused))
				time.Sleep(2*interval + interval/2) // a standby is refused too; no refresh is due soon
				h.says(keepalived.Master)
				time.Sleep(time.Second)
				refuse(c, nil)
				c.move(one, there)
				c.move(two, there)
				c.count()
				h.ctl.Resume()
				time.Sleep(2 * trip)
				h.holds(one)
				h.holds(two)
				if reads, writes := c.count(); reads > 1 || writes != 2 {
					t.Errorf("%d reads and %d writes, want one read at most and a write each", reads, writes)
				}
			})
		})
	}
}

// The last address is removed while a retry of the refresh is due. A busy loop would never let the hour of fake time pass.
func TestWithoutAddressesNoCallIsMade(t *testing.T) {
	story(t, func(t *testing.T, c *cloud, h *host) {
		c.set(func(context.Context) error { return errDown }, nil)
		time.Sleep(2 * interval)
		h.apply(h.desired.SetSettings(desired.Settings{}))
		time.Sleep(interval)
		c.count()
		time.Sleep(time.Hour)
		if reads, writes := c.count(); reads+writes != 0 {
			t.Errorf("%d reads and %d writes in an hour without an address, want none", reads, writes)
		}
		c.set(nil, nil)
		h.says(keepalived.Master)
		h.apply(h.desired.SetSettings(desired.Settings{Instances: map[string][]netip.Addr{"VI": {one}}}))
		time.Sleep(4 * trip)
		h.holds(one)
	})
}

func TestAnUnreadableAddressWaitsUntilItMayBeReadAgain(t *testing.T) {
	story(t, func(t *testing.T, _ *cloud, h *host) {
		st, now := &status{readings: readings{again: time.Now().Add(5 * time.Second)}}, time.Now()
		want, _ := h.desired.Address(one)
		h.ctl.pace.Reserve(one, false)
		seen := observed.Reading{Holding: providers.Holding{Err: errDown}}
		if _, wait, w := h.ctl.assignBlind(one, st, want, seen, now); wait != 5*time.Second || w != nil {
			t.Errorf("got a wait of %v and the write %v, want 5 s and none", wait, w)
		}
		st.readings.again = time.Time{}
		if _, wait, _ := h.ctl.assignBlind(one, st, want, seen, now); wait != minRest {
			t.Errorf("got a wait of %v, want %v", wait, minRest)
		}
	})
}

// A write with the old credential may be refused after Resume. That must not delay a write with the new credential.
func TestResumeDuringAWriteEndsTheWaitThatFollows(t *testing.T) {
	for name, fault := range map[string]error{
		"refused":       fmt.Errorf("403: %w", providers.ErrRefused),
		"not accepted":  fmt.Errorf("401: %w", providers.ErrUnauthorized),
		"asked to wait": &providers.WaitError{Wait: 10 * time.Second, Err: errDown},
		"not available": errDown,
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(_ *testing.T, c *cloud, h *host) {
				c.set(nil, func(ctx context.Context, _ netip.Addr, _ string) error { return errors.Join(pass(ctx, trip), fault) })
				h.says(keepalived.Master)
				time.Sleep(trip / 2)
				c.set(nil, nil)
				h.ctl.Resume()
				time.Sleep(2 * trip)
				h.holds(one)
				h.holds(two)
			})
		})
	}
}

// Single failures, far apart, do not add up to max-elapsed-time: each time, the reading is retried after a back-off, not with the next
// refresh.
func TestAReadingThatFailsNowAndThenBacksOff(t *testing.T) {
	story(t, func(_ *testing.T, c *cloud, h *host) {
		h.stop()
		h.build(c)
		h.ctl.opts.BackOff.MaxElapsed = 30 * time.Second
		h.start()
		defer h.stop()
		c.spoil(one, errDown)
		time.Sleep(interval * 11 / 10)
		c.spoil(one, nil)
		time.Sleep(interval * 11 / 10)
		h.says(keepalived.Master)
		time.Sleep(15 * time.Second)
		c.spoil(one, errDown)
		time.Sleep(15*time.Second + 3*trip) // until the verification after 30 s
		c.spoil(one, nil)
		c.move(one, there)
		time.Sleep(1200*time.Millisecond + 3*trip) // a back-off
		h.holds(one)
	})
}
