package keepalived

import (
	"sync"
	"time"

	"github.com/go-logr/logr"

	"floaty/providers/logkey"
)

const (
	lockEvery    = 50 * time.Millisecond // while another process holds the lock: the earlier run is about to end
	lockPatience = 3 * time.Second       // then the file is discarded; Keepalived kills the earlier run after a second
	saveAgain    = 5 * time.Second       // after a failure
	saveAtEnd    = time.Second           // how long close waits for what is not saved yet
)

// A stateFile keeps the states while floaty restarts. Everything that touches the disk happens in a separate goroutine, because the disk
// may hang; nobody else waits for it. If something cannot be saved, the file is discarded, so that nothing outdated survives.
type stateFile struct {
	fifo    string   // the path of the FIFO that the states were read from
	boot    string   // the ID of this boot
	process *Process // the process in the record that was saved last; nil: it was not known

	file recordFile    // of the goroutine; its path is empty if nothing is kept
	todo chan struct{} // the goroutine has something to do
	done chan struct{} // closed when the goroutine has ended; nil: it has not been started
	exchange
}

// An exchange is what the listener and the state file's goroutine hand each other.
type exchange struct {
	mu    sync.Mutex // guards all below
	last  *record    // what the earlier run has saved; nil: not read yet, or taken
	taken bool       // last has been taken, and only now may the file be replaced
	next  *record    // what is to be saved; nil: nothing
	ended bool       // the goroutine must end
}

func newStateFile(path, fifo string, log logr.Logger) *stateFile {
	return &stateFile{fifo: fifo, boot: BootID(), file: recordFile{path: path, log: log}, todo: make(chan struct{}, 1)}
}

// open starts the goroutine: as soon as the earlier run has ended, it locks and reads the file, and calls loaded. A second call does
// nothing.
func (s *stateFile) open(loaded func()) {
	if s.file.path == "" || s.done != nil {
		return
	}
	s.done = make(chan struct{})
	go s.run(loaded)
}

// load returns what the earlier run saved, but only once. The record is empty if it is about another FIFO or from another boot.
func (s *stateFile) load() (r record, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		return record{}, false
	}
	r, s.last, s.taken, s.next = *s.last, nil, true, nil
	if r.FIFO != s.fifo || r.Boot != s.boot {
		r = record{}
	}
	return r, true
}

// save makes the goroutine save the states and the process that has reported them, which may be nil. If it is called again before that is
// done, only the last call counts.
func (s *stateFile) save(process *Process, instances map[string]Status) {
	s.process = process
	if s.file.path == "" {
		return
	}
	r := record{FIFO: s.fifo, Boot: s.boot, Instances: map[string]savedInstance{}}
	if process != nil {
		r.PID, r.Start = process.PID, process.startText()
	}
	for name, inst := range instances {
		if inst.State != Unknown {
			r.Instances[name] = savedInstance{inst.State.String(), inst.Since, inst.resumes}
		}
	}
	s.mu.Lock()
	s.next = &r
	s.mu.Unlock()
	s.wake()
}

// close waits until everything is saved, but no longer than a second, and releases the file.
func (s *stateFile) close() {
	if s.done == nil {
		return
	}
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.wake()
	select {
	case <-s.done:
	case <-time.After(saveAtEnd):
		s.file.log.Error(nil, "saving the states takes too long: ending without it, so the next run may not know the latest states", logkey.Path, s.file.path)
	}
}

func (s *stateFile) wake() {
	select {
	case s.todo <- struct{}{}:
	default: // it is about to look
	}
}

// run is what the goroutine runs.
func (s *stateFile) run(loaded func()) {
	defer close(s.done)
	defer s.file.unlock()
	if !s.read(loaded) {
		return
	}
	var failed *record
	for {
		r, ended := s.due()
		if r == nil {
			r = failed
		}
		failed = nil
		if r != nil && !s.file.save(*r) {
			failed = r
		}
		s.tried(r)
		switch {
		case ended:
			return
		case failed != nil:
			s.wait(saveAgain)
		default:
			s.wait(0)
		}
	}
}

// read waits for the lock and reads the file. It reports false if it must end instead. If the lock cannot be had in time although there is
// something to save, it goes on without the lock: its holder has not heard what is to be saved here, so the file is of no use.
func (s *stateFile) read(loaded func()) bool {
	begun := time.Now()
	for !s.file.acquireLock() {
		s.mu.Lock()
		wanted, ended := s.next != nil && len(s.next.Instances) > 0, s.ended
		s.mu.Unlock()
		if ended && wanted {
			_ = discard(s.file.path) // whoever holds the lock may still replace it
		}
		if ended {
			return false
		}
		if wanted && time.Since(begun) >= lockPatience {
			s.mu.Lock()
			s.taken = true
			s.mu.Unlock()
			return true
		}
		s.wait(lockEvery)
	}
	r := s.file.load()
	s.mu.Lock()
	s.last = &r
	s.mu.Unlock()
	loaded()
	return true
}

// due returns what to save now, and whether this is the end. At the end everything is saved, even if the earlier run's states have not
// been taken into account.
func (s *stateFile) due() (r *record, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken || s.ended {
		r = s.next
	}
	return r, s.ended
}

// tried notes that r was saved, or could not be.
func (s *stateFile) tried(r *record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == r {
		s.next = nil
	}
}

// wait waits until there is something to do, or for atMost; 0 means without limit.
func (s *stateFile) wait(atMost time.Duration) {
	var timeout <-chan time.Time
	if atMost > 0 {
		timeout = time.After(atMost)
	}
	select {
	case <-s.todo:
	case <-timeout:
	}
}
