package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"floaty/config"
	"floaty/desired/keepalived/conf"
	"floaty/providers/logkey"
)

// A loader reads the inputs again, in a goroutine of its own, because run's goroutine must not wait for a disk or an
// endless file. Only one reading is in progress at a time; further changes during it cause one more.
type loader struct {
	path      string
	fifo      *string          // see inputs
	id        configID         // of the VRRP process, as last seen
	result    chan loaded      // nil: no reading is in progress
	slow      <-chan time.Time // fires when the reading in progress takes too long; nil: there is none, or it has fired
	stale     bool             // a file has changed since the reading began
	requested bool             // the reading was requested by SIGHUP, so its outcome is always logged
}

// start begins a reading, or schedules another one after it. A reading that takes too long is abandoned instead.
// requested reports whether SIGHUP asked for it.
func (l *loader) start(requested bool) {
	l.requested = l.requested || requested
	if l.slow != nil {
		l.stale = true
		return
	}
	path, fifo, id, result := l.path, l.fifo, l.id, make(chan loaded, 1)
	l.result, l.slow, l.stale = result, time.After(loadTimeout), false
	go func() { result <- loadNow(path, fifo, id) }()
}

// finish is called with the result taken. It reports whether to log the outcome in any case: not if another reading
// follows.
func (l *loader) finish() (requested bool) {
	l.result, l.slow = nil, nil
	if l.stale {
		l.start(false)
		return false
	}
	requested, l.requested = l.requested, false
	return requested
}

// giveUp is called when the reading takes too long. It goes on, unless a file has changed since.
func (l *loader) giveUp() {
	l.slow = nil
	if l.stale {
		l.start(false)
	}
}

// reload puts new inputs into force. If they are unusable, the current ones stay in force. requested reports whether
// SIGHUP asked for it.
func (d *daemon) reload(ctx context.Context, next inputs, err error, requested bool) {
	defer d.checkHostName()
	d.watch(slices.Concat(d.running.files(), next.files(), candidateFiles(err)))
	if err != nil {
		d.logRejected(err)
		return
	}
	next.keep(d.running)
	logWarnings(d.log, d.running, next, false)
	changes := config.Changes(d.running.config, next.config)
	same := sameInstances(d.running.keepalived, next.keepalived)
	switch {
	case len(changes) > 0 || !same:
		if err := d.adopt(ctx, next, changes); err != nil {
			d.logRejected(err)
			return
		}
	case d.rejected != "":
		d.monitor.Loaded(d.monitorInputs(next), "")
		d.log.Info("the configuration is valid again and unchanged")
	case requested:
		d.monitor.Loaded(d.monitorInputs(next), "")
		d.log.Info("configuration read again: nothing has changed")
	default: // a file was touched, or is watched for the first time
		d.monitor.Loaded(d.monitorInputs(next), "")
		d.log.V(1).Info("configuration read again: nothing has changed")
	}
	d.rejected, d.running = "", next
	d.watch(next.files())
}

// candidateFiles returns the files that a failed load has read or missed: a change of one of them may solve the
// problem.
func candidateFiles(err error) []string {
	var all config.Problems
	if errors.As(err, &all) {
		return all.Files()
	}
	return nil
}

// logRejected logs why an edit was not put into force, once.
func (d *daemon) logRejected(err error) {
	var all []string
	for _, p := range problems(err) {
		all = append(all, p.Error())
	}
	said := strings.Join(all, "; ")
	if said == d.rejected {
		return
	}
	d.rejected = said
	d.monitor.Refused(said)
	d.log.Error(errors.New(said), "the edited configuration is unusable: the running one stays in force")
}

