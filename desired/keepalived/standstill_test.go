package keepalived

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr"
)

func TestWhatCountsAsAStandstill(t *testing.T) {
	due := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name    string
		due     time.Time
		now     time.Time
		was, is time.Duration
		want    standstill
		any     bool
	}{
		{"woken early by a line", due, due.Add(-20 * time.Second), 7, 7, standstill{}, false},
		{"woken on time", due, due.Add(time.Millisecond), 7, 7, standstill{late: time.Millisecond}, false},
		{"a busy machine", due, due.Add(time.Second), 7, 7, standstill{late: time.Second}, false},
		{"SIGSTOP", due, due.Add(1001 * time.Millisecond), 7, 7, standstill{late: 1001 * time.Millisecond}, true},
		{"no wake-up planned", time.Time{}, due, 7, 7, standstill{}, false},
		{"a suspended machine", due, due.Add(-time.Second), 7, 7 + time.Hour, standstill{asleep: time.Hour}, true},
		{"clocks read one after the other", due, due, 100, 7, standstill{}, false},
	} {
		got := standstillBetween(c.due, c.now, c.was, c.is)
		if got != c.want || got.matters() != c.any {
			t.Errorf("%s: got %+v, a standstill: %v, want %+v, %v", c.name, got, got.matters(), c.want, c.any)
		}
	}
}

func TestHowLongAMasterIsSuspendedAfterAStandstill(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		inst   Status
		asleep time.Duration
		advert time.Duration
		want   time.Duration // from now; 0: not suspended
	}{
		{"a MASTER for an hour", Status{State: Master, claimed: now.Add(-time.Hour)}, 0, time.Second, 4 * time.Second},
		{"a MASTER from an earlier run", Status{State: Master}, 0, time.Second, 4 * time.Second},
		{"infrequent advertisements", Status{State: Master}, 0, 5 * time.Second, 10 * time.Second},
		{"frequent advertisements", Status{State: Master}, 0, 100 * time.Millisecond, 1300 * time.Millisecond},
		{"a MASTER line just now", Status{State: Master, claimed: now.Add(-2999 * time.Millisecond)}, 0, time.Second, 0},
		{"a MASTER line three intervals ago", Status{State: Master, claimed: now.Add(-3 * time.Second)}, 0, time.Second, 4 * time.Second},
		{"a MASTER line just before the machine was suspended", Status{State: Master, claimed: now}, time.Hour, time.Second, 4 * time.Second},
		{"a suspension that has not ended", Status{State: Master, resumes: now.Add(time.Millisecond)}, 0, time.Second, time.Millisecond},
		{"a suspension that ends now", Status{State: Master, resumes: now}, 0, time.Second, 4 * time.Second},
		{"a BACKUP", Status{State: Backup}, 0, time.Second, 0},
		{"nothing known", Status{}, 0, time.Second, 0},
	} {
		s := states{"A": c.inst}
		s.suspendMasters(now, c.asleep, func(string) time.Duration { return c.advert })
		var got time.Duration
		if at := s["A"].resumes; !at.IsZero() {
			got = at.Sub(now)
		}
		if got != c.want {
			t.Errorf("%s: got suspended for %v, want %v", c.name, got, c.want)
		}
	}
}

// standStill makes the next step find a standstill, by making it more than a second late.
func (env *testEnv) standStill() { env.fence.clock.due = time.Now().Add(-lateFrom - time.Second) }

func TestAStandstillSuspendsAMasterForFourSeconds(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.writer().say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" BACKUP 100`)
	env.step(0)
	env.standStill()
	env.step(3 * time.Second)
	env.wantLast("writer: A MASTER?, B BACKUP")
	env.standStill() // the second one does not extend the suspension
	env.step(3999 * time.Millisecond)
	env.wantLast("writer: A MASTER?, B BACKUP")
	env.step(time.Millisecond)
	env.wantLast("writer: A MASTER, B BACKUP")
	env.wantLogged("stood still", 1)
	if got := env.last().Standstills; got != 2 {
		t.Errorf("got %d standstills, want 2", got)
	}
}

