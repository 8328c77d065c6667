package providers_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"floaty/providers"
	"floaty/providers/providertest"
)

const (
	probeEach = 10 * time.Second

	rejected = `"msg"="the cloud does not accept the credential, so no address can be assigned: configure a valid one; it is tried now and then" ` +
		`"error"="credential not accepted: invalid token" "next"="10s"`
	accepted = `"level"=0 "msg"="the cloud accepts the credential again"`
	changed  = `"level"=0 "msg"="the credential changed: calling the cloud again"`
)

// rejecting returns a Paced whose cloud has just rejected the credential, after one call.
func rejecting(t *testing.T) (c *cloud, p *providers.Paced, said *providertest.Log, resumed *int) {
	c, said, resumed = &cloud{}, &providertest.Log{}, new(int)
	p = providers.NewPaced(c, providers.PacedOptions{
		MaxInterval: probeEach, Log: said.Logger(),
		Resumed: func() { *resumed++; p.Probe() }, // Resumed may call Probe
	})
	c.answers(errWrong)
	wantWait(t, assign(t, p), probeEach, providers.ErrUnauthorized)
	return c, p, said, resumed
}

func TestRejectedCredentialIsProbedOncePerMaxInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, said, resumed := rejecting(t)
		for second := range 35 { // 100 addresses, each tried once per second
			for range 100 {
				err := assign(t, p)
				wantWait(t, err, probeEach-time.Duration(second%10)*time.Second, providers.ErrUnauthorized)
			}
			time.Sleep(time.Second)
		}
		wantCalls(t, c, 1+3)

		c.answers(nil)
		time.Sleep(5 * time.Second)
		_, err := p.Read(t.Context(), addrs)
		wantNoError(t, err)
		wantNoError(t, assign(t, p))
		if *resumed != 1 {
			t.Errorf("got resumed %d times, want once", *resumed)
		}
		said.Want(t, rejected, accepted)
	})
}

func TestNotFoundProvesThatTheCredentialIsAccepted(t *testing.T) {
	for _, declined := range []error{providers.ErrNotFound, providers.ErrRefused} {
		synctest.Test(t, func(t *testing.T) {
			c, p, said, _ := rejecting(t)
			c.answers(declined)
			time.Sleep(probeEach)
			for range 2 {
				wantError(t, assign(t, p), declined)
			}
			said.Want(t, rejected, accepted)
		})
	}
}

func TestOtherFailuresDoNotEndTheProbing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, said, _ := rejecting(t)
		c.answers(errFull)
		time.Sleep(probeEach)
		wantError(t, assign(t, p), errFull)
		wantWait(t, assign(t, p), probeEach, providers.ErrUnauthorized)
		said.Want(t, rejected)
	})
}

func TestChangedCredentialIsTriedImmediately(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, said, resumed := rejecting(t)
		c.answers(nil)
		p.CredentialChanged()
		if *resumed != 1 {
			t.Errorf("got resumed %d times, want once", *resumed)
		}
		for range 3 {
			wantNoError(t, assign(t, p))
		}
		// No call is held back now, so nothing is logged. Still, an address may be waiting because the cloud refused its call.
		p.CredentialChanged()
		if *resumed != 2 {
			t.Errorf("got resumed %d times, want twice", *resumed)
		}
		said.Want(t, rejected, changed)
	})
}

func TestAnswersToTheOldCredentialDoNotCountAgainstTheNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, said := &cloud{}, &providertest.Log{}
		p := providers.NewPaced(c, providers.PacedOptions{MaxInterval: probeEach, Log: said.Logger()})
		answer, told := c.begin(t, p, 1)
		p.CredentialChanged()
		answer <- errWrong
		err := <-told
		var wait *providers.WaitError
		if errors.As(err, &wait) || !errors.Is(err, providers.ErrUnauthorized) {
			t.Errorf("got %v, want %v and no wait", err, providers.ErrUnauthorized)
		}
		c.answers(nil)
		wantNoError(t, assign(t, p))
		said.Want(t)
	})
}

