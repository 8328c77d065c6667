package serve

import (
	"github.com/prometheus/client_golang/prometheus"

	"floaty/controller"
)

// A queue holds the metrics of the work queue, under the names that client-go gives them in Kubernetes.
type queue struct {
	depth, unfinished, longest prometheus.Gauge
	adds, retries              prometheus.Counter
	latency, work              prometheus.Histogram
}

func newQueue() queue {
	labels := prometheus.Labels{"name": "addresses"}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "workqueue_" + name, Help: help, ConstLabels: labels})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "workqueue_" + name, Help: help, ConstLabels: labels})
	}
	histogram := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "workqueue_" + name, Help: help, ConstLabels: labels, Buckets: prometheus.ExponentialBuckets(1e-6, 10, 8), // up to 10 s
		})
	}
	return queue{
		depth:      gauge("depth", "Addresses that wait to be reconciled."),
		adds:       counter("adds_total", "Addresses that were queued."),
		latency:    histogram("queue_duration_seconds", "How long addresses waited to be reconciled."),
		work:       histogram("work_duration_seconds", "How long reconciling an address took."),
		unfinished: gauge("unfinished_work_seconds", "How long the addresses that are being reconciled have taken so far, in all."),
		longest:    gauge("longest_running_processor_seconds", "How long the address that is being reconciled longest has taken so far."),
		retries:    counter("retries_total", "Addresses that were queued to be reconciled later."),
	}
}

func (q queue) all() []prometheus.Collector {
	return []prometheus.Collector{q.depth, q.adds, q.latency, q.work, q.unfinished, q.longest, q.retries}
}

// Queue returns the metrics to which the controller's queue reports.
func (m *Monitor) Queue() *controller.QueueMetrics {
	q := m.metrics.queue
	return &controller.QueueMetrics{
		Depth: q.depth, Adds: q.adds, Latency: q.latency, WorkDuration: q.work, Unfinished: q.unfinished, LongestRunning: q.longest, Retries: q.retries,
	}
}
