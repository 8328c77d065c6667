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

// A change is reported once there has been no other for debounce, or after maxDelay if changes do not stop. Editors and package managers
// change a file several times within a few milliseconds.
const (
	debounce = 100 * time.Millisecond
	maxDelay = 500 * time.Millisecond
)

// retryEvery is the time between two tries if the kernel refused a watch. The numbers of inotify instances and watches are limited per
// user, so another program may free some.
const retryEvery = time.Minute

// A Watcher reports changes of files: when one is edited in place, replaced by a rename, removed, created (or its
// directories are), given another mode, or reached through a symbolic link that was swapped, as in Kubernetes mounts.
//
// It watches all directories from the root to each path, along every symbolic link on the way, because all of these
// changes show there. It reads no file: since a superfluous report is harmless, it does not compare contents. It does
// not see what is mounted over a path, or what another machine writes to a shared file system.
type Watcher struct {
	log      logr.Logger
	open     func() (*fsnotify.Watcher, error) // creates an inotify instance
	retry    time.Duration                     // the delay before trying again
	replaced chan struct{}                     // receives when paths or unreported have changed

	mu         sync.Mutex // guards all below
	paths      []string   // absolute
	unreported bool       // at least one of paths was not reported yet
}

// NewWatcher returns a Watcher of no paths.
func NewWatcher(log logr.Logger) *Watcher {
	return &Watcher{log: log, open: fsnotify.NewWatcher, retry: retryEvery, replaced: make(chan struct{}, 1)}
}

// Watch replaces the watched paths. They need not exist. A directory stands for its entries. Watch may be called at
// any time, even from the callback of [Watcher.Run].
//
// A path that was not watched before is reported as changed once, because it may have changed after the caller read
// it and before it was watched. So callers load, watch, and load again when a change is reported.
func (w *Watcher) Watch(paths []string) {
	absolute := make([]string, 0, len(paths))
	for _, path := range paths {
		absolute = append(absolute, absolutePath(path))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unreported = w.unreported || len(notIn(absolute, w.paths)) > 0
	w.paths = absolute
	w.signal()
}

func (w *Watcher) signal() {
	select {
	case w.replaced <- struct{}{}:
	default:
	}
}

// reportAll makes all paths count as not reported yet.
func (w *Watcher) reportAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unreported = true
	w.signal()
}

// Run watches until ctx ends. It calls changed within a second of a change, one call at a time. If the kernel allows no more inotify
// instances, Run logs that once and tries again every minute. It must be called only once.
func (w *Watcher) Run(ctx context.Context, changed func()) {
	for failed := false; ; {
		notify, err := w.open()
		if err == nil {
			if failed {
				failed = false
				w.log.Info("files are watched for changes again")
				w.reportAll() // changes in the meantime were missed
			}
			err = w.follow(ctx, notify, changed)
			_ = notify.Close() // waits for its goroutine
		}
		if ctx.Err() != nil {
			return
		}
		if !failed {
			failed = true
			w.log.Error(err, "cannot watch files for changes: send SIGHUP after editing them")
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(w.retry):
		}
	}
}

// follow watches with one inotify instance, until ctx or the notifications end.
func (w *Watcher) follow(ctx context.Context, notify *fsnotify.Watcher, changed func()) error {
	loop := newWatchLoop(w, notify)
	defer loop.timer.Stop()
	defer loop.retryTimer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.replaced:
			loop.rewatch()
			if w.takeUnreported() {
				loop.scheduleReport()
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
			loop.notificationsLost(err)
		case <-loop.timer.C:
			loop.due = time.Time{}
			loop.rewatch() // files replaced in the meantime are watched before they are read
			changed()
		case <-loop.retryTimer.C:
			loop.rewatch()
			loop.scheduleReport() // the paths that were not watched may have changed
		}
	}
}

func (w *Watcher) takeUnreported() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	unreported := w.unreported
	w.unreported = false
	return unreported
}

func (w *Watcher) current() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.paths
}

