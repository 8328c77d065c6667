// Package providertest holds test doubles that the tests of several packages share. None behaves like a real cloud; for that there is
// package simulator.
package providertest

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
)

// A Log records log lines, except those at debug level, in the text form of package funcr. Times are written relative to the time of
// the line, such as "10s". The zero value is ready for use. It may be used by several goroutines, and in a bubble of testing/synctest.
type Log struct {
	mu    sync.Mutex // guards lines
	lines []string
}

// Logger returns a logger whose lines are recorded.
func (l *Log) Logger() logr.Logger {
	return funcr.New(func(_, line string) { l.Add(line) }, funcr.Options{RenderArgsHook: relative})
}

// relative replaces the times in a list of keys and values.
func relative(list []any) []any {
	list = slices.Clone(list)
	for i, value := range list {
		if at, ok := value.(time.Time); ok {
			list[i] = time.Until(at).String()
		}
	}
	return list
}

// Add records a line.
func (l *Log) Add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

// Lines returns the recorded lines that contain text, in order. All lines contain "".
func (l *Log) Lines(text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.lines), func(line string) bool { return !strings.Contains(line, text) })
}

// Want reports an error unless exactly these lines were recorded.
func (l *Log) Want(t testing.TB, want ...string) {
	t.Helper()
	if got := l.Lines(""); !slices.Equal(got, want) {
		t.Errorf("got the lines\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
