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

// A loader reads everything anew, beside run's goroutine, which waits for no disk and for no file that never ends. One reading is under
// way at a time; edits during it make for one more.
type loader struct {
	path   string
	id     configID         // of the VRRP process, as it was last seen
	result chan loaded      // nil: none is under way
	late   <-chan time.Time // when the one under way takes too long; nil: there is none, or it does already
	again  bool             // something was edited since it began
	asked  bool             // somebody waits for a word about it
}

// start begins a reading, or sees to it that another one follows. One that takes too long is given up for it. asked reports whether
// somebody waits for a word.
func (l *loader) start(asked bool) {
	l.asked = l.asked || asked
	if l.late != nil {
		l.again = true
		return
	}
	path, id, result := l.path, l.id, make(chan loaded, 1)
	l.result, l.late, l.again = result, time.After(loadTimeout), false
	go func() { result <- loadNow(path, id) }()
}

// end notes that the result was taken, and reports whether somebody waits for a word: not yet, if another reading follows.
func (l *loader) end() (asked bool) {
	l.result, l.late = nil, nil
	if l.again {
		l.start(false)
		return false
	}
	asked, l.asked = l.asked, false
	return asked
}

// hangs notes that the reading takes too long. It goes on, unless something was edited.
func (l *loader) hangs() {
	l.late = nil
	if l.again {
		l.start(false)
	}
}

// reload takes over what was read anew. What is unusable leaves the running setup in force. asked reports whether somebody waits for a
// word.
func (d *daemon) reload(ctx context.Context, next setup, err error, asked bool) {
	defer d.renamed()
	d.watch(slices.Concat(d.running.files(), next.files(), missed(err)))
	if err != nil {
		d.refuse(err)
		return
	}
	next.fifo = d.running.fifo
	if next.keepalived == nil { // no address must come from it: all else is taken over
		next.keepalived = d.running.keepalived
	}
	logWarnings(d.log, d.running, next, false)
	changes := config.Changes(d.running.config, next.config)
	same := sameInstances(d.running.keepalived, next.keepalived)
	switch {
	case len(changes) > 0 || !same:
		if err := d.adopt(ctx, next, changes); err != nil {
			d.refuse(err)
			return
		}
	case d.refused != "":
		d.monitor.Loaded(d.shown(next), "the configuration is valid again and unchanged")
		d.log.Info("the configuration is valid again and unchanged")
	case asked:
		d.log.Info("read again: nothing has changed")
	default: // a file was touched, or is newly watched
		d.log.V(1).Info("read again: nothing has changed")
	}
	d.refused, d.running = "", next
	d.watch(next.files())
}

// missed returns the files that a failed load has looked for: the mistake may lie in one of them.
func missed(err error) []string {
	var all config.Problems
	if errors.As(err, &all) {
		return all.Files()
	}
	return nil
}

// refuse says why an edit is not taken over, once.
func (d *daemon) refuse(err error) {
	var all []string
	for _, p := range problems(err) {
		all = append(all, p.Error())
	}
	said := strings.Join(all, "; ")
	if said == d.refused {
		return
	}
	d.refused = said
	d.monitor.Refused(said)
	d.log.Error(errors.New(said), "the edited configuration is unusable: the running one stays in force")
}

// adopt takes next over.
func (d *daemon) adopt(ctx context.Context, next setup, changes []config.Change) error {
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
	d.secrets.Store(next.config)
	if next.config.Credential() != before.config.Credential() {
		d.engine.paced.CredentialChanged()
	}
	effect := d.take(next)
	defer func() { d.monitor.Loaded(d.shown(next), "configuration changed: "+strings.Join(words, "; ")) }()
	if !sameInstances(before.keepalived, next.keepalived) {
		words = append(words, changedInstances(before.keepalived, next.keepalived))
	}
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

// needsRestart says that a change is not in force, or that one which was not is taken back.
func (d *daemon) needsRestart(change config.Change, next setup) {
	for _, c := range config.Changes(d.started, next.config) {
		if c.Key == change.Key {
			d.log.Error(errors.New(change.Text), "the change needs a restart")
			return
		}
	}
	d.log.Info("the change that needed a restart was reverted", logkey.Changes, change.Text)
}

// rebuild replaces the engine. Where the server may be another one, it has to be found first.
func (d *daemon) rebuild(ctx context.Context, next setup) error {
	fresh, err := newEngine(next, d.engineOptions())
	if err != nil {
		return fmt.Errorf("starting with the new configuration: %w", err)
	}
	d.mu.Lock()
	old := d.engine
	old.stop()       // no write of it outlives a change that it is not told of
	d.engine = fresh // keeps what is said until it starts: the end takes two seconds where a call does not return
	d.mu.Unlock()
	old.end()
	fresh.ctl.Inherit(old.ctl)
	was, _ := d.running.server()
	is, unnamed := next.server() // a name that the configuration lacks keeps the server that is known
	if d.running.config.Provider == next.config.Provider && d.running.config.Endpoint() == next.config.Endpoint() {
		fresh.paced.Inherit(old.paced)
	}
	if was != is && unnamed == "" || d.running.config.Provider != next.config.Provider {
		d.setServer("")
	}
	d.secrets.Store(next.config)
	fresh.start(ctx)
	return nil
}

// sameInstances reports whether two keepalived.conf mean the same to floaty.
func sameInstances(a, b *conf.Config) bool {
	if a == nil || b == nil {
		return a == b
	}
	return reflect.DeepEqual(meaning(a), meaning(b))
}

// changedInstances says what has become of the instances of keepalived.conf: one that is renamed is one less and one more, and nobody has
// said what the new one is.
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

// meaning is a configuration without the places in its files.
func meaning(c *conf.Config) conf.Config {
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
