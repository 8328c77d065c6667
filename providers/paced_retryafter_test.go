package providers_test

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"floaty/providers"
	"floaty/providers/providertest"
)

func full(wait time.Duration) error { return &providers.WaitError{Wait: wait, Err: errFull} }

func TestRetryAfterHoldsBackEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, said := &cloud{}, &providertest.Log{}
		p := providers.NewPaced(c, providers.PacedOptions{MaxInterval: probeEach, Log: said.Logger()})
		c.answers(full(30 * time.Second))
		wantWait(t, assign(t, p), 30*time.Second, errFull)
		c.answers(nil)

		time.Sleep(10 * time.Second)
		wantWait(t, assign(t, p), 20*time.Second, errFull)
		_, err := p.Read(t.Context(), addrs)
		wantWait(t, err, 20*time.Second, errFull)
		p.Probe() // has no effect here
		p.CredentialChanged()
		wantWait(t, assign(t, p), 20*time.Second, errFull)
		wantCalls(t, c, 1)
		if _, err := p.Server(t.Context()); err != nil || c.servers != 1 {
			t.Errorf("got %v and %d requests for the server, want one that is not held back", err, c.servers)
		}

		time.Sleep(20 * time.Second)
		wantNoError(t, assign(t, p))
		wantCalls(t, c, 2)
		said.Want(t,
			`"msg"="the cloud asks to wait: no call is made until then, not even for a takeover" "error"="503 Service Unavailable" "next"="30s"`,
			`"level"=0 "msg"="the cloud takes calls again"`)
	})
}

func TestLatestRetryAfterCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, said := &cloud{}, &providertest.Log{}
		p := providers.NewPaced(c, providers.PacedOptions{MaxInterval: probeEach, Log: said.Logger()})
		answer, told := c.begin(t, p, 3)

		answer <- full(20 * time.Second)
		wantWait(t, <-told, 20*time.Second, errFull)
		answer <- full(5 * time.Second)
		wantWait(t, <-told, 20*time.Second, errFull)
		answer <- full(40 * time.Second)
		wantWait(t, <-told, 40*time.Second, errFull)
		wantWait(t, assign(t, p), 40*time.Second, errFull)
		said.Want(t, `"msg"="the cloud asks to wait: no call is made until then, not even for a takeover" "error"="503 Service Unavailable" "next"="20s"`)
	})
}

func TestRetryAfterIsCappedAtFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{}
		p := providers.NewPaced(c, providers.PacedOptions{MaxInterval: probeEach})
		c.answers(full(24 * time.Hour))
		wantWait(t, assign(t, p), 5*time.Minute, errFull)
		time.Sleep(5 * time.Minute)
		c.answers(nil)
		wantNoError(t, assign(t, p))
	})
}

func TestAnswersToEarlierCallsDoNotEndRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, said := &cloud{}, &providertest.Log{}
		p := providers.NewPaced(c, providers.PacedOptions{MaxInterval: probeEach, Log: said.Logger()})
		answer, told := c.begin(t, p, 2)
		answer <- full(time.Minute)
		wantWait(t, <-told, time.Minute, errFull)
		answer <- nil
		wantNoError(t, <-told)
		wantWait(t, assign(t, p), time.Minute, errFull)
		said.Want(t, `"msg"="the cloud asks to wait: no call is made until then, not even for a takeover" "error"="503 Service Unavailable" "next"="1m0s"`)
	})
}

func TestRepeatedRetryAfterIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, said := &cloud{}, &providertest.Log{}
		p := providers.NewPaced(c, providers.PacedOptions{MaxInterval: probeEach, Log: said.Logger()})
		c.answers(full(10 * time.Second))
		for range 5 {
			_ = assign(t, p)
			time.Sleep(10 * time.Second)
		}
		c.answers(errFull) // a response that neither asks to wait nor succeeds
		_ = assign(t, p)
		c.answers(nil)
		for range 2 {
			wantNoError(t, assign(t, p))
		}
		said.Want(t,
			`"msg"="the cloud asks to wait: no call is made until then, not even for a takeover" "error"="503 Service Unavailable" "next"="10s"`,
			`"level"=0 "msg"="the cloud takes calls again"`)
	})
}

// A read at Exoscale takes several calls; one of them may get a Retry-After while others succeed.
func TestRetryAfterOfOneAddressHoldsBackTheWholeCloud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{holdings: map[netip.Addr]providers.Holding{
			addr: {Servers: []string{self}}, other: {Err: full(time.Minute)},
		}}
		p := providers.NewPaced(c, providers.PacedOptions{MaxInterval: probeEach})
		got, err := p.Read(t.Context(), addrs)
		wantNoError(t, err)
		if !got[addr].At(self) || !errors.Is(got[other].Err, errFull) {
			t.Errorf("got %+v, want both readings, with the error for %v", got, other)
		}
		wantWait(t, assign(t, p), time.Minute, errFull)
	})
}

func TestReplacementInheritsRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, said := &cloud{}, &providertest.Log{}
		old := providers.NewPaced(c, providers.PacedOptions{MaxInterval: probeEach, Log: said.Logger()})
		c.answers(full(30 * time.Second))
		wantWait(t, assign(t, old), 30*time.Second, errFull)
		p := providers.NewPaced(c, providers.PacedOptions{MaxInterval: probeEach, Log: said.Logger()})
		p.Inherit(old)
		wantWait(t, assign(t, p), 30*time.Second, errFull)
		wantCalls(t, c, 1)
		time.Sleep(30 * time.Second)
		c.answers(nil)
		wantNoError(t, assign(t, p))
		said.Want(t,
			`"msg"="the cloud asks to wait: no call is made until then, not even for a takeover" "error"="503 Service Unavailable" "next"="30s"`,
			`"level"=0 "msg"="the cloud takes calls again"`)
	})
}

func TestLongRetryAfterIsLoggedAtGrowingIntervals(t *testing.T) {
	for name, failure := range map[string]error{"Retry-After": full(10 * time.Second), "401": providers.ErrUnauthorized} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, said := &cloud{}, &providertest.Log{}
				p := providers.NewPaced(c, providers.PacedOptions{MaxInterval: probeEach, Log: said.Logger()})
				c.answers(failure)
				for range 72 * 60 {
					_ = assign(t, p)
					time.Sleep(time.Minute)
				}
				if n := len(said.Lines("")); n < 70 || n > 80 {
					t.Errorf("%d lines in three days, want a first one, a few more, then one per hour", n)
				}
			})
		})
	}
}

func TestLongestRetryAfterOfAReadCounts(t *testing.T) {
	for range 20 { // the order of the holdings is random
		synctest.Test(t, func(t *testing.T) {
			c := &cloud{holdings: map[netip.Addr]providers.Holding{addr: {Err: full(time.Second)}, other: {Err: full(time.Minute)}}}
			p := providers.NewPaced(c, providers.PacedOptions{MaxInterval: probeEach})
			if _, err := p.Read(t.Context(), addrs); err != nil {
				t.Fatal(err)
			}
			wantWait(t, assign(t, p), time.Minute, errFull)
		})
	}
}
