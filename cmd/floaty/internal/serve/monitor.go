package serve

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/report"
	"floaty/controller"
	"floaty/desired"
	"floaty/desired/keepalived"
	"floaty/providers/failurelog"
	"floaty/providers/logkey"
)

// MonitorOptions configures a Monitor. All fields are required.
type MonitorOptions struct {
	DryRun     bool
	Desired    *desired.State
	ServerName func(id string) string // empty: it is not known
	HostName   func() string
	Engine     func() Engine // the one that works now
	Log        logr.Logger
}

// An Engine knows the addresses and the calls to the cloud. Its methods return copies and do not block.
type Engine interface {
	// Statuses returns what is known of each managed address.
	Statuses() []controller.Status
	// Retry returns when a read may be made again after a failed one; zero if the last one succeeded.
	Retry() time.Time
}

// A Monitor collects what the daemon does and returns what is known. It keeps copies, so neither side waits for the other longer than a
// short lock.
type Monitor struct {
	opts    MonitorOptions
	started time.Time
	metrics *metrics

	mu     sync.Mutex // guards all below
	config configuration
	vrrp   vrrp
	cloud  cloud
	reads  failurelog.Entry // decides which results of reads are events
	events history
}

// A configuration describes the one in force.
type configuration struct {
	provider string
	loaded   time.Time
	refused  string // why the last edit is not in force; empty: it is
}

// A vrrp is what Keepalived has reported.
type vrrp struct {
	keepalived.Snapshot
	writerGone time.Time // the FIFO has had no writer since; zero: it has one
	changes    uint64    // of the states of instances, from 1
}

// A cloud is how the latest reads ended.
type cloud struct {
	lastRead time.Time // when the request of the last successful one was sent
	err      string    // of the last one; empty: it succeeded, or there was none
}

// NewMonitor returns a monitor that knows of no event yet.
func NewMonitor(opts MonitorOptions) *Monitor {
	now := time.Now()
	unheard := vrrp{writerGone: now.Add(-2 * writerAwayAtMost), changes: 1} // not ready until there is a writer
	return &Monitor{opts: opts, started: now, metrics: newMetrics(), vrrp: unheard}
}

// Loaded notes that the configuration has been read and is in force. changes describes what has changed; empty: nothing has.
func (m *Monitor) Loaded(provider, changes string) {
	e := report.StatusEvent{Time: time.Now(), Kind: report.EventReload}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case changes != "":
		e.Text = "configuration changed: " + changes
	case m.config.refused != "":
		e.Text = "the configuration is valid again and unchanged"
	}
	if e.Text != "" {
		m.events.add(e)
	}
	m.config = configuration{provider: provider, loaded: e.Time}
}

// Refused notes why an edit of the configuration is not in force.
func (m *Monitor) Refused(why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.config.refused == why {
		return
	}
	m.config.refused = why
	m.events.add(report.StatusEvent{Time: time.Now(), Kind: report.EventReload, Text: "the edited configuration is unusable: " + why})
}

// SetKeepalived replaces the states of Keepalived. The snapshot must not be changed afterwards.
func (m *Monitor) SetKeepalived(s keepalived.Snapshot) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.vrrp.Snapshot
	m.vrrp.Snapshot = s
	switch {
	case s.Connected:
		m.vrrp.writerGone = time.Time{}
	case was.Connected:
		m.vrrp.writerGone = now
	}
	for name, inst := range s.Instances {
		if before := was.Instances[name].State; before != inst.State {
			m.vrrp.changes++
			m.events.add(report.StatusEvent{
				Time: now, Kind: report.EventState, Instance: name, From: before.String(), To: inst.State.String(),
			})
		}
	}
}

// readEnded notes the result of a read that began at the given time.
func (m *Monitor) readEnded(begun time.Time, err error) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if begun.Before(m.cloud.lastRead) { // a read that began later has ended already
		return
	}
	e := report.StatusEvent{Time: now, Kind: report.EventCloud}
	var news bool
	if err == nil {
		m.cloud = cloud{lastRead: begun}
		news, e.Text = m.reads.Succeeded(now), "the cloud can be read again"
	} else {
		m.cloud.err = err.Error()
		news, e.Text = m.reads.Failed(now), "reading the cloud failed: "+m.cloud.err
		if m.reads.Intermittent() {
			e.Text = "reading the cloud fails now and then: " + m.cloud.err
		}
	}
	if news {
		m.events.add(e)
	}
}

// CloudReplaced notes that later reads are of another cloud, or of another endpoint: earlier ones say nothing about it.
func (m *Monitor) CloudReplaced() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cloud = cloud{}
}

