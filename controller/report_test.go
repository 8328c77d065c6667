package controller

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"floaty/desired/keepalived"
	"floaty/observed"
	"floaty/providers"
)

// A memo is a Recorder that keeps all that is reported to it.
type memo struct {
	mu        sync.Mutex // guards all below
	assigned  []string
	takeovers []Takeover
	contested []bool
}

func (m *memo) Reconciled(string) {}

func (m *memo) Assigned(addr netip.Addr, from []string, to string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	result := "ok"
	if err != nil {
		result = err.Error()
	}
	m.assigned = append(m.assigned, addr.String()+" "+slices.Concat(from, []string{""})[0]+" "+to+" "+result)
}

func (m *memo) TookOver(t Takeover) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.takeovers = append(m.takeovers, t)
}

func (m *memo) Contested(_ netip.Addr, _ string, contested bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.contested = append(m.contested, contested)
}

// recorded runs a test as story does, and passes it the host's Recorder too.
func recorded(t *testing.T, tell func(t *testing.T, c *cloud, h *host, m *memo)) {
	t.Helper()
	story(t, func(t *testing.T, c *cloud, h *host) {
		tell(t, c, h, h.memo)
	})
}

func TestATakeoverIsRecordedOnceWithItsTimes(t *testing.T) {
	recorded(t, func(t *testing.T, c *cloud, h *host, m *memo) {
		c.move(two, here)
		time.Sleep(2 * interval)
		said := time.Now()
		h.says(keepalived.Master)
		time.Sleep(5 * interval)
		m.mu.Lock()
		defer m.mu.Unlock()
		want := Takeover{Address: one, Claimed: said, FirstWrite: said, Acknowledged: said.Add(trip)}
		if len(m.takeovers) != 1 {
			t.Fatalf("got %v, want one takeover, and none of %v, which was in place", m.takeovers, two)
		}
		got := m.takeovers[0]
		if got.Address != one || !got.Claimed.Equal(want.Claimed) || !got.FirstWrite.Equal(want.FirstWrite) || !got.Acknowledged.Equal(want.Acknowledged) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if late := got.Verified.Sub(said); late < 2*trip || late > 2*time.Second {
			t.Errorf("verified after %v, want it by a reading after the write, within 2 s", late)
		}
		if want := []string{one.String() + " " + there + " " + here + " ok"}; !slices.Equal(m.assigned, want) {
			t.Errorf("assigned: got %q, want %q", m.assigned, want)
		}
	})
}

// While a single address cannot be read or no longer exists, its last reading is still shown and its age grows, which triggers an alert.
func TestAnAddressThatCannotBeReadIsNotVerified(t *testing.T) {
	for _, err := range []error{errDown, providers.ErrNotFound} {
		t.Run(err.Error(), func(t *testing.T) { cannotBeRead(t, err) })
	}
}

func cannotBeRead(t *testing.T, err error) {
	t.Helper()
	story(t, func(t *testing.T, c *cloud, h *host) {
		h.says(keepalived.Master)
		time.Sleep(2 * interval)
		spoilt := time.Now()
		c.spoil(one, err)
		time.Sleep(10 * interval)
		all := h.ctl.Statuses()
		if got := all[0]; got.InPlace || got.Err == "" || got.Verified.After(spoilt) || got.Verified.IsZero() || !slices.Equal(got.Targets, []string{here}) {
			t.Errorf("got %+v, want the reading from before %v, and an error", got, spoilt)
		}
		if got := all[1]; !got.InPlace || time.Since(got.Verified) > interval*12/10 {
			t.Errorf("got %+v, want it in place and verified within an interval", got)
		}
		c.spoil(one, nil)
		time.Sleep(3 * interval)
		if got := h.ctl.Statuses()[0]; !got.InPlace || got.Err != "" || time.Since(got.Verified) > interval*12/10 {
			t.Errorf("got %+v, want it in place and verified within an interval", got)
		}
	})
}

