package fleet

import (
	"testing"
	"time"
)

// few is the size of a fleet that is small enough for every test run.
const few = 40

func TestAQuietFleetMakesOneReadPerHostAndInterval(t *testing.T) {
	simulate(t, plan{hosts: few}, func(f *fleet) {
		time.Sleep(2 * interval)
		from := time.Now()
		time.Sleep(25 * interval)
		got := f.calls(from).sum()
		if want := 25 * few; got.reads < want*95/100 || got.reads > want*105/100 {
			t.Errorf("%d reads in 25 intervals of %d hosts, want about %d", got.reads, few, want)
		}
		if got.writes != 0 || got.partial != 0 {
			t.Errorf("%d writes and %d partial reads while nothing happens, want none", got.writes, got.partial)
		}
	})
}

func TestHostsThatStartTogetherSpreadOutOverTime(t *testing.T) {
	simulate(t, plan{hosts: few, together: true}, func(f *fleet) {
		from := time.Now()
		time.Sleep(41 * interval)
		s := f.calls(from)
		if got := s[0].calls(); got != few {
			t.Errorf("%d calls in the first second, want one of each of the %d hosts", got, few)
		}
		if got := s[40*60-30 : 40*60+30].most(); got > few/4 {
			t.Errorf("%d calls in a second after 40 intervals, want at most %d", got, few/4)
		}
	})
}

func TestAFailedZoneIsTakenOverWithOneWritePerAddress(t *testing.T) {
	simulate(t, plan{hosts: few}, func(f *fleet) {
		time.Sleep(2 * interval)
		from := time.Now()
		f.failZone()
		time.Sleep(10*time.Second + interval/2)
		f.isSettled(0)
		got := f.calls(from).sum()
		if want := perHost * f.alive(); got.writes != want {
			t.Errorf("%d writes, want %d", got.writes, want)
		}
		if last := f.cloud.moved(from, 1); last > 4*time.Second {
			t.Errorf("the last address moved after %v, want at most 4 s: 3.6 s of VRRP and a trip", last)
		}
		if got.partial > 4*f.alive() { // three verifying reads, which all addresses of a host share unless their writes are acknowledged far apart
			t.Errorf("%d partial reads by %d hosts, want about three each", got.partial, f.alive())
		}
	})
}

// A limit makes a takeover slow. Even so, no host calls before the end of its wait, and none writes an address that is in place.
func TestAFailedZoneIsTakenOverUnderALimit(t *testing.T) {
	for _, l := range []limit{
		bucket(5, time.Second), bucket(5, 10*time.Second), {calls: 100, per: 20 * time.Second, window: true},
	} {
		t.Run(l.String(), func(t *testing.T) {
			simulate(t, plan{hosts: few, limit: l}, func(f *fleet) {
				time.Sleep(2 * interval)
				from := time.Now()
				f.failZone()
				f.isSettled(20 * time.Minute)
				got, want := f.calls(from).sum(), perHost*f.alive()
				if got.idle != 0 {
					t.Errorf("%d writes of addresses in place, want none", got.idle)
				}
				rounds := 2 + int(time.Since(from)/max(l.retryAfter, time.Second))
				if got.writes < want || got.writes > want*rounds {
					t.Errorf("%d writes, want %d to %d: each address at most once per wait", got.writes, want, want*rounds)
				}
			})
		})
	}
}

func TestAfterAnOutageTheFleetIsQuietAgain(t *testing.T) {
	const hosts = few / 2
	for _, how := range []fault{broken, silent} {
		t.Run(how.String(), func(t *testing.T) {
			simulate(t, plan{hosts: hosts}, func(f *fleet) {
				time.Sleep(2 * interval)
				from := time.Now()
				f.cloud.become(how)
				time.Sleep(5 * time.Minute)
				// One read and a write of each address are tried every 10 s, less a jitter of up to 20 %.
				if got, most := f.calls(from)[180:].mean(), float64(hosts*(1+perHost))/8; got > most {
					t.Errorf("%.0f calls per second while nothing works, want at most %.0f", got, most)
				}
				f.cloud.become(healthy)
				time.Sleep(interval)
				from = time.Now()
				time.Sleep(2 * interval)
				f.isSettled(0)
				if got := f.calls(from).sum(); got.writes+got.partial != 0 || got.reads > 3*hosts {
					t.Errorf("%+v in the second and third minute, want only reads, two per host", got)
				}
			})
		})
	}
}

func (f *fleet) isSettled(within time.Duration) {
	f.t.Helper()
	if f.settled(within); f.cloud.misplaced() != 0 {
		f.t.Errorf("%d addresses do not point at their MASTER, want none", f.cloud.misplaced())
	}
}
