package config

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"floaty/providers/providertest"

	"github.com/fsnotify/fsnotify"
	"github.com/go-logr/logr"
)

// The kernel's queue holds 16384 events. While it is full, further events are lost; the Watcher learns only that some were lost.
func TestAChangeLostToAnOverflowIsReported(t *testing.T) {
	t.Parallel()
	path := write(t, "floaty.yml", "a")
	busy := []string{path + ".1", path + ".2"} // in turn, because the kernel merges two equal events in a row
	put(t, busy[0], "a")
	put(t, busy[1], "a")
	watcher := NewWatcher(logr.Discard())
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	watcher.Watch([]string{path})
	var reports int
	watcher.Run(ctx, func() {
		if reports++; reports == 2 {
			cancel()
			return
		}
		for i := range 30000 {
			must(t, os.Chmod(busy[i%2], 0o600))
		}
		put(t, path, "b")
	})
	if reports != 2 {
		t.Errorf("got %d reports, want 2", reports)
	}
}

func TestNoGoroutineOutlivesTheContext(t *testing.T) {
	before := runtime.NumGoroutine()
	watcher := NewWatcher(logr.Discard())
	watcher.Watch([]string{t.TempDir()})
	ctx, cancel := context.WithCancel(context.Background())
	var notify *fsnotify.Watcher
	watcher.open = func() (n *fsnotify.Watcher, err error) {
		notify, err = fsnotify.NewWatcher()
		return notify, err
	}
	watcher.Run(ctx, cancel)
	// The notifier's own goroutine ends soon after it is closed.
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("got %d goroutines, want the %d from before", runtime.NumGoroutine(), before)
		}
	}
	if got := notify.WatchList(); len(got) > 0 {
		t.Errorf("got %q still watched, want nothing", got)
	}
}

// If the kernel has no inotify watches left, thousands of paths may be affected, and watches may become available again at any time.
func TestUnwatchablePathsAreLoggedOnceAndRetried(t *testing.T) {
	t.Parallel()
	var log providertest.Log
	refusing, err := fsnotify.NewWatcher()
	must(t, err)
	must(t, refusing.Close()) // so it refuses to watch any directory
	dir := t.TempDir()
	var paths []string
	for i := range 1000 {
		path := filepath.Join(dir, strconv.Itoa(i), "file")
		must(t, os.Mkdir(filepath.Dir(path), 0o700))
		paths = append(paths, path)
	}
	watcher := NewWatcher(log.Logger())
	watcher.Watch(paths)
	loop := newWatchLoop(watcher, refusing)
	loop.rewatch()
	loop.rewatch()
	if lines := log.Lines(""); len(lines) != 1 || !strings.Contains(lines[0], " more") || !strings.Contains(lines[0], "SIGHUP") {
		t.Errorf("got %d lines %.300q, want one that counts the paths", len(lines), lines)
	}
	if !loop.retryTimer.Stop() {
		t.Error("got no retry scheduled, want one")
	}
	loop.notify, err = fsnotify.NewWatcher()
	must(t, err)
	defer func() { _ = loop.notify.Close() }()
	loop.rewatch()
	if lines := log.Lines(""); len(lines) != 2 || !strings.Contains(lines[1], "watched for changes again") {
		t.Errorf("got %d lines %.300q, want one more that reports the recovery", len(lines), lines)
	}
	if loop.retryTimer.Stop() {
		t.Error("got a retry scheduled after the recovery, want none")
	}
}

func TestARefusedInotifyInstanceIsRetried(t *testing.T) {
	t.Parallel()
	var log providertest.Log
	watcher := NewWatcher(log.Logger())
	watcher.retry = time.Millisecond
	tries := 0
	watcher.open = func() (*fsnotify.Watcher, error) {
		if tries++; tries < 4 {
			return nil, syscall.EMFILE
		}
		return fsnotify.NewWatcher()
	}
	watcher.Watch([]string{write(t, "floaty.yml", "a")})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	reported := false
	watcher.Run(ctx, func() { reported = true; cancel() })
	if !reported {
		t.Error("got no report once there was an inotify instance, want one for the changes missed until then")
	}
	if lines := log.Lines(""); len(lines) != 2 || !strings.Contains(lines[0], "SIGHUP") || !strings.Contains(lines[1], "watched for changes again") {
		t.Errorf("got lines %q, want one for the failure and one for the recovery", lines)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