func TestALineEndsTheSuspensionAfterAStandstill(t *testing.T) {
	for line, want := range map[string]string{
		`INSTANCE "A" MASTER 100`:              "writer: A MASTER, B MASTER?",
		`INSTANCE "A" MASTER_RX_LOWER_PRI 100`: "writer: A MASTER, B MASTER?",
		`INSTANCE "A" BACKUP 100`:              "writer: A BACKUP, B MASTER?",
		`INSTANCE "A" BACKUP_PRIORITY 100`:     "writer: A MASTER?, B MASTER?", // it does not show that the instance is still MASTER
		`GROUP "G" FAULT 0`:                    "writer: A FAULT, B FAULT",
	} {
		t.Run(line, func(t *testing.T) {
			env := newEnvWithFIFO(t)
			wr := env.writer()
			wr.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" MASTER 100`)
			env.step(0)
			env.standStill()
			env.step(time.Minute)
			env.wantLast("writer: A MASTER?, B MASTER?")
			wr.say(line)
			env.step(time.Second)
			env.wantLast(want)
		})
	}
}

// Lines that Keepalived wrote during a standstill count at once. The state from before them is not reported again.
func TestABackupDuringAStandstillIsReportedAtOnce(t *testing.T) {
	env := newEnvWithFIFO(t)
	wr := env.writer()
	wr.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	wr.say(`INSTANCE "A" BACKUP 100`)
	env.standStill()
	env.step(time.Minute)
	env.wantLast("writer: A BACKUP")
	if got := len(env.reports()); got != 2 {
		t.Errorf("got %d snapshots, want 2", got)
	}
}

// A reload of Keepalived during the suspension does not shorten it.
func TestAReloadDoesNotEndTheSuspensionAfterAStandstill(t *testing.T) {
	env := newEnvWithFIFO(t)
	k := env.keepalived()
	k.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	env.standStill()
	env.step(time.Minute)
	k.closeFIFO()
	env.step(time.Millisecond)
	env.wantLast("no writer: A MASTER?")
	k.openFIFO()
	env.step(time.Millisecond)
	env.step(settleTime)
	env.wantLast("writer: A MASTER?")
	env.step(4 * time.Second)
	env.wantLast("writer: A MASTER")
}

// A supervisor that found floaty hanging restarts it.
func TestARestartDoesNotEndTheSuspensionAfterAStandstill(t *testing.T) {
	env := newEnvWithState(t)
	k := env.keepalived()
	k.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	env.standStill()
	env.step(time.Minute)
	env.wantLast("writer: A MASTER?")
	env.kill()
	env.restart()
	env.reported = nil
	env.step(time.Second)
	env.step(settleTime)
	env.wantLast("writer: A MASTER?")
	env.wantNever("A", Master)
	env.step(3 * time.Second)
	env.wantLast("writer: A MASTER")
}

func TestASavedSuspensionIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for saved, want := range map[time.Duration]time.Duration{time.Second: time.Second, time.Hour: maxSuspension} { // an hour: the clock was set back
		if got := (savedInstance{Resumes: now.Add(saved)}).resumes(now).Sub(now); got != want {
			t.Errorf("%v: got %v, want %v", saved, got, want)
		}
	}
	for _, over := range []time.Time{{}, now.Add(-time.Second)} {
		if got := (savedInstance{Resumes: over}).resumes(now); !got.IsZero() {
			t.Errorf("%v: got %v, want none", over, got)
		}
	}
}

func TestTheHeartBeatsOnlyForAMaster(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		states  states
		some    bool
		resumes time.Time
	}{
		"nothing heard":        {states{}, false, time.Time{}},
		"BACKUP":               {states{"A": {State: Backup}}, false, time.Time{}},
		"MASTER":               {states{"A": {State: Backup}, "B": {State: Master}}, true, time.Time{}},
		"MASTER, suspended":    {states{"A": {State: Master, resumes: now}}, true, now},
		"MASTER, soon another": {states{"A": {State: Master, resumes: now}, "B": {State: Master, resumes: now.Add(9)}}, true, now},
	} {
		if some, resumes := c.states.anyMaster(), c.states.nextEnd(); some != c.some || !resumes.Equal(c.resumes) {
			t.Errorf("%s: got %v, %v, want %v, %v", name, some, resumes, c.some, c.resumes)
		}
	}
}