// adopt puts next into force.
func (d *daemon) adopt(ctx context.Context, next inputs, changes []config.Change) error {
	var rebuild bool
	var words []string
	for _, change := range changes {
		switch change.Reload {
		case config.Restart:
			d.needsRestart(change, next)
			continue
		case config.NewEngine:
			rebuild = true
		case config.InPlace:
		}
		words = append(words, change.Text)
	}
	before := d.running
	if rebuild {
		if err := d.rebuild(ctx, next); err != nil {
			return err
		}
	}
	d.current.Store(next.config)
	if next.config.Credential() != before.config.Credential() {
		d.engine.paced.CredentialChanged()
	}
	effect := d.apply(next)
	if !sameInstances(before.keepalived, next.keepalived) {
		words = append(words, changedInstances(before.keepalived, next.keepalived))
	}
	d.monitor.Loaded(d.monitorInputs(next), strings.Join(words, "; "))
	if len(words) == 0 {
		return nil
	}
	about := []any{logkey.Changes, strings.Join(words, "; ")}
	if len(effect.Added) > 0 {
		about = append(about, logkey.Added, effect.Added)
	}
	if len(effect.Removed) > 0 {
		about = append(about, logkey.Removed, effect.Removed)
	}
	d.log.Info("configuration changed", about...)
	return nil
}

// needsRestart logs that a change is not in force, or that such a change was reverted.
func (d *daemon) needsRestart(change config.Change, next inputs) {
	for _, c := range config.Changes(d.started, next.config) {
		if c.Key == change.Key {
			d.log.Error(errors.New(change.Text), "the change needs a restart")
			return
		}
	}
	d.log.Info("the change that needed a restart was reverted", logkey.Changes, change.Text)
}

// rebuild replaces the engine. If this may be another server than before, it is determined again first.
func (d *daemon) rebuild(ctx context.Context, next inputs) error {
	fresh, err := newEngine(next, d.engineOptions())
	if err != nil {
		return fmt.Errorf("applying the new configuration: %w", err)
	}
	d.mu.Lock()
	old := d.engine
	old.stop()       // it is not told of further changes, so none of its writes may outlive them
	d.engine = fresh // it keeps changes until it starts; ending the old one takes two seconds if a call does not return
	d.mu.Unlock()
	old.end()
	fresh.controller.Inherit(old.controller)
	was, _ := d.running.server()
	is, unnamed := next.server() // with a host name that the configuration lacks, the known server stays
	if d.running.config.Provider == next.config.Provider && d.running.config.Endpoint() == next.config.Endpoint() {
		fresh.paced.Inherit(old.paced)
	}
	if was != is && unnamed == "" || d.running.config.Provider != next.config.Provider {
		d.setServer("")
	}
	d.current.Store(next.config)
	fresh.start(ctx)
	return nil
}

// sameInstances reports whether two keepalived.conf mean the same to floaty.
func sameInstances(a, b *conf.Config) bool {
	if a == nil || b == nil {
		return a == b
	}
	return reflect.DeepEqual(withoutPositions(a), withoutPositions(b))
}

// changedInstances describes how the instances of two keepalived.conf differ. A renamed instance counts as removed
// and added, because the state of the new one is unknown.
func changedInstances(before, now *conf.Config) string {
	names := func(c *conf.Config) []string {
		var list []string
		if c != nil {
			for _, inst := range c.Instances {
				list = append(list, inst.Name)
			}
		}
		return list
	}
	var words []string
	for _, name := range names(before) {
		if !slices.Contains(names(now), name) {
			words = append(words, "instance "+name+" removed")
		}
	}
	for _, name := range names(now) {
		if !slices.Contains(names(before), name) {
			words = append(words, "instance "+name+" added")
		}
	}
	if len(words) == 0 {
		return "keepalived.conf"
	}
	return "keepalived.conf: " + strings.Join(words, ", ")
}

// withoutPositions returns a copy without positions in files.
func withoutPositions(c *conf.Config) conf.Config {
	m := conf.Config{Instance: c.Instance, NetNamespace: c.NetNamespace, PIDDir: c.PIDDir, ScriptUser: c.ScriptUser}
	for _, f := range c.FIFOs {
		f.File, f.Line = "", 0
		m.FIFOs = append(m.FIFOs, f)
	}
	for _, inst := range c.Instances {
		inst.File, inst.Line = "", 0
		m.Instances = append(m.Instances, inst)
	}
	for _, g := range c.Groups {
		g.File, g.Line = "", 0
		m.Groups = append(m.Groups, g)
	}
	return m
}
