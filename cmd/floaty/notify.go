package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/handover"
	"floaty/config"
	"floaty/desired"
	"floaty/desired/keepalived"
	"floaty/desired/keepalived/conf"
	"floaty/providers/logkey"
)

// notify is Keepalived's notify script. MASTER holds the addresses of an instance, or of a group's members, until another
// process takes over, Keepalived is gone or ctx ends; anything else ends the holder. It returns the exit status.
func notify(ctx context.Context, c command, log logr.Logger) int {
	if c.event.IsRemark() {
		return exitOK
	}
	hangup, release := hangups()
	defer release()
	above := handover.Above()
	s, loading := loadInTime(ctx, c)
	unknown := above.Identify(s.pidFile())
	ctx, stop := above.Watch(ctx)
	defer stop()
	if unknown != nil && c.event.Claims() {
		log.Error(unknown, "cannot find the Keepalived that started this process: only a signal, a newer event or the end of any of its ancestors ends this holder")
	}
	lock, status := take(ctx, c, log, lockSettings(s, c.config), above)
	if lock != nil {
		defer lock.Release()
	}
	// Whatever is wrong, the holder has ended: who may not write must not write for want of a comma.
	key := subjectKey(c.event)
	switch {
	case !c.event.IsState():
		log.Error(nil, "not a VRRP state: want MASTER, BACKUP, FAULT, STOP or DELETED", key, c.event.Name, logkey.State, c.event.State)
		return exitUsage
	case lock == nil:
		return status
	case loading != nil:
		return refuse(log, loading)
	}
	logWarnings(log, setup{}, s, true)
	names, err := s.instances(c.event)
	if err != nil && (c.event.Claims() || s.keepalived != nil) {
		return refuse(log, err)
	}
	if !c.event.Claims() {
		return exitOK
	}
	if err := hold(ctx, c, log, s, names, hangup, func() error { return errors.Join(lock.Check(), above.Check()) }); err != nil {
		return refuse(log, err)
	}
	return exitOK
}

// hold keeps the addresses of the named instances here until ctx ends, or until still, which is asked before each write, says that we
// must not any more: after a standstill, nobody has told us yet.
func hold(ctx context.Context, c command, log logr.Logger, s setup, names []string, hangup <-chan os.Signal, still func() error) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	var holder *keepalived.Holder // it needs the daemon, whose calls need it
	d, err := newDaemon(c, log, s, names, func(ctx context.Context) error {
		if err := still(); err != nil {
			end(err)
			return err
		}
		return holder.Settle(ctx)
	})
	if err != nil {
		return err
	}
	told := func() {
		d.update(func() desired.Change { return d.state.SetKeepalived(holder.Instances()) })
	}
	holder = keepalived.NewHolder(c.event, names, keepalived.HolderOptions{AdvertInterval: d.state.AdvertInterval, Changed: told, Log: log})
	told()
	d.run(ctx, hangup, holder.Run, nil)
	key := subjectKey(c.event)
	log.Info("no longer holding", key, c.event.Name, logkey.Err, fmt.Sprint(context.Cause(ctx)))
	return nil
}

// subjectKey is the log key under which the name stands that the event is about.
func subjectKey(e keepalived.Event) string {
	if e.Type == "GROUP" {
		return logkey.Group
	}
	return logkey.Instance
}

// loadInTime reads the configuration, but waits for a disk that hangs no longer than makes sense: the holder must end.
func loadInTime(ctx context.Context, c command) (setup, error) {
	patience := loadTimeout
	if !c.event.Claims() {
		patience = 2 * time.Second
	}
	ctx, cancel := orTimeout(ctx, patience)
	defer cancel()
	return load(ctx, c.config)
}

// lockSettings returns what the lock needs to know, also of a configuration that is unusable otherwise.
func lockSettings(s setup, path string) config.Lock {
	if s.config != nil {
		return s.config.Lock
	}
	return config.LoadLock(path)
}

// take takes the lock of the event's instance or group; nil where there is nothing more to do, and then the exit status.
func take(ctx context.Context, c command, log logr.Logger, settings config.Lock, above *handover.Keepalived) (*handover.Lock, int) {
	key, name := subjectKey(c.event), c.event.Name
	if c.event.Type == "GROUP" {
		name = "GROUP-" + name
	}
	path := fmt.Sprintf(settings.FileTemplate, url.PathEscape(name))
	if c.dryRun {
		path += ".dry-run" // a rehearsal must not end the real holder
	}
	lock, err := handover.Acquire(ctx, handover.Options{Path: path, Timeout: settings.Timeout, Above: above, Log: log})
	switch {
	case err == nil:
		return lock, exitOK
	case errors.Is(err, handover.ErrNewer):
		log.Info("a newer event came first: nothing to do", key, c.event.Name, logkey.State, c.event.State)
		return nil, exitOK
	case ctx.Err() != nil:
		return nil, exitOK
	}
	log.Error(err, "taking over failed", key, c.event.Name, logkey.State, c.event.State)
	return nil, exitUnusable
}

// instances returns the names of the instances that an event is about. What keepalived.conf does not name is an error, if there is one.
func (s setup) instances(e keepalived.Event) ([]string, error) {
	if e.Type == "INSTANCE" {
		if s.keepalived != nil && !slices.ContainsFunc(s.keepalived.Instances, func(i conf.Instance) bool { return i.Name == e.Name }) {
			return nil, fmt.Errorf("keepalived-config: %s does not name the instance %q", s.config.KeepalivedConfig, e.Name)
		}
		return []string{e.Name}, nil
	}
	if s.keepalived != nil {
		for _, g := range s.keepalived.Groups {
			if g.Name == e.Name {
				return g.Members, nil
			}
		}
	}
	return nil, fmt.Errorf("keepalived-config: %s does not name the sync group %q, whose members' addresses are asked for", s.config.KeepalivedConfig, e.Name)
}