// Assigned notes the result of a write. Failures in a row are one event, whatever their reasons: an outage would fill the history. So are
// the writes of a contested address.
func (m *Monitor) Assigned(addr netip.Addr, from []string, to string, err error) {
	e := report.StatusEvent{
		Time: time.Now(), Kind: report.EventAssign, Address: addr.String(), From: strings.Join(from, ", "), To: to, Text: "assigned",
	}
	if err != nil {
		e.Text = "assigning failed: " + err.Error()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.metrics.written(addr, err != nil, m.vrrp.changes) {
		m.events.add(e)
	}
}

// Contested notes that an address became contested, or no longer is. rival is the server that it is contested with; empty: not known.
func (m *Monitor) Contested(addr netip.Addr, rival string, contested bool) {
	e := report.StatusEvent{Time: time.Now(), Kind: report.EventContest, Address: addr.String(), From: rival, Text: "no longer contested"}
	if contested {
		e.Text = "contested"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.metrics.count(addr, func(c *addressCounts) {
		c.disputed = 0
		if contested {
			c.contested++
			c.disputed = m.vrrp.changes
		}
	})
	m.events.add(e)
}

// TookOver notes that an address was taken over, and logs how long the parts of that took.
func (m *Monitor) TookOver(t controller.Takeover) {
	m.metrics.takeovers.Observe(t.Acknowledged.Sub(t.Claimed).Seconds())
	since := func(end time.Time) time.Duration { return end.Sub(t.Claimed).Round(100 * time.Microsecond) }
	m.opts.Log.Info("address taken over", logkey.Address, t.Address,
		logkey.Written, since(t.FirstWrite), logkey.Acknowledged, since(t.Acknowledged), logkey.Verified, since(t.Verified))
}

// Status returns what is known now.
func (m *Monitor) Status() report.Status {
	engine := m.opts.Engine()
	server := m.opts.Desired.Server()
	s := report.Status{
		Version: built().version, PID: os.Getpid(), Started: m.started, DryRun: m.opts.DryRun,
		Server:    report.StatusServer{ID: server, Name: m.opts.ServerName(server)},
		Addresses: m.addresses(engine.Statuses()),
		NotReady:  m.NotReady(),
	}
	if s.Server.Name == "" {
		s.Server.Name = m.opts.HostName()
	}
	s.Names = m.names(s.Addresses)
	s.Ready = len(s.NotReady) == 0
	if retry := engine.Retry(); retry.After(time.Now()) {
		s.Cloud.Retry = retry
	}

	instances := m.opts.Desired.Names()
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Provider = m.config.provider
	s.Cloud.LastRead, s.Cloud.Error = m.cloud.lastRead, m.cloud.err
	s.Config = report.StatusConfig{Loaded: m.config.loaded, Error: m.config.refused}
	s.Keepalived.Connected = m.vrrp.Connected
	s.Instances = make([]report.StatusInstance, 0, len(instances)) // JSON has a list always
	for _, name := range instances {
		inst := m.vrrp.Instances[name]
		s.Instances = append(s.Instances, report.StatusInstance{Name: name, State: inst.State.String(), Since: inst.Since})
	}
	s.Events = append([]report.StatusEvent{}, m.events...)
	return s
}

// addresses converts what a controller knows about the addresses into what a status shows.
func (m *Monitor) addresses(known []controller.Status) []report.StatusAddress {
	list := make([]report.StatusAddress, 0, len(known))
	for _, k := range known {
		want, _ := m.opts.Desired.Address(k.Addr)
		a := report.StatusAddress{
			Address: k.Addr, Instances: append([]string{}, want.Instances...), Desired: k.Desired, InPlace: k.Desired && k.InPlace,
			Targets: append([]string{}, k.Targets...), Verified: k.Verified, Next: k.Next, Contested: k.Contested, Error: k.Err,
		}
		if a.InPlace {
			a.Since = k.Since
		}
		if k.Contested {
			a.Rival = k.Rival
		}
		list = append(list, a)
	}
	return list
}

// names returns the names of the servers that addrs point at, as far as they are known.
func (m *Monitor) names(addrs []report.StatusAddress) map[string]string {
	names := map[string]string{}
	for _, a := range addrs {
		for _, id := range append(a.Targets, a.Rival) {
			if _, asked := names[id]; !asked {
				names[id] = m.opts.ServerName(id)
			}
		}
	}
	maps.DeleteFunc(names, func(_, name string) bool { return name == "" })
	return names
}

// NotReady returns what is missing for a takeover, one line each; empty: it would work now.
func (m *Monitor) NotReady() []string {
	r := readiness{server: m.opts.Desired.Server(), unknown: m.opts.Desired.Unknown(), managed: m.opts.Desired.Len(), now: time.Now()}
	m.mu.Lock()
	defer m.mu.Unlock()
	r.cloud, r.writerGone = m.cloud, m.vrrp.writerGone
	return notReady(r)
}

// writerAwayAtMost is how long the FIFO may have no writer: a reload of Keepalived takes milliseconds.
const writerAwayAtMost = 3 * time.Second

// A readiness is everything that decides whether a takeover would work now.
type readiness struct {
	server     string
	cloud      cloud
	managed    int       // addresses
	writerGone time.Time // zero: there is one
	unknown    []string  // instances without a state
	now        time.Time
}

// notReady returns what is missing for a takeover, one line each. An address that cannot be read does not count: the others can move.
func notReady(r readiness) []string {
	missing := []string{} // JSON has a list always
	if r.server == "" {
		missing = append(missing, "this server's ID is not known yet")
	}
	switch {
	case r.cloud.err != "":
		missing = append(missing, "the last read of the cloud failed: "+r.cloud.err)
	case r.cloud.lastRead.IsZero() && r.managed > 0:
		missing = append(missing, "the cloud has not been read yet")
	}
	if !r.writerGone.IsZero() && r.now.Sub(r.writerGone) > writerAwayAtMost {
		missing = append(missing, "Keepalived does not have the FIFO open")
	}
	for i, name := range r.unknown {
		if i == 10 { // a host may have thousands
			missing = append(missing, fmt.Sprintf("Keepalived has not reported the state of %d more instances", len(r.unknown)-i))
			break
		}
		missing = append(missing, "Keepalived has not reported the state of instance "+name)
	}
	return missing
}