// Rotation may revoke the old token while several calls are in progress. A success of a call sent before the rejection does not end the
// probing.
func TestAnswersToEarlierCallsDoNotEndTheProbing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, said := &cloud{}, &providertest.Log{}
		p := providers.NewPaced(c, providers.PacedOptions{MaxInterval: probeEach, Log: said.Logger()})
		answer, told := c.begin(t, p, 3)
		answer <- errWrong
		wantWait(t, <-told, probeEach, providers.ErrUnauthorized)
		answer <- nil
		wantNoError(t, <-told)
		answer <- errWrong // all calls that are rejected wait for the same probe
		wantWait(t, <-told, probeEach, providers.ErrUnauthorized)
		wantWait(t, assign(t, p), probeEach, providers.ErrUnauthorized)
		said.Want(t, rejected)
	})
}

func TestLateAnswersDoNotRestartTheProbing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, said, _ := rejecting(t)
		answer := c.answersWhen()
		told := make(chan error)
		time.Sleep(probeEach)
		go func() { told <- assign(t, p) }() // this probe hangs
		synctest.Wait()
		time.Sleep(probeEach)
		c.answers(nil)
		wantNoError(t, assign(t, p)) // this one succeeds
		answer <- errWrong
		wantError(t, <-told, providers.ErrUnauthorized)
		wantNoError(t, assign(t, p))
		said.Want(t, rejected, accepted)
	})
}

func TestProbeRequestProbesImmediately(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _, _ := rejecting(t)
		time.Sleep(3 * time.Second)
		for range 5 { // a burst of MASTER lines
			p.Probe()
		}
		wantWait(t, assign(t, p), probeEach, providers.ErrUnauthorized)
		wantCalls(t, c, 2)
		wantWait(t, assign(t, p), probeEach, providers.ErrUnauthorized)
		wantCalls(t, c, 2)
	})
}

func TestProbeRequestSurvivesALateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _, _ := rejecting(t)
		time.Sleep(probeEach)
		answer, told := c.begin(t, p, 1)
		p.Probe()
		answer <- errWrong
		wantError(t, <-told, providers.ErrUnauthorized)
		c.answers(nil)
		wantNoError(t, assign(t, p))
	})
}

func TestProbeRequestIsDroppedWhileTheCredentialIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{}
		p := providers.NewPaced(c, providers.PacedOptions{MaxInterval: probeEach})
		p.Probe()
		wantNoError(t, assign(t, p))
		c.answers(errWrong)
		for range 3 {
			wantWait(t, assign(t, p), probeEach, providers.ErrUnauthorized)
		}
		wantCalls(t, c, 2)
	})
}

func TestHangingOrCancelledProbeDoesNotBlockTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _, _ := rejecting(t)
		c.answersWhen()
		ctx, cancel := context.WithCancel(t.Context())
		told := make(chan error, 2)
		time.Sleep(probeEach)
		for range 2 {
			go func() { told <- p.Assign(ctx, addr, self, nil) }()
			synctest.Wait()
			wantWait(t, assign(t, p), probeEach, providers.ErrUnauthorized)
			time.Sleep(probeEach)
		}
		cancel()
		for range 2 {
			wantError(t, <-told, context.Canceled)
		}
		c.answers(nil)
		wantNoError(t, assign(t, p))
		wantCalls(t, c, 4)
	})
}

func TestLateAnswerToAProbeStartsANewInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _, _ := rejecting(t)
		time.Sleep(probeEach)
		answer, told := c.begin(t, p, 1)
		time.Sleep(3 * probeEach)
		answer <- errWrong
		wantWait(t, <-told, probeEach, providers.ErrUnauthorized)
	})
}

func TestUnauthorizedAddressHoldsBackTheWholeCloud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{holdings: map[netip.Addr]providers.Holding{addr: {Servers: []string{self}}, other: {Err: errWrong}}}
		p := providers.NewPaced(c, providers.PacedOptions{MaxInterval: probeEach})
		_, err := p.Read(t.Context(), addrs)
		wantNoError(t, err)
		wantWait(t, assign(t, p), probeEach, providers.ErrUnauthorized)
	})
}
