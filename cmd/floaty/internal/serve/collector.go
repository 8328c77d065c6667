package serve

import (
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"floaty/cmd/floaty/internal/report"
	"floaty/desired/keepalived"
)

// A collector turns what the monitor knows at the time of a scrape into metrics. Therefore, what is no longer managed has no series.
type collector struct {
	opts Options

	ready, state, desired, inPlace, verified, contested, assignments, contests *prometheus.Desc
	lastRead, connected, events, badLines, standstills, dropped                *prometheus.Desc
	reloadOK, reloaded                                                         *prometheus.Desc
}

func newCollector(opts Options) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("floaty_"+name, help, labels, nil)
	}
	return &collector{
		opts:        opts,
		ready:       desc("ready", "Whether a takeover would work now, as /readyz reports it."),
		state:       desc("vrrp_instance_state", "Whether a VRRP instance is in a state on this host: 1 for one of the states.", "vrrp_instance", "state"),
		desired:     desc("address_desired", "Whether an address belongs on this server now.", "address"),
		inPlace:     desc("address_in_place", "Whether an address that belongs on this server points at it, by the last reading.", "address"),
		verified:    desc("address_verified_timestamp_seconds", "When the cloud was last asked successfully where an address points.", "address"),
		contested:   desc("address_contested", "Whether another host, or the cloud, keeps undoing the assignments of an address.", "address"),
		assignments: desc("assignments_total", "Assignments of an address to this server, by result (success, failure).", "address", "result"),
		contests:    desc("contested_total", "How often an address became contested.", "address"),
		lastRead:    desc("provider_last_read_timestamp_seconds", "When the cloud was last read successfully."),
		connected:   desc("keepalived_connected", "Whether Keepalived has the FIFO open."),
		events:      desc("keepalived_events_total", "Lines that Keepalived wrote, by type and state.", "type", "state"),
		badLines:    desc("keepalived_bad_lines_total", "Lines in the FIFO that could not be understood."),
		standstills: desc("standstills_total", "How often floaty, or the machine, had stood still."),
		dropped:     desc("log_lines_dropped_total", "Log lines that nobody read in time."),
		reloadOK:    desc("config_last_reload_successful", "Whether the configuration was usable when it was last read."),
		reloaded:    desc("config_last_reload_success_timestamp_seconds", "When the configuration in force was read."),
	}
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.ready, c.state, c.desired, c.inPlace, c.verified, c.contested, c.assignments, c.contests,
		c.lastRead, c.connected, c.events, c.badLines, c.standstills, c.dropped, c.reloadOK, c.reloaded,
	} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	status := c.opts.Monitor.Status()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	counter := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
	}
	timestamp := func(d *prometheus.Desc, t time.Time, labels ...string) {
		if !t.IsZero() {
			gauge(d, float64(t.UnixMilli())/1000, labels...)
		}
	}
	gauge(c.ready, number(status.Ready))
	timestamp(c.lastRead, status.Cloud.LastRead)
	gauge(c.connected, number(status.Keepalived.Connected))
	gauge(c.reloadOK, number(status.Config.Error == ""))
	timestamp(c.reloaded, status.Config.Loaded)
	named := map[string]bool{}
	for _, inst := range status.Instances {
		name := inert(inst.Name)
		if named[name] { // two names may become equal when they are escaped, and duplicates would fail the whole scrape
			continue
		}
		named[name] = true
		for state := keepalived.Unknown; state <= keepalived.Deleted; state++ {
			gauge(c.state, number(inst.State == state.String()), name, state.String())
		}
	}
	counts := c.opts.Monitor.metrics.counts(managed(status))
	for _, a := range status.Addresses {
		addr, count := a.Address.String(), counts[a.Address]
		gauge(c.desired, number(a.Desired), addr)
		gauge(c.inPlace, number(a.InPlace), addr)
		gauge(c.contested, number(a.Contested), addr)
		timestamp(c.verified, a.Verified, addr)
		counter(c.assignments, float64(count.assigned), addr, "success")
		counter(c.assignments, float64(count.failed), addr, "failure")
		counter(c.contests, float64(count.contested), addr)
	}
	heard := c.opts.Heard()
	for e, n := range heard.Events {
		counter(c.events, float64(n), e.Type, e.State)
	}
	counter(c.badLines, float64(heard.BadLines))
	counter(c.standstills, float64(heard.Standstills))
	counter(c.dropped, float64(c.opts.Dropped()))
}

// managed returns the addresses of a status.
func managed(s report.Status) map[netip.Addr]bool {
	set := make(map[netip.Addr]bool, len(s.Addresses))
	for _, a := range s.Addresses {
		set[a.Address] = true
	}
	return set
}

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