func TestAHeartBeatsOncePerSecondUntilItIsTurnedOff(t *testing.T) {
	t.Parallel()
	h, err := newHeart()
	if err != nil {
		t.Fatal(err)
	}
	beats := make(chan time.Time)
	done := make(chan struct{})
	go func() { defer close(done); h.run(func() { beats <- time.Now() }) }()
	begun := time.Now()
	if !h.set(true) || h.set(true) {
		t.Error("got a change from both calls or from none, want it from the first only")
	}
	for n := range 2 {
		if got, want := (<-beats).Sub(begun), time.Duration(n+1)*beatEvery; got < want {
			t.Errorf("beat %d: got it after %v, want it after at least %v", n, got, want)
		}
	}
	h.set(false)
	h.close()
	<-done
}

// If floaty is stopped in the middle of a pass, the suspension begins when floaty continues, not when the pass began.
func TestAStandstillDuringAPassSuspendsFromItsEnd(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.writer().say(`INSTANCE "A" MASTER 100`)
	env.step(-time.Hour)
	env.standStill()
	env.step(time.Hour - time.Minute)
	if got := time.Until(env.trust.states["A"].resumes); got < 2*time.Second {
		t.Errorf("got suspended for %v from now on, want 4 s", got)
	}
}

func TestSettleOfAHolderSuspendsAfterAStandstill(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	lost := errors.New("no longer ours")
	var h *Holder
	h = NewHolder(Event{Type: "GROUP", Name: "G", State: "MASTER"}, []string{"A", "B"}, HolderOptions{
		AdvertInterval: func(string) time.Duration { return time.Nanosecond }, // so that the MASTER event counts as old
		Changed: func() {
			if h.Instances()["A"].Suspended && h.Instances()["B"].Suspended {
				cancel(lost)
			}
		},
		Log: logr.Discard(),
	})
	if err := h.Settle(ctx); err != nil {
		t.Errorf("before: got %v, want nil", err)
	}
	h.mu.Lock()
	h.clock.due = time.Now().Add(-time.Minute)
	h.mu.Unlock()
	if err := h.Settle(ctx); !errors.Is(err, lost) {
		t.Errorf("after: got %v, want %v", err, lost)
	}
	h.update(time.Now().Add(lateFrom + time.Millisecond))
	if got := h.Instances()["A"]; got.Suspended || got.State != Master {
		t.Errorf("after the suspension: got %+v, want it MASTER and not suspended", got)
	}
}

// Several requests reach the fence at once after a standstill. None of them may go on before the suspension has been acted on.
func TestSettleOfAHolderWaitsUntilAStandstillIsActedOn(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	lost := errors.New("no longer ours")
	second := make(chan error, 1)
	var h *Holder
	h = NewHolder(Event{Type: "INSTANCE", Name: "A", State: "MASTER"}, nil, HolderOptions{
		AdvertInterval: func(string) time.Duration { return time.Nanosecond }, // so that the MASTER event counts as old
		Changed: func() {
			go func() { second <- h.Settle(ctx) }()
			select {
			case err := <-second:
				second <- err
			case <-time.After(100 * time.Millisecond): // it waits
			}
			cancel(lost)
		},
		Log: logr.Discard(),
	})
	h.mu.Lock()
	h.clock.due = time.Now().Add(-time.Minute)
	h.mu.Unlock()
	for name, err := range map[string]error{"the first call": h.Settle(ctx), "the second call": <-second} {
		if !errors.Is(err, lost) {
			t.Errorf("%s: got %v, want %v", name, err, lost)
		}
	}
}
