package serve

import (
	"context"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics counts events. Metrics of the current state are not kept here: see collector.
type metrics struct {
	registry   *prometheus.Registry
	requests   *prometheus.CounterVec
	durations  *prometheus.HistogramVec
	reconciles *prometheus.CounterVec
	takeovers  prometheus.Histogram
	queue      queue

	mu        sync.Mutex // guards all below
	addresses map[netip.Addr]addressCounts
}

// addressCounts are the counts of one address. They are dropped when the address is no longer managed.
type addressCounts struct {
	assigned, failed, contested uint64

	failing  uint64 // vrrp.changes when the last write failed; 0: it succeeded, or there was none
	disputed uint64 // vrrp.changes when it became contested; 0: it is not
}

func newMetrics() *metrics {
	return &metrics{
		registry:  prometheus.NewRegistry(),
		addresses: map[netip.Addr]addressCounts{},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "floaty_provider_requests_total",
			Help: "Requests to the cloud's API, by what they were for and the HTTP status of the answer (\"error\": there was none).",
		}, []string{"provider", "operation", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "floaty_provider_request_duration_seconds",
			Help:    "How long requests to the cloud's API took until their answer began.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"provider", "operation"}),
		reconciles: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "floaty_reconcile_total",
			Help: "How often an address was reconciled, by outcome.",
		}, []string{"outcome"}),
		takeovers: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:                           "floaty_takeover_duration_seconds",
			Help:                           "Time from a MASTER line of Keepalived until the cloud had acknowledged the assignment of an address.",
			Buckets:                        []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
			NativeHistogramBucketFactor:    1.1,
			NativeHistogramMaxBucketNumber: 100,
		}),
		queue: newQueue(),
	}
}

// handler answers scrapes. It does not compress: a gzip writer takes more memory than all of floaty's metrics.
func (m *Monitor) handler() http.Handler {
	return promhttp.HandlerFor(m.metrics.registry, promhttp.HandlerOpts{DisableCompression: true})
}

// register adds all metrics to the registry; known are those of the current state.
func (m *Monitor) register(known prometheus.Collector) {
	b := built()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "floaty_build_info",
		Help:        "Always 1; the labels say what is running.",
		ConstLabels: prometheus.Labels{"version": b.version, "commit": b.commit, "goversion": b.goVersion},
	})
	info.Set(1)
	m.metrics.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		info, m.metrics.requests, m.metrics.durations, m.metrics.reconciles, m.metrics.takeovers, known,
	)
	m.metrics.registry.MustRegister(m.metrics.queue.all()...)
}

// A build identifies the running program.
type build struct{ version, commit, goVersion string }

func built() build {
	b := build{"unknown", "unknown", runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.commit = s.Value
			}
		}
	}
	return b
}

// count changes the counts of an address.
func (m *metrics) count(addr netip.Addr, change func(*addressCounts)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.addresses[addr]
	change(&c)
	m.addresses[addr] = c
}

// written counts a write, and reports whether it is worth an event: a failure if the write before succeeded, a success unless the address
// is contested. After a change of an instance's state, everything is.
func (m *metrics) written(addr netip.Addr, failed bool, changes uint64) (news bool) {
	m.count(addr, func(c *addressCounts) {
		if failed {
			c.failed++
			news, c.failing = c.failing != changes, changes
		} else {
			c.assigned++
			news, c.failing = c.disputed != changes, 0
		}
	})
	return news
}

// counts returns the counts of the managed addresses, and drops those of all others.
func (m *metrics) counts(managed map[netip.Addr]bool) map[netip.Addr]addressCounts {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := make(map[netip.Addr]addressCounts, len(m.addresses))
	for addr, c := range m.addresses {
		if !managed[addr] {
			delete(m.addresses, addr)
			continue
		}
		counts[addr] = c
	}
	return counts
}

// Requested notes a request to the cloud's API: the status of its answer, 0 if there was none, and how long that took. What it was for is
// known from its context, if it was made by a provider from [Monitor.Watch].
func (m *Monitor) Requested(ctx context.Context, status int, took time.Duration) {
	m.mu.Lock()
	provider := m.config.provider
	m.mu.Unlock()
	operation, known := ctx.Value(operationKey{}).(string)
	if !known {
		operation = "other"
	}
	code := "error"
	if status != 0 {
		code = strconv.Itoa(status)
	}
	m.metrics.requests.WithLabelValues(provider, operation, code).Inc()
	m.metrics.durations.WithLabelValues(provider, operation).Observe(took.Seconds())
}

// Reconciled counts an outcome of reconciling an address.
func (m *Monitor) Reconciled(outcome string) { m.metrics.reconciles.WithLabelValues(outcome).Inc() }
