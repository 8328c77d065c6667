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

	"floaty/providers/logkey"
)

// quiet is how long a changed path must rest before it is reported, and longest how long a report may take if it never
// rests. Editors and package managers do several things to a file within a few milliseconds.
const (
	quiet   = 100 * time.Millisecond
	longest = 500 * time.Millisecond
)

// retryEvery is how often to try again what the kernel refused: its instances and watches are counted for all programs of a user,
// and another one may give some back.
const retryEvery = time.Minute

// A Watcher says when files have changed: edited in place, renamed over, removed, made (their directories, too), given
// another mode, or reached through a symbolic link that was swapped, as Kubernetes updates its mounts.
//
// It watches directories, from the root down to each path and along every symbolic link on the way, because that is
// where all of this shows. It reads no file: a report too many is harmless, so it does not try to tell whether contents
// differ. It does not see what is mounted over a path, or written through another machine to a shared file system.
type Watcher struct {
	log   logr.Logger
	open  func() (*fsnotify.Watcher, error) // asks the kernel for an instance
	retry time.Duration                     // before it is asked again
	stale chan struct{}                     // there are new paths to watch

	mu    sync.Mutex
	paths []string // guarded by mu; absolute
	fresh bool     // guarded by mu; one of paths was never reported
}

// NewWatcher returns a Watcher of nothing.
func NewWatcher(log logr.Logger) *Watcher {
	return &Watcher{log: log, open: fsnotify.NewWatcher, retry: retryEvery, stale: make(chan struct{}, 1)}
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
	w.signal()
}

func (w *Watcher) signal() {
	select {
	case w.stale <- struct{}{}:
	default:
	}
}

// renew has the paths watched as if they were new.
func (w *Watcher) renew() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fresh = true
	w.signal()
}

// Run watches until ctx ends, and calls changed, one call at a time, within a second of a change. While the kernel has no
// notifications left it says so, once, and tries again each minute. It can be called once.
func (w *Watcher) Run(ctx context.Context, changed func()) {
	for failed := false; ; {
		notify, err := w.open()
		if err == nil {
			if failed {
				failed = false
				w.log.Info("files are watched again")
				w.renew() // what changed meanwhile was not seen
			}
			err = w.follow(ctx, notify, changed)
			_ = notify.Close() // waits for its goroutine
		}
		if ctx.Err() != nil {
			return
		}
		if !failed {
			failed = true
			w.log.Error(err, "files are not watched: send SIGHUP after an edit")
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(w.retry):
		}
	}
}

// follow does what Run does with one instance of the kernel's, until ctx or the notifications end.
func (w *Watcher) follow(ctx context.Context, notify *fsnotify.Watcher, changed func()) error {
	loop := newWatchLoop(w, notify)
	defer loop.timer.Stop()
	defer loop.again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.stale:
			loop.arm()
			if w.takeFresh() {
				loop.touch()
			}
		case event, open := <-notify.Events:
			if !open {
				return errors.New("watching files: notifications ended")
			}
			loop.event(event)
		case err, open := <-notify.Errors:
			if !open {
				return errors.New("watching files: notifications ended")
			}
			loop.lost(err)
		case <-loop.timer.C:
			loop.due = time.Time{}
			loop.arm() // what was replaced in the meantime is watched before it is read
			changed()
		case <-loop.again.C:
			loop.arm()
			loop.touch() // what could not be watched may have changed
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
	notify *fsnotify.Watcher
	route  route       // that was armed last
	timer  *time.Timer // runs while a change waits for its report
	due    time.Time   // the latest time of that report; zero: none waits

	refused map[string]error // what could not be watched, and why
	said    map[string]bool  // what of it was said
	again   *time.Timer      // runs while there is any
}

func newWatchLoop(w *Watcher, notify *fsnotify.Watcher) *watchLoop {
	l := &watchLoop{
		Watcher: w, notify: notify, timer: time.NewTimer(longest), refused: map[string]error{}, said: map[string]bool{},
		again: time.NewTimer(w.retry),
	}
	l.timer.Stop() // until the first touch
	l.again.Stop()
	return l
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
		l.log.Info("notifications of changed files were lost", logkey.Err, err)
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
	maps.DeleteFunc(l.refused, func(path string, _ error) bool { return !l.route.watched[path] })
	l.complain()
}

// watch watches one directory or file. It is repeated each time: a directory made anew needs a new watch.
func (l *watchLoop) watch(path string) {
	err := l.notify.Add(path)
	if err == nil || errors.Is(err, os.ErrNotExist) { // gone again: the directory above it tells
		delete(l.refused, path)
		return
	}
	l.refused[path] = err
}

// complain says what is not watched, in one line for all of it: where the kernel has no watches left, that may be thousands.
func (l *watchLoop) complain() {
	if len(l.refused) == 0 {
		if len(l.said) > 0 {
			l.log.Info("changes of all files are seen again")
		}
		clear(l.said)
		l.again.Stop()
		return
	}
	l.again.Reset(l.retry)
	paths := slices.Sorted(maps.Keys(l.refused))
	if !slices.ContainsFunc(paths, func(path string) bool { return !l.said[path] }) {
		return
	}
	for _, path := range paths {
		l.said[path] = true
	}
	where := paths[0]
	if len(paths) > 1 {
		where = fmt.Sprintf("%s and %d more", where, len(paths)-1)
	}
	l.log.Error(l.refused[paths[0]], "changes of files or directories are not seen: send SIGHUP after an edit", logkey.Path, where)
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
