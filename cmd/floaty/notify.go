package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/daemon"
	"floaty/cmd/floaty/internal/handover"
	"floaty/cmd/floaty/internal/inputs"
	"floaty/config"
	"floaty/providers/logkey"
)

// notify is Keepalived's notify script and returns the exit status. MASTER holds the addresses of an instance, or of
// a group's members, until another process takes over, Keepalived exits or ctx ends. Any other state stops the
// holder.
func notify(ctx context.Context, c command, log logr.Logger) int {
	if c.event.IsRemark() {
		return exitOK
	}
	hangup, release := catchSIGHUP()
	defer release()
	above := handover.Above()
	s, loading := loadWithTimeout(ctx, c)
	unknown := above.Identify(s.PIDFile())
	ctx, stop := above.Watch(ctx)
	defer stop()
	if unknown != nil && c.event.Claims() {
		log.Error(unknown, "cannot find the Keepalived that started this process: only a signal, a newer event or the exit of one of its ancestors stops this holder")
	}
	lock, status := acquireLock(ctx, c, log, lockSettings(s, c.config), above)
	if lock != nil {
		defer lock.Release()
	}
	// The previous holder is already stopped: a typo must not keep a demoted host writing.
	key := daemon.SubjectKey(c.event)
	switch {
	case !c.event.IsState():
		log.Error(nil, "not a VRRP state: want MASTER, BACKUP, FAULT, STOP or DELETED", key, c.event.Name, logkey.State, c.event.State)
		return exitUsage
	case lock == nil:
		return status
	case loading != nil:
		return reportProblems(log, loading)
	}
	inputs.LogWarnings(log, inputs.Inputs{}, s, true)
	names, err := s.EventInstances(c.event)
	if err != nil && (c.event.Claims() || s.Keepalived != nil) {
		return reportProblems(log, err)
	}
	if !c.event.Claims() {
		return exitOK
	}
	if err := daemon.Hold(ctx, c.daemonOptions(log), s, c.event, names, hangup, func() error { return errors.Join(lock.Check(), above.Check()) }); err != nil {
		return reportProblems(log, err)
	}
	return exitOK
}

// loadWithTimeout reads the inputs, but does not wait long if the disk hangs, because the previous holder must be stopped.
func loadWithTimeout(ctx context.Context, c command) (inputs.Inputs, error) {
	timeout := inputs.LoadTimeout
	if !c.event.Claims() {
		timeout = 2 * time.Second
	}
	ctx, cancel := withTimeout(ctx, timeout)
	defer cancel()
	return inputs.Load(ctx, c.config, nil)
}

// lockSettings returns the settings of the lock, even from a configuration that is otherwise unusable.
func lockSettings(s inputs.Inputs, path string) config.Lock {
	if s.Config != nil {
		return s.Config.Lock
	}
	return config.LoadLock(path)
}

// acquireLock acquires the lock of the event's instance or group. It returns nil if there is nothing more to do, with
// the exit status.
func acquireLock(ctx context.Context, c command, log logr.Logger, settings config.Lock, above *handover.Keepalived) (*handover.Lock, int) {
	key, name := daemon.SubjectKey(c.event), c.event.Name
	if c.event.IsGroup() {
		name = "GROUP-" + name
	}
	path := fmt.Sprintf(settings.FileTemplate, url.PathEscape(name))
	if c.dryRun {
		path += ".dry-run" // a dry run must not stop the real holder
	}
	lock, err := handover.Acquire(ctx, handover.Options{Path: path, Timeout: settings.Timeout, Above: above, Log: log})
	switch {
	case err == nil:
		return lock, exitOK
	case errors.Is(err, handover.ErrNewer):
		log.Info("superseded by a newer event: nothing to do", key, c.event.Name, logkey.State, c.event.State)
		return nil, exitOK
	case ctx.Err() != nil:
		return nil, exitOK
	}
	log.Error(err, "cannot take over from the previous holder", key, c.event.Name, logkey.State, c.event.State)
	return nil, exitUnusable
}
