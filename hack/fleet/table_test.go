package fleet

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"testing"
	"time"
)

// TestTable measures a fleet of FLOATY_FLEET hosts. It asserts little; the other tests check the behaviour.
func TestTable(t *testing.T) {
	hosts, _ := strconv.Atoi(os.Getenv("FLOATY_FLEET"))
	if hosts < 2 {
		t.Skip("FLOATY_FLEET is not set to a number of hosts")
	}
	hosts += hosts % 2
	t.Run("quiet", func(t *testing.T) { tableQuiet(t, hosts) })
	t.Run("together", func(t *testing.T) { tableTogether(t, hosts) })
	t.Run("zone", func(t *testing.T) { tableZone(t, hosts) })
	t.Run("outage", func(t *testing.T) { tableOutage(t, hosts) })
}

func tableQuiet(t *testing.T, hosts int) {
	simulate(t, plan{hosts: hosts}, func(f *fleet) {
		time.Sleep(2 * interval)
		from := time.Now()
		time.Sleep(15 * interval)
		s := f.calls(from)
		t.Logf("calculated: %.1f calls/s; measured: mean %.1f, p99 %d, most %d", float64(hosts)/interval.Seconds(), s.mean(), s.quantile(0.99), s.most())
	})
}

func tableTogether(t *testing.T, hosts int) {
	simulate(t, plan{hosts: hosts, together: true}, func(f *fleet) {
		from := time.Now()
		time.Sleep(61 * interval)
		s := f.calls(from)
		t.Logf("first second: %d calls; without jitter, every interval would begin like that", s[0].calls())
		for _, k := range []int{1, 2, 3, 5, 10, 20, 30, 40, 60} {
			around := s[k*60-30 : k*60+30]
			t.Logf("after %2d intervals: sigma %4.1f s; calculated: most %3.0f calls/s; measured: %3d", k, sigma(k), peak(hosts, k), around.most())
		}
	})
}

// sigma returns the standard deviation, in seconds, of the times of hosts that started together, k intervals later. Each interval adds a
// uniform jitter of ±10 %, with a standard deviation of 0.1/√3 of the interval.
func sigma(k int) float64 { return 0.1 * interval.Seconds() * math.Sqrt(float64(k)/3) }

// peak returns the calculated number of calls in the busiest second around then: the maximum of the sum of the normal distributions of this
// interval and of its neighbours, which overlap once they are wide.
func peak(hosts, k int) float64 {
	var sum float64
	for n := -5; n <= 5; n++ {
		x := float64(n) * interval.Seconds() / sigma(k)
		sum += math.Exp(-x * x / 2)
	}
	return float64(hosts) * sum / (sigma(k) * math.Sqrt(2*math.Pi))
}

// limits returns the limits with which a failing zone and an outage are measured.
func limits() []limit {
	return []limit{
		{},
		bucket(100, time.Second), bucket(100, 10*time.Second), bucket(20, time.Second), bucket(20, 10*time.Second),
		{calls: 1200, per: time.Minute, window: true},
	}
}

// bucket returns a token bucket with this many calls per second, which holds as many tokens.
func bucket(calls int, retryAfter time.Duration) limit {
	return limit{calls: calls, per: time.Second, retryAfter: retryAfter}
}

func (l limit) String() string {
	switch {
	case l.calls == 0:
		return "no limit"
	case l.window:
		return fmt.Sprintf("%d in each %v", l.calls, l.per)
	}
	return fmt.Sprintf("%d/s, Retry-After %v", l.calls, l.retryAfter)
}

func tableZone(t *testing.T, hosts int) {
	t.Log("limit | spread | most/s | admitted/s | moved: 50 %, 99 %, all (s) | writes | refused | idle | reads | partial reads | refused of all")
	for _, l := range limits() {
		for _, share := range []float64{0, 0.5, 1} {
			if l.calls == 0 && share > 0 {
				continue
			}
			zoneRow(t, plan{hosts: hosts, limit: l, spread: share})
		}
	}
}

func zoneRow(t *testing.T, p plan) {
	simulate(t, p, func(f *fleet) {
		time.Sleep(2 * interval)
		from := time.Now()
		f.failZone()
		if !f.settled(2 * time.Hour) {
			t.Errorf("%v: %d addresses do not point at their MASTER after two hours", p.limit, f.cloud.misplaced())
		}
		busy := f.calls(from)
		time.Sleep(30 * time.Second)
		all, admitted := f.calls(from).sum(), busy.sum().calls()-busy.sum().refused
		t.Logf("%v | %.1f | %d | %.0f | %.0f, %.0f, %.0f | %d | %d | %d | %d | %d | %d %%", p.limit, p.spread, busy.most(),
			float64(admitted)/float64(len(busy)), f.cloud.moved(from, 0.5).Seconds(), f.cloud.moved(from, 0.99).Seconds(),
			f.cloud.moved(from, 1).Seconds(), all.writes, all.refused, all.idle, all.reads, all.partial, 100*all.refused/all.calls())
	})
}

func tableOutage(t *testing.T, hosts int) {
	t.Log("limit | fault | down, minutes 1-2: calls/s, writes/s | minutes 3-5 | most/s | up: seconds 0, 1, 2-9 | minute 1: idle writes, partial reads | minute 3: calls/s")
	for _, l := range limits()[:4] {
		for _, how := range []fault{broken, silent} {
			outageRow(t, plan{hosts: hosts, limit: l}, how)
		}
	}
}

func outageRow(t *testing.T, p plan, how fault) {
	simulate(t, p, func(f *fleet) {
		time.Sleep(2 * interval)
		from := time.Now()
		f.cloud.become(how)
		time.Sleep(5 * time.Minute)
		f.cloud.become(healthy)
		back := time.Now()
		time.Sleep(3 * time.Minute)
		down, up := f.calls(from)[:300], f.calls(back)
		soon, late := down[:120], down[120:]
		first := up[:60].sum()
		t.Logf("%v | %v | %.0f, %.0f | %.0f, %.0f | %d | %d, %d, %.0f | %d, %d | %.1f", p.limit, how,
			soon.mean(), float64(soon.sum().writes)/120, late.mean(), float64(late.sum().writes)/180, down.most(),
			up[0].calls(), up[1].calls(), up[2:10].mean(), first.idle, first.partial, up[120:].mean())
	})
}
