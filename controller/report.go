package controller

import (
	"net/netip"
	"slices"
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
)

// A Status is what the controller knows about one managed address.
type Status struct {
	Addr      netip.Addr
	Desired   bool      // it belongs on this server now
	InPlace   bool      // the last valid reading shows it at this server
	Contested bool      // another host, or the cloud itself, keeps undoing our writes
	Rival     string    // the server that a contested address was seen at last; empty: none
	Targets   []string  // the servers that hold it, as the last reading without an error has it; empty: none, or not known
	Since     time.Time // when a reading first showed these targets; zero: there was no such reading yet
	Verified  time.Time // when the request of the last reading without an error was sent; zero: there was none yet
	Next      time.Time // when it is reconciled next, unless an event comes first
	Err       string    // why it could not be assigned or read; empty: it could
}

// Statuses returns what is known about each managed address, sorted by address. It makes copies, and does not call the cloud.
func (c *Controller) Statuses() []Status {
	refresh := c.opts.Observed.Due()
	addrs := c.opts.Desired.Addresses()
	all := make([]Status, 0, len(addrs))
	for _, addr := range addrs {
		lead := c.lead(addr)
		c.mu.Lock()
		is := c.published[lead]
		c.mu.Unlock()
		s := Status{Addr: addr, Contested: is.contested, Rival: is.rival, Next: is.next, Err: is.err}
		if s.Next.IsZero() || s.Next.After(refresh) {
			s.Next = refresh
		}
		want, _ := c.want(addr)
		s.Desired = want.Ours
		reading, valid := c.opts.Observed.Last(addr)
		s.InPlace = valid && want.Server != "" && reading.Holding.At(want.Server)
		known := c.opts.Observed.Known(addr)
		s.Targets, s.Since, s.Verified = slices.Clone(known.Servers), known.Since, known.At
		if reading.Err != nil && s.Err == "" {
			s.Err = reading.Err.Error()
		}
		all = append(all, s)
	}
	return all
}

// published is the part of a status that Statuses needs, as of the time when the address was processed last.
type published struct {
	contested bool
	rival     string
	next      time.Time // zero: at the next refresh
	err       string    // why the last write failed
}

// publish updates what Statuses returns about an address, which is processed again at next. c.mu is held.
func (c *Controller) publish(addr netip.Addr, st *status, outcome outcome, next time.Time, err error) {
	is := published{contested: st.conflict.on(), next: next, err: c.published[addr].err}
	if is.contested {
		is.rival = st.conflict.rival
	}
	switch outcome { //nolint:exhaustive // the others say nothing about writes
	case failed:
		is.err = err.Error()
	case inPlace, assigned, standby:
		is.err = ""
	}
	if is == (published{}) {
		delete(c.published, addr)
		return
	}
	c.published[addr] = is
}

// A Recorder receives what happens, for metrics and the like. Its methods may be called from many goroutines at once, and must not block.
type Recorder interface {
	// Reconciled is called whenever an address has been processed. The outcome is one of a few constant words.
	Reconciled(outcome string)
	// Assigned is called after each write; from are the servers that held the address, as far as known. It is not called for a write that
	// was cancelled, or in a dry run.
	Assigned(addr netip.Addr, from []string, to string, err error)
	// TookOver is called once per takeover in which a write was acknowledged, when a reading has shown the address here.
	TookOver(t Takeover)
	// Contested is called when an address begins to be contested, and when that ends.
	Contested(addr netip.Addr, rival string, contested bool)
}

// A Takeover is what happens to one address from a MASTER line until a reading shows it here. Another MASTER line before that belongs to
// the same takeover.
type Takeover struct {
	Address      netip.Addr
	Claimed      time.Time // Keepalived said MASTER
	FirstWrite   time.Time // the first write began
	Acknowledged time.Time // the first write that succeeded has returned
	Verified     time.Time // a reading that shows the address here was evaluated
}

// nobody is a Recorder that does nothing.
type nobody struct{}

func (nobody) Reconciled(string)                            {}
func (nobody) Assigned(netip.Addr, []string, string, error) {}
func (nobody) TookOver(Takeover)                            {}
func (nobody) Contested(netip.Addr, string, bool)           {}

// QueueMetrics are the figures of the work queue, as client-go names them. Prometheus's metrics have these methods. All fields are required.
type QueueMetrics struct {
	Depth          Gauge    // keys that wait to be processed
	Adds           Counter  // keys added
	Latency        Observer // seconds from being added to being processed
	WorkDuration   Observer // seconds that processing takes
	Unfinished     Gauge    // seconds of work in progress, over all keys that are processed now; set every 10 s
	LongestRunning Gauge    // seconds so far, of the key that has been in process for longest; set every 10 s
	Retries        Counter  // keys added to be processed later
}

// A Gauge goes up and down.
type Gauge interface {
	Inc()
	Dec()
	Set(value float64)
}

// A Counter goes up.
type Counter interface{ Inc() }

// An Observer takes single values.
type Observer interface{ Observe(value float64) }

// queueMetrics hands metrics to client-go.
type queueMetrics struct{ m *QueueMetrics }

func (q queueMetrics) NewDepthMetric(string) workqueue.GaugeMetric       { return q.m.Depth }
func (q queueMetrics) NewAddsMetric(string) workqueue.CounterMetric      { return q.m.Adds }
func (q queueMetrics) NewLatencyMetric(string) workqueue.HistogramMetric { return q.m.Latency }
func (q queueMetrics) NewWorkDurationMetric(string) workqueue.HistogramMetric {
	return q.m.WorkDuration
}

func (q queueMetrics) NewUnfinishedWorkSecondsMetric(string) workqueue.SettableGaugeMetric {
	return q.m.Unfinished
}

func (q queueMetrics) NewLongestRunningProcessorSecondsMetric(string) workqueue.SettableGaugeMetric {
	return q.m.LongestRunning
}
func (q queueMetrics) NewRetriesMetric(string) workqueue.CounterMetric { return q.m.Retries }

// A slowClock is the real clock, except that its tickers tick every ten seconds at most. Client-go updates the gauges of the work in
// progress twice a second, and each time costs an idle process some nine thread switches.
type slowClock struct{ clock.RealClock }

func (slowClock) NewTicker(d time.Duration) clock.Ticker {
	return clock.RealClock{}.NewTicker(max(d, 10*time.Second))
}

// newQueue returns a queue of addresses; metrics may be nil.
func newQueue(limiter workqueue.TypedRateLimiter[netip.Addr], metrics *QueueMetrics) workqueue.TypedRateLimitingInterface[netip.Addr] {
	config := workqueue.TypedRateLimitingQueueConfig[netip.Addr]{}
	if metrics != nil {
		config.Name, config.MetricsProvider, config.Clock = "addresses", queueMetrics{metrics}, slowClock{}
	}
	return workqueue.NewTypedRateLimitingQueueWithConfig(limiter, config)
}
