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

// The kernel's queue holds 16384 events; what happens while it is full is lost, except the fact that it was full.
func TestAChangeLostToAnOverflowIsReported(t *testing.T) {
	t.Parallel()
	path := write(t, "floaty.yml", "a")
	busy := []string{path + ".1", path + ".2"} // in turn, as the kernel merges two equal events
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

// Where the kernel has no watches left, that concerns thousands of paths, and it may have some again at any time.
func TestUnwatchablePathsAreLoggedOnceAndRetried(t *testing.T) {
	t.Parallel()
	var log providertest.Log
	refusing, err := fsnotify.NewWatcher()
	must(t, err)
	must(t, refusing.Close()) // then every directory is refused
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
		t.Error("it is not tried again")
	}
	loop.notify, err = fsnotify.NewWatcher()
	must(t, err)
	defer func() { _ = loop.notify.Close() }()
	loop.rewatch()
	if lines := log.Lines(""); len(lines) != 2 || !strings.Contains(lines[1], "watched for changes again") {
		t.Errorf("got %d lines %.300q, want one more that says that all is well again", len(lines), lines)
	}
	if loop.retryTimer.Stop() {
		t.Error("it is tried again though all is well")
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
		t.Error("got no report once there were notifications again, want one for what was missed")
	}
	if lines := log.Lines(""); len(lines) != 2 || !strings.Contains(lines[0], "SIGHUP") || !strings.Contains(lines[1], "watched for changes again") {
		t.Errorf("got lines %q, want one when it begins and one when it ends", lines)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