func TestStatusesDescribeEachAddress(t *testing.T) {
	recorded(t, func(t *testing.T, c *cloud, h *host, m *memo) {
		check := func(when string, want Status) {
			t.Helper()
			synctest.Wait()
			all := h.ctl.Statuses()
			if len(all) != 2 || all[0].Addr != one || all[1].Addr != two {
				t.Fatalf("%s: got %+v, want %v and %v", when, all, one, two)
			}
			got := all[0]
			if age := time.Since(got.Verified); age > interval*12/10 && !c.spoilt(one) {
				t.Errorf("%s: verified %v ago, want it within an interval", when, age)
			}
			if next := time.Until(got.Next); next <= 0 || next > interval*11/10 {
				t.Errorf("%s: next in %v, want it within an interval", when, next)
			}
			got.Verified, got.Next, got.Since = time.Time{}, time.Time{}, time.Time{}
			if got.Desired != want.Desired || got.InPlace != want.InPlace || got.Contested != want.Contested || got.Rival != want.Rival ||
				got.Err != want.Err || !slices.Equal(got.Targets, want.Targets) {
				t.Errorf("%s:\ngot  %+v\nwant %+v", when, got, want)
			}
		}
		since := h.ctl.Statuses()[0].Since
		time.Sleep(3 * interval)
		if got := h.ctl.Statuses()[0].Since; !got.Equal(since) || since.IsZero() {
			t.Errorf("at the same server since %v, later since %v, want one time", since, got)
		}
		check("standby", Status{Targets: []string{there}})
		h.says(keepalived.Master)
		time.Sleep(5 * time.Second)
		check("master", Status{Desired: true, InPlace: true, Targets: []string{here}})
		c.set(nil, func(context.Context, netip.Addr, string) error { return errDown })
		c.move(one, there)
		h.hearsRival()
		time.Sleep(time.Second)
		check("failing", Status{Desired: true, Targets: []string{there}, Err: errDown.Error()})
		if next := time.Until(h.ctl.Statuses()[0].Next); next > 2*time.Second {
			t.Errorf("next in %v, want it within the back-off", next)
		}
		c.set(nil, nil)
		time.Sleep(interval)
		check("recovered", Status{Desired: true, InPlace: true, Targets: []string{here}})
		c.spoil(one, errDown)
		time.Sleep(interval * 11 / 10)
		check("unreadable", Status{Desired: true, Targets: []string{here}, Err: errDown.Error()}) // where the last reading showed it
		c.spoil(one, nil)
		stop := c.thief(t, one, there)
		time.Sleep(5 * interval)
		check("contested", Status{Desired: true, Contested: true, Rival: there, Targets: []string{there}})
		stop()
		time.Sleep(4 * interval)
		check("no longer", Status{Desired: true, InPlace: true, Targets: []string{here}})
		m.mu.Lock()
		defer m.mu.Unlock()
		if want := []bool{true, false}; !slices.Equal(m.contested, want) {
			t.Errorf("contested: got %v, want %v", m.contested, want)
		}
	})
}

// A figure is a metric that keeps its value in memory; of an observation, only the count.
type figure struct {
	mu    sync.Mutex
	value float64
}

func (f *figure) Inc()              { f.add(1) }
func (f *figure) Dec()              { f.add(-1) }
func (f *figure) Observe(_ float64) { f.add(1) }
func (f *figure) Set(v float64)     { f.mu.Lock(); defer f.mu.Unlock(); f.value = v }

func (f *figure) add(v float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.value += v
}

func TestTheQueueReportsItsMetrics(t *testing.T) {
	var depth, adds, latency, work, unfinished, longest, retries figure
	queue := newQueue(newPace(observed.BackOff{}, interval), &QueueMetrics{&depth, &adds, &latency, &work, &unfinished, &longest, &retries})
	defer queue.ShutDown()
	queue.Add(one)
	queue.Add(two)
	queue.AddAfter(one, time.Hour)
	addr, _ := queue.Get()
	queue.Done(addr)
	for what, is := range map[string]struct {
		got  *figure
		want float64
	}{
		"depth": {&depth, 1}, "adds": {&adds, 2}, "latencies": {&latency, 1}, "work durations": {&work, 1}, "retries": {&retries, 1},
	} {
		if is.got.value != is.want {
			t.Errorf("%s: got %v, want %v", what, is.got.value, is.want)
		}
	}
}

// A number implements every kind of queue metric. It counts how often it is set.
type number struct{ sets *atomic.Int64 }

func (number) Inc()            {}
func (number) Dec()            {}
func (number) Observe(float64) {}
func (n number) Set(float64)   { n.sets.Add(1) }

func TestTheGaugesOfAnIdleQueueAreSetOnlyAFewTimesPerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := number{&atomic.Int64{}}
		q := newQueue(newPace(observed.BackOff{}, interval), &QueueMetrics{
			Depth: n, Adds: n, Latency: n, WorkDuration: n, Unfinished: n, LongestRunning: n, Retries: n,
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := n.sets.Load(); got < 2 || got > 2*6 { // two gauges
			t.Errorf("gauges were set %d times in a minute, want 2 to 12", got)
		}
		q.ShutDown()
	})
}
