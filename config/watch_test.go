package config

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
)

// within is the time in which the Watcher promises a report. The tests wait longer, only to tell a late report from a missing one.
const within = time.Second

// A runningWatcher is a Watcher that is running and has already made its first report.
type runningWatcher struct {
	*Watcher
	t       *testing.T
	reports atomic.Int64
	seen    int64
}

func watch(t *testing.T, paths ...string) *runningWatcher {
	t.Helper()
	watcher := NewWatcher(logr.Discard())
	w := &runningWatcher{Watcher: watcher, t: t}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		watcher.Run(ctx, func() { w.reports.Add(1) })
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	w.Watch(paths)
	w.want("watching a new path")
	return w
}

// want waits for one more report, and fails if it is late.
func (w *runningWatcher) want(after string) {
	w.t.Helper()
	start := time.Now()
	for w.reports.Load() == w.seen {
		if time.Since(start) > 5*within {
			w.t.Fatalf("got no report after %s, want one within %v", after, within)
		}
		time.Sleep(time.Millisecond)
	}
	if took := time.Since(start); took > within {
		w.t.Errorf("got a report %v after %s, want it within %v", took, after, within)
	}
	w.seen = w.reports.Load()
}

func TestAnEditInPlaceIsReported(t *testing.T) {
	t.Parallel()
	path := write(t, "floaty.yml", "a")
	w := watch(t, path)
	put(t, path, "b")
	w.want("an edit in place")
}

func TestAChangedModeIsReported(t *testing.T) {
	t.Parallel()
	path := write(t, "token", "a")
	w := watch(t, path)
	must(t, os.Chmod(path, 0o640)) //nolint:gosec // as an operator would, for an unprivileged daemon
	w.want("a new mode")
}

func TestARenameOverIsReported(t *testing.T) {
	t.Parallel()
	path := write(t, "floaty.yml", "a")
	w := watch(t, path)
	for range 2 { // the second rename replaces a file that was itself renamed into place
		put(t, path+".new", "b")
		must(t, os.Rename(path+".new", path))
		w.want("a rename over the file")
	}
	put(t, path, "c")
	w.want("an edit of the file renamed into place")
}

func TestAFileRemovedAndCreatedAgainIsReported(t *testing.T) {
	t.Parallel()
	path := write(t, "floaty.yml", "a")
	w := watch(t, path)
	for range 2 {
		must(t, os.Remove(path))
		w.want("a removal")
		put(t, path, "b")
		w.want("creating the file again")
	}
}

func TestAKubernetesMountIsReported(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mount := func(version, content string) {
		must(t, os.Mkdir(filepath.Join(dir, version), 0o700))
		put(t, filepath.Join(dir, version, "floaty.yml"), content)
		must(t, os.Symlink(version, filepath.Join(dir, "..data_tmp")))
		must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	mount("..2024_1", "a")
	path := filepath.Join(dir, "floaty.yml")
	must(t, os.Symlink("..data/floaty.yml", path))
	w := watch(t, path)
	mount("..2024_2", "b")
	w.want("a swap of ..data")
	must(t, os.RemoveAll(filepath.Join(dir, "..2024_1")))
	mount("..2024_3", "c")
	w.want("a second swap of ..data")
	put(t, filepath.Join(dir, "..2024_3", "floaty.yml"), "d")
	w.want("an edit behind the links")
}

func TestASymlinkedFileIsReportedAtItsTarget(t *testing.T) {
	t.Parallel()
	target := write(t, "target.yml", "a")
	path := filepath.Join(t.TempDir(), "floaty.yml")
	must(t, os.Symlink(target, path))
	w := watch(t, path)
	put(t, target, "b")
	w.want("an edit of the target")
	put(t, target+".new", "c")
	must(t, os.Rename(target+".new", target))
	w.want("a rename over the target")
}

func TestASymlinkedDirectoryIsReported(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, release := range []string{"v1", "v2"} {
		must(t, os.MkdirAll(filepath.Join(dir, release, "etc"), 0o700))
		put(t, filepath.Join(dir, release, "etc", "floaty.yml"), release)
	}
	link := filepath.Join(dir, "current")
	must(t, os.Symlink("v1/etc", link))
	w := watch(t, link+"/../etc/floaty.yml") // the parent of the target, not of the link
	must(t, os.Symlink(filepath.Join(dir, "v2/etc"), link+".new"))
	must(t, os.Rename(link+".new", link))
	w.want("a swap of the directory")
	put(t, filepath.Join(dir, "v2", "etc", "floaty.yml"), "b")
	w.want("an edit in the new directory")
}

func TestADirectoryRemovedAndCreatedAgainIsReported(t *testing.T) {
	t.Parallel()
	path := write(t, "floaty.yml", "a")
	dir := filepath.Dir(path)
	w := watch(t, path)
	for range 2 {
		must(t, os.RemoveAll(dir))
		w.want("the removal of the directory")
		must(t, os.Mkdir(dir, 0o700))
		put(t, path, "b")
		w.want("creating the directory again")
		put(t, path, "c")
		w.want("an edit in it")
	}
}

func TestAReplacedDirectoryIsReported(t *testing.T) {
	t.Parallel()
	path := write(t, "floaty.yml", "a")
	dir := filepath.Dir(path)
	w := watch(t, path)
	must(t, os.Rename(dir, dir+".old"))
	must(t, os.Mkdir(dir, 0o700))
	put(t, path, "b")
	w.want("renaming the directory and creating it again")
	put(t, path, "c")
	w.want("an edit in it")
	must(t, os.RemoveAll(dir))
	must(t, os.Rename(dir+".old", dir))
	w.want("renaming the old directory back")
	put(t, path, "d")
	w.want("an edit in the old directory")
}

func TestADirectoryCreatedLaterIsReported(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a", "b", "c", "floaty.yml")
	w := watch(t, path)
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	put(t, path, "a")
	w.want("a file in directories that were missing")
	put(t, path, "b")
	w.want("an edit of it")
}

func TestEntriesOfAWatchedDirectoryAreReported(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := watch(t, dir)
	path := filepath.Join(dir, "a.conf")
	put(t, path, "a")
	w.want("a new entry")
	put(t, path, "b")
	w.want("an edit of an entry")
	must(t, os.Rename(path, filepath.Join(dir, "b.conf")))
	w.want("a rename of an entry")
	must(t, os.Remove(filepath.Join(dir, "b.conf")))
	w.want("the removal of an entry")
}

func TestAFileThatNeverStopsChangingIsReported(t *testing.T) {
	t.Parallel()
	path := write(t, "floaty.yml", "a")
	w := watch(t, path)
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
				_ = os.WriteFile(path, []byte("b"), 0o600)
			}
		}
	}()
	w.want("continuous writes")
	close(stop)
	<-stopped
}

