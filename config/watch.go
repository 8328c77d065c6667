package config

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/go-logr/logr"
)

// quiet is how long a changed path must rest before it is reported, and longest how long a report may take if it never
// rests. Editors and package managers do several things to a file within a few milliseconds.
const (
	quiet   = 100 * time.Millisecond
	longest = 500 * time.Millisecond
)

// A Watcher says when files have changed: edited in place, renamed over, removed, made (their directories, too), given
// another mode, or reached through a symbolic link that was swapped, as Kubernetes updates its mounts.
//
// It watches directories, from the root down to each path and along every symbolic link on the way, because that is
// where all of this shows. It reads no file: a report too many is harmless, so it does not try to tell whether contents
// differ. It does not see what is mounted over a path, or written through another machine to a shared file system.
type Watcher struct {
	log    logr.Logger
	notify *fsnotify.Watcher
	stale  chan struct{} // there are new paths to watch

	mu    sync.Mutex
	paths []string // guarded by mu; absolute
	fresh bool     // guarded by mu; one of paths was never reported
}

// NewWatcher returns a Watcher of nothing. What it holds is released by [Watcher.Run].
func NewWatcher(log logr.Logger) (*Watcher, error) {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watching files: %w", err)
	}
	return &Watcher{log: log, notify: notify, stale: make(chan struct{}, 1)}, nil
}

// Watch replaces the paths that are watched; none of them has to exist. A path that is a directory stands for its
// entries. Watch may be called at any time, also out of the changed of [Watcher.Run].
//
// A path that was not watched before is reported as changed once: it may have changed after the caller read it and
// before it was watched. So load, watch, and load again when told.
func (w *Watcher) Watch(paths []string) {
	absolute := make([]string, 0, len(paths))
	for _, path := range paths {
		absolute = append(absolute, rooted(path))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fresh = w.fresh || len(missingFrom(w.paths, absolute)) > 0
	w.paths = absolute
	select {
	case w.stale <- struct{}{}:
	default:
	}
}

// Run watches until ctx ends, and calls changed, one call at a time, within a second of a change. It returns nil when ctx
// has ended, and an error if the kernel's notifications ended first. It can be called once.
func (w *Watcher) Run(ctx context.Context, changed func()) error {
	defer func() { _ = w.notify.Close() }() // waits for its goroutine
	loop := watchLoop{Watcher: w, failed: map[string]bool{}, timer: time.NewTimer(longest)}
	loop.timer.Stop() // until the first touch
	defer loop.timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.stale:
			loop.arm()
			if w.takeFresh() {
				loop.touch()
			}
		case event, open := <-w.notify.Events:
			if !open {
				return errors.New("watching files: notifications ended")
			}
			loop.event(event)
		case err, open := <-w.notify.Errors:
			if !open {
				return errors.New("watching files: notifications ended")
			}
			loop.lost(err)
		case <-loop.timer.C:
			loop.due = time.Time{}
			loop.arm() // what was replaced in the meantime is watched before it is read
			changed()
		}
	}
}

func (w *Watcher) takeFresh() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	fresh := w.fresh
	w.fresh = false
	return fresh
}

func (w *Watcher) current() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.paths
}

// A watchLoop is what Run's goroutine keeps between two events.
type watchLoop struct {
	*Watcher
	route  route           // that was armed last
	failed map[string]bool // directories that could not be watched, so that each is said once
	timer  *time.Timer     // runs while a change waits for its report
	due    time.Time       // the latest time of that report; zero: none waits
}

// event takes one notification. A new route is looked for at once when a name appears or goes, because what happens
// below a new directory shows only from then on.
func (l *watchLoop) event(event fsnotify.Event) {
	if !l.route.concerns(filepath.Clean(event.Name)) {
		return
	}
	if event.Op != fsnotify.Write {
		l.arm()
	}
	l.touch()
}

// lost takes an error of the notifications: any may stand for a change, above all that of a full queue.
func (l *watchLoop) lost(err error) {
	if !errors.Is(err, fsnotify.ErrEventOverflow) {
		l.log.Info("notifications of changed files were lost", "err", err)
	}
	l.touch()
}

// touch asks for a report when nothing has moved for a while, but not later than due.
func (l *watchLoop) touch() {
	now := time.Now()
	if l.due.IsZero() {
		l.due = now.Add(longest)
	}
	l.timer.Reset(min(quiet, l.due.Sub(now)))
}

// arm watches what lies on the way to each path as it is now, and nothing else.
func (l *watchLoop) arm() {
	l.route = newRoute(l.watch)
	for _, path := range l.current() {
		l.route.follow(path)
	}
	for _, path := range l.notify.WatchList() {
		if !l.route.watched[path] {
			_ = l.notify.Remove(path) // it may have gone by itself
		}
	}
	maps.DeleteFunc(l.failed, func(path string, _ bool) bool { return !l.route.watched[path] })
}

// watch watches one directory or file. It is repeated each time: a directory made anew needs a new watch.
func (l *watchLoop) watch(path string) {
	err := l.notify.Add(path)
	if err == nil || errors.Is(err, os.ErrNotExist) { // gone again: the directory above it tells
		delete(l.failed, path)
		return
	}
	if !l.failed[path] {
		l.log.Info("changes of a file or directory are not seen: send SIGHUP after one", "path", path, "err", err.Error())
	}
	l.failed[path] = true
}

// rooted makes path absolute without cleaning it, for a .. behind a symbolic link means the parent of its target.
func rooted(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	wd, err := os.Getwd()
	if err != nil {
		return "/" + path
	}
	return wd + "/" + path
}

// missingFrom returns those of paths that known lacks.
func missingFrom(known, paths []string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(path string) bool { return slices.Contains(known, path) })
}
