package logqueue_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"floaty/cmd/floaty/internal/logqueue"
)

// A pipe blocks each write until reading begins.
type pipe struct {
	read chan struct{} // closed when reading begins

	mu    sync.Mutex // guards lines
	lines []string
}

func (p *pipe) Write(line []byte) (int, error) {
	<-p.read
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, string(line))
	return 0, errors.New("ignored")
}

func note(dropped int) []byte { return fmt.Appendf(nil, "%d dropped\n", dropped) }

func TestLinesAreWrittenInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipe{read: make(chan struct{})}
		close(p.read)
		q := logqueue.New(p, note)
		line := []byte("1\n")
		for range 3 {
			_, _ = q.Write(line) // never fails
			line[0]++            // the queue has its own copy
		}
		q.Close(time.Second)
		if got, want := strings.Join(p.lines, ""), "1\n2\n3\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestALateReaderGetsTheNumberOfDroppedLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipe{read: make(chan struct{})}
		q := logqueue.New(p, note)
		line := []byte(strings.Repeat("x", 1023) + "\n")
		_, _ = q.Write(line) // it is being written
		synctest.Wait()
		for range 256 + 44 {
			_, _ = q.Write(line)
		}
		close(p.read)
		synctest.Wait()
		if got := len(p.lines); got != 1+256+1 {
			t.Fatalf("got %d lines, want the first one, the 256 that fit into the queue, and one with the number of the others", got)
		}
		if got := q.Dropped(); got != 44 {
			t.Errorf("Dropped: got %d, want 44", got)
		}
		if got, want := p.lines[257], "44 dropped\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		_, _ = q.Write([]byte("again\n"))
		synctest.Wait()
		if got, want := p.lines[len(p.lines)-1], "again\n"; got != want {
			t.Errorf("got %q last, want %q", got, want)
		}
		q.Close(time.Second)
	})
}

func TestCloseDoesNotWaitLongerThanGiven(t *testing.T) {
	for reader, want := range map[time.Duration]time.Duration{time.Millisecond: time.Millisecond, time.Hour: time.Second} {
		synctest.Test(t, func(t *testing.T) {
			p := &pipe{read: make(chan struct{})}
			q := logqueue.New(p, note)
			_, _ = q.Write([]byte("last words\n"))
			time.AfterFunc(reader, func() { close(p.read) })
			begun := time.Now()
			q.Close(time.Second)
			if took := time.Since(begun); took != want {
				t.Errorf("with a reader after %v: got Close's return after %v, want it after %v", reader, took, want)
			}
			time.Sleep(reader)
			synctest.Wait()
			if len(p.lines) != 1 {
				t.Errorf("with a reader after %v: got %q, want the line", reader, p.lines)
			}
			_, _ = q.Write([]byte("too late\n")) // as by a goroutine that still runs after Close
		})
	}
}