// The edits are made while the watcher is busy with its callback, so that it sees them together even on a slow machine.
func TestEditsInQuickSuccessionAreReportedOnce(t *testing.T) {
	t.Parallel()
	path := write(t, "floaty.yml", "a")
	watcher := NewWatcher(logr.Discard())
	w := &runningWatcher{Watcher: watcher, t: t}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	done := make(chan struct{})
	go func() {
		defer close(done)
		watcher.Run(ctx, func() {
			if w.reports.Add(1) == 1 {
				put(t, path, "b")
				put(t, path, "c")
				put(t, path, "d")
			}
		})
	}()
	defer func() { cancel(); <-done }()
	watcher.Watch([]string{path})
	for w.reports.Load() < 2 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	w.seen = 2
	w.quietFor(filepath.Join(t.TempDir(), "other"))
}

func TestAnUnrelatedFileIsNotReported(t *testing.T) {
	t.Parallel()
	path := write(t, "floaty.yml", "a")
	w := watch(t, path)
	dir := filepath.Dir(path)
	put(t, filepath.Join(dir, "floaty.yml.swp"), "a")
	must(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	w.quietFor(filepath.Join(dir, "other"))
}

// quietFor fails if w reports anything before a second watcher has reported two edits of other. That takes at least as long as an
// unwanted report would.
func (w *runningWatcher) quietFor(other string) {
	w.t.Helper()
	second := watch(w.t, other)
	for range 2 {
		put(w.t, other, "a")
		second.want("an edit of the other file")
	}
	if got := w.reports.Load(); got != w.seen {
		w.t.Errorf("got %d reports, want %d", got, w.seen)
	}
}

func TestPathsCanBeReplacedWhileRunning(t *testing.T) {
	t.Parallel()
	first, next := write(t, "first.yml", "a"), write(t, "next.yml", "a")
	w := watch(t, first)
	w.Watch([]string{first, next})
	w.want("watching one more path")
	put(t, next, "b")
	w.want("an edit of the new path")
	w.Watch([]string{next})
	put(t, first, "c") // this may still be reported, if the paths have not been replaced yet
	put(t, next, "c")
	w.want("an edit of the path that stays")
	w.quietFor(first)
}

func TestPathsCanBeReplacedFromTheCallback(t *testing.T) {
	t.Parallel()
	path := write(t, "floaty.yml", "a")
	watcher := NewWatcher(logr.Discard())
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	watcher.Watch([]string{path})
	var reports int
	watcher.Run(ctx, func() {
		reports++
		watcher.Watch([]string{path, path + ".included"}) // the second path is new only in the first call
		if reports == 2 {
			cancel()
		}
	})
	if reports != 2 {
		t.Errorf("got %d reports, want 2", reports)
	}
}