// A watchLoop is the state of follow.
type watchLoop struct {
	*Watcher
	notify *fsnotify.Watcher
	route  route       // the one that is watched
	timer  *time.Timer // runs while a report is scheduled
	due    time.Time   // the latest time of that report; zero: none is scheduled

	refused    map[string]error // the paths that could not be watched, and why
	logged     map[string]bool  // those of them that were logged
	retryTimer *time.Timer      // runs while refused is not empty
}

func newWatchLoop(w *Watcher, notify *fsnotify.Watcher) *watchLoop {
	l := &watchLoop{
		Watcher: w, notify: notify, timer: time.NewTimer(maxDelay), refused: map[string]error{}, logged: map[string]bool{},
		retryTimer: time.NewTimer(w.retry),
	}
	l.timer.Stop()
	l.retryTimer.Stop()
	return l
}

// event handles one notification. If an entry was created or removed, the route is watched anew at once, because
// changes below a new directory show only from then on.
func (l *watchLoop) event(event fsnotify.Event) {
	if !l.route.concerns(filepath.Clean(event.Name)) {
		return
	}
	if event.Op != fsnotify.Write {
		l.rewatch()
	}
	l.scheduleReport()
}

// notificationsLost handles an error of the notifications, which may have hidden a change. The most likely one is an
// overflow of the queue.
func (l *watchLoop) notificationsLost(err error) {
	if !errors.Is(err, fsnotify.ErrEventOverflow) {
		l.log.Info("lost notifications of changed files", logkey.Err, err)
	}
	l.scheduleReport()
}

// scheduleReport schedules a report for when there has been no change for debounce, but no later than due.
func (l *watchLoop) scheduleReport() {
	now := time.Now()
	if l.due.IsZero() {
		l.due = now.Add(maxDelay)
	}
	l.timer.Reset(min(debounce, l.due.Sub(now)))
}

// rewatch watches everything that is now on the way to each path, and nothing else.
func (l *watchLoop) rewatch() {
	l.route = newRoute(l.watch)
	for _, path := range l.current() {
		l.route.follow(path)
	}
	for _, path := range l.notify.WatchList() {
		if !l.route.watched[path] {
			_ = l.notify.Remove(path) // the kernel may have removed it already
		}
	}
	maps.DeleteFunc(l.refused, func(path string, _ error) bool { return !l.route.watched[path] })
	l.logUnwatched()
}

// watch adds a watch for one directory or file. Adding it again is necessary for a directory that was created anew,
// and harmless otherwise.
func (l *watchLoop) watch(path string) {
	err := l.notify.Add(path)
	if err == nil || errors.Is(err, os.ErrNotExist) { // removed since: its directory will tell if it is created again
		delete(l.refused, path)
		return
	}
	l.refused[path] = err
}

// logUnwatched logs what is not watched, in one line, because there may be thousands of paths if the kernel allows no
// more watches.
func (l *watchLoop) logUnwatched() {
	if len(l.refused) == 0 {
		if len(l.logged) > 0 {
			l.log.Info("all files are watched for changes again")
		}
		clear(l.logged)
		l.retryTimer.Stop()
		return
	}
	l.retryTimer.Reset(l.retry)
	paths := slices.Sorted(maps.Keys(l.refused))
	if !slices.ContainsFunc(paths, func(path string) bool { return !l.logged[path] }) {
		return
	}
	for _, path := range paths {
		l.logged[path] = true
	}
	where := paths[0]
	if len(paths) > 1 {
		where = fmt.Sprintf("%s and %d more", where, len(paths)-1)
	}
	l.log.Error(l.refused[paths[0]], "cannot watch some files or directories for changes: send SIGHUP after editing them", logkey.Path, where)
}

// absolutePath makes path absolute without cleaning it, because .. after a symbolic link means the parent of the
// link's target.
func absolutePath(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	wd, err := os.Getwd()
	if err != nil {
		return "/" + path
	}
	return wd + "/" + path
}
