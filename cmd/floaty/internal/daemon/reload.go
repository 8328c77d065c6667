package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"floaty/cmd/floaty/internal/inputs"
	"floaty/config"
	"floaty/providers/logkey"
)

// A loader reads the inputs again, in a goroutine of its own, because run's goroutine must not wait for a disk or an
// endless file. Only one reading is in progress at a time; further changes during it cause one more.
type loader struct {
	path      string
	fifo      *string            // see inputs.Inputs.FIFO
	id        inputs.ConfigID    // of the VRRP process, as last seen
	result    chan inputs.Loaded // nil: no reading is in progress
	slow      <-chan time.Time   // fires when the reading in progress takes too long; nil: there is none, or it has fired
	stale     bool               // a file has changed since the reading began
	requested bool               // the reading was requested by SIGHUP, so its outcome is always logged
}

// start begins a reading, or schedules another one after it. A reading that takes too long is abandoned instead.
// requested reports whether SIGHUP asked for it.
func (l *loader) start(requested bool) {
	l.requested = l.requested || requested
	if l.slow != nil {
		l.stale = true
		return
	}
	path, fifo, id, result := l.path, l.fifo, l.id, make(chan inputs.Loaded, 1)
	l.result, l.slow, l.stale = result, time.After(inputs.LoadTimeout), false
	go func() { result <- inputs.Read(path, fifo, id) }()
}

// finish is called once the result has been received. It reports whether to log the outcome even if nothing changed, which is false if
// another reading follows.
func (l *loader) finish() (requested bool) {
	l.result, l.slow = nil, nil
	if l.stale {
		l.start(false)
		return false
	}
	requested, l.requested = l.requested, false
	return requested
}

// giveUp is called when the reading takes too long. If it is known by then that something has changed since, another reading begins in its place; otherwise it
// goes on.
func (l *loader) giveUp() {
	l.slow = nil
	if l.stale {
		l.start(false)
	}
}

// reload puts new inputs into force. If they are unusable, the current ones stay in force. requested reports whether
// SIGHUP asked for it.
func (d *daemon) reload(ctx context.Context, next inputs.Inputs, err error, requested bool) {
	defer d.checkHostName()
	d.files.watcher.Watch(slices.Concat(d.files.running.Files(), next.Files(), candidateFiles(err)))
	if err != nil {
		d.logRejected(err, requested)
		return
	}
	next.Keep(d.files.running)
	inputs.LogWarnings(d.opts.Log, d.files.running, next, false)
	changes := config.Changes(d.files.running.Config, next.Config)
	same := inputs.SameKeepalived(d.files.running.Keepalived, next.Keepalived)
	if len(changes) > 0 || !same {
		if err := d.adopt(ctx, next, changes, same); err != nil {
			d.logRejected(err, requested)
			return
		}
	} else {
		d.trust(next) // the users of this host may have changed
		d.monitor.Loaded(next.Config.Provider, "")
		d.logUnchanged(requested)
	}
	d.files.rejected, d.files.running = "", next
	d.files.watcher.Watch(next.Files())
}

// logUnchanged logs that the inputs were read again and mean the same as before.
func (d *daemon) logUnchanged(requested bool) {
	switch {
	case d.files.rejected != "":
		d.opts.Log.Info("the configuration is valid again and unchanged")
	case requested:
		d.opts.Log.Info("configuration read again: nothing has changed")
	default: // a file was touched, or is watched for the first time
		d.opts.Log.V(1).Info("configuration read again: nothing has changed")
	}
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

// logRejected logs why an edit was not put into force: once, and again whenever SIGHUP asks for it.
func (d *daemon) logRejected(err error, requested bool) {
	var all []string
	for _, p := range inputs.Problems(err) {
		all = append(all, p.Error())
	}
	said := strings.Join(all, "; ")
	if said == d.files.rejected && !requested {
		return
	}
	d.files.rejected = said
	d.monitor.Refused(said)
	d.opts.Log.Error(errors.New(said), "the edited configuration is unusable: the running one stays in force")
}

// adopt puts next into force. changes are those of the configuration; same reports whether keepalived.conf means the same as before.
func (d *daemon) adopt(ctx context.Context, next inputs.Inputs, changes []config.Change, same bool) error {
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
	before := d.files.running
	if rebuild {
		if err := d.rebuild(ctx, next); err != nil {
			return err
		}
	}
	d.current.Store(next.Config)
	if !next.Config.SameCredential(before.Config) {
		d.engine.Load().paced.CredentialChanged()
	}
	effect := d.apply(next)
	if !same {
		words = append(words, inputs.KeepalivedChanges(before.Keepalived, next.Keepalived))
	}
	d.monitor.Loaded(next.Config.Provider, strings.Join(words, "; "))
	if len(words) == 0 {
		return nil
	}
	about := []any{logkey.Changes, strings.Join(words, "; ")}
	if len(effect.Added) > 0 {
		about = append(about, logkey.Added, abridge(effect.Added))
	}
	if len(effect.Removed) > 0 {
		about = append(about, logkey.Removed, abridge(effect.Removed))
	}
	d.opts.Log.Info("configuration changed", about...)
	return nil
}

// abridge returns addrs in words: the first ten of them, and the number of the others.
func abridge(addrs []netip.Addr) string {
	var words []string
	for i, addr := range addrs {
		if i == 10 {
			words = append(words, fmt.Sprintf("%d more", len(addrs)-i))
			break
		}
		words = append(words, addr.String())
	}
	return strings.Join(words, ", ")
}

// needsRestart logs that a change is not in force, or that such a change was reverted.
func (d *daemon) needsRestart(change config.Change, next inputs.Inputs) {
	for _, c := range config.Changes(d.files.started, next.Config) {
		if c.Key == change.Key {
			d.opts.Log.Error(errors.New(change.Text), "the change needs a restart")
			return
		}
	}
	d.opts.Log.Info("the change that needed a restart was reverted", logkey.Changes, change.Text)
}

// rebuild replaces the engine. If this host may be another server than before, its ID becomes unknown until it has been determined again.
func (d *daemon) rebuild(ctx context.Context, next inputs.Inputs) error {
	fresh, err := newEngine(next, d.engineOptions)
	if err != nil {
		return fmt.Errorf("applying the new configuration: %w", err)
	}
	old := d.engine.Load()
	old.stop()            // before it misses a change: none of its writes may outlive one
	d.engine.Store(fresh) // it keeps changes until it starts; ending the old one takes two seconds if a call does not return
	old.end()
	fresh.controller.Inherit(old.controller)
	before := d.files.running
	was, _ := before.Server()
	is, unnamed := next.Server() // with a host name that the configuration lacks, the known server stays
	if next.Config.SameAPI(before.Config) {
		fresh.paced.Inherit(old.paced)
	} else {
		d.monitor.CloudReplaced()
	}
	d.deciding.Lock()
	if was != is && unnamed == "" || before.Config.Provider != next.Config.Provider {
		d.setServer("")
	}
	d.current.Store(next.Config)
	d.deciding.Unlock()
	fresh.start(ctx)
	return nil
}

// identified is called when the VRRP process has become known: keepalived.conf is read again if it was read with another config id.
func (d *daemon) identified(pid int) {
	id := inputs.FindConfigID(pid)
	if !id.Known || id == d.files.loader.id {
		return
	}
	d.files.loader.id = id
	if read := d.files.running.Keepalived; d.files.running.Config.KeepalivedConfigID == "" && (read == nil || read.Conditions) {
		d.files.loader.start(false)
	}
}
