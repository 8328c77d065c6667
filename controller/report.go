package controller

import (
	"net/netip"
	"slices"
	"time"

	"k8s.io/client-go/util/workqueue"
)

// A Status is what a controller knows of one managed address.
type Status struct {
	Addr      netip.Addr
	Desired   bool      // it is ours to assign now
	InPlace   bool      // the last reading that counts shows it at this server
	Contested bool      // another host, or the cloud itself, keeps undoing our writes
	Rival     string    // the server that a contested address was seen at last; empty: none
	Targets   []string  // the servers that hold it, as the last reading has it; empty: none, or not known
	Since     time.Time // from when on readings have shown these targets; zero: no reading yet
	Verified  time.Time // when the last reading's request was sent; zero: no reading yet
	Next      time.Time // when it is reconciled next; at the latest, for whatever happens may come first
	Err       string    // why it could not be read or assigned; empty: it could
}

// Statuses returns what is known of each managed address, sorted by address. It makes copies, and no call to the cloud.
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
		s.Targets, s.Since, s.Verified = slices.Clone(reading.Servers), reading.Since, reading.At
		if reading.Err != nil && s.Err == "" {
			s.Err = reading.Err.Error()
		}
		all = append(all, s)
	}
	return all
}

// published is what Statuses needs of an address's status, as it was when it was processed last.
type published struct {
	contested bool
	rival     string
	next      time.Time // zero: at the next refresh
	err       string    // why the last write failed
}

// publish keeps what others may know of an address that is processed again after a while; 0: at the next refresh. c.mu is held.
func (c *Controller) publish(addr netip.Addr, st *status, outcome outcome, after time.Duration, err error) {
	is := published{contested: st.conflict.on(), rival: st.conflict.rival, err: c.published[addr].err}
	if after > 0 {
		is.next = time.Now().Add(after)
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

// A Recorder is told what happens. Its methods may be called from many goroutines at once, and must not block.
type Recorder interface {
	// Reconciled is called whenever an address has been reconciled, with the outcome: one of a few constant words.
	Reconciled(outcome string)
	// Assigned is called after each write: from is who held the address, as far as known. It is not called where the address
	// stopped being ours, at the end, or in a dry run.
	Assigned(addr netip.Addr, from []string, to string, err error)
	// TookOver is called once for each takeover, when a reading has shown the address here.
	TookOver(t Takeover)
	// Contested is called when an address begins to be contested, and when that ends.
	Contested(addr netip.Addr, rival string, contested bool)
}

// A Takeover is the way of one address from a MASTER line until a reading shows it here. Where MASTER is said again before that, it is
// one takeover.
type Takeover struct {
	Address      netip.Addr
	Claimed      time.Time // MASTER was said
	FirstWrite   time.Time // the first write was begun
	Acknowledged time.Time // the first write that succeeded has returned
	Verified     time.Time // the reading that shows the address here has been judged
}

// nobody is a Recorder that does nothing.
type nobody struct{}

func (nobody) Reconciled(string)                            {}
func (nobody) Assigned(netip.Addr, []string, string, error) {}
func (nobody) TookOver(Takeover)                            {}
func (nobody) Contested(netip.Addr, string, bool)           {}

// QueueMetrics are the figures of the work queue, as client-go names them. Metrics of Prometheus fit in. All fields are needed.
type QueueMetrics struct {
	Depth          Gauge    // keys that wait to be processed
	Adds           Counter  // keys added
	Latency        Observer // seconds from being added to being processed
	WorkDuration   Observer // seconds that processing takes
	Unfinished     Gauge    // seconds of work in progress, over all keys that are processed now
	LongestRunning Gauge    // seconds that the key that has been processed longest has taken so far
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

// newQueue returns a queue of addresses; metrics may be nil.
func newQueue(limiter workqueue.TypedRateLimiter[netip.Addr], metrics *QueueMetrics) workqueue.TypedRateLimitingInterface[netip.Addr] {
	config := workqueue.TypedRateLimitingQueueConfig[netip.Addr]{}
	if metrics != nil {
		config.Name, config.MetricsProvider = "addresses", queueMetrics{metrics}
	}
	return workqueue.NewTypedRateLimitingQueueWithConfig(limiter, config)
}
