package keepalived

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"

	"floaty/providers/logkey"
)

const (
	lockEvery    = 50 * time.Millisecond // while another process holds the lock: the last run is about to end
	lockPatience = 3 * time.Second       // with it: Keepalived kills the last run after a second
	saveAgain    = 5 * time.Second       // after a failure
	saveAtEnd    = time.Second           // the end waits so long for what is to be saved
)

// errLocked is why nothing is saved for the time being.
var errLocked = errors.New("another process holds the lock")

// A stateFile keeps the states over a restart of floaty. All that touches the disk, which may hang, is done by a goroutine of its
// own; nobody waits for it. What cannot be saved is removed, so that nothing stale survives.
type stateFile struct {
	path string // of the file; empty: nothing is kept
	log  logr.Logger
	todo chan struct{} // there is something to do
	done chan struct{} // closed when the goroutine has ended; nil: it was not started

	mu     sync.Mutex // guards all below
	loaded func()     // is called once the last run's record was read
	last   *record    // of the last run; nil: it is not read yet, or was taken
	taken  bool       // nothing is saved before
	next   *record    // to be saved; nil: nothing
	ended  bool
}

func newStateFile(path string, log logr.Logger) *stateFile {
	return &stateFile{path: path, log: log, todo: make(chan struct{}, 1)}
}

// open begins: it locks and reads the file, as soon as the last run has ended, and then calls loaded. A second call does nothing.
func (f *stateFile) open(loaded func()) {
	if f.path == "" || f.done != nil {
		return
	}
	f.loaded, f.done = loaded, make(chan struct{})
	go f.run()
}

// load returns the record of the last run, once.
func (f *stateFile) load() (r record, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil {
		return record{}, false
	}
	r, f.last, f.taken, f.next = *f.last, nil, true, nil
	return r, true
}

// save has r saved, if the file does not hold it already. The latest wins.
func (f *stateFile) save(r record) {
	if f.path == "" {
		return
	}
	f.mu.Lock()
	f.next = &r
	f.mu.Unlock()
	f.wake()
}

// close saves what is to be saved and lets go of the file. It waits for a hanging disk no longer than a second.
func (f *stateFile) close() {
	if f.done == nil {
		return
	}
	f.mu.Lock()
	f.ended = true
	f.mu.Unlock()
	f.wake()
	select {
	case <-f.done:
	case <-time.After(saveAtEnd):
		f.log.Error(nil, "saving the states takes too long: ending without it", logkey.Path, f.path)
	}
}

func (f *stateFile) wake() {
	select {
	case f.todo <- struct{}{}:
	default: // it is about to look
	}
}

// run is the goroutine.
func (f *stateFile) run() {
	defer close(f.done)
	s := saver{path: f.path, log: f.log}
	defer s.unlock()
	if !f.begin(&s) {
		return
	}
	var failed *record
	for {
		r, ended := f.due()
		if r == nil {
			r = failed
		}
		failed = nil
		if r != nil && !s.save(*r) {
			failed = r
		}
		f.tried(r)
		switch {
		case ended:
			return
		case failed != nil:
			f.wait(saveAgain)
		default:
			f.wait(0)
		}
	}
}

// begin waits for the lock and reads the file; false: the end came first. Where the lock cannot be had in time, and there is
// something to be saved, the file is no longer of use: whoever holds the lock does not know what was said since.
func (f *stateFile) begin(s *saver) bool {
	since := time.Now()
	for !s.acquireLock() {
		f.mu.Lock()
		wanted, ended := f.next != nil && len(f.next.Instances) > 0, f.ended
		f.mu.Unlock()
		if ended && wanted {
			_ = discardSaved(f.path) // whoever holds the lock may still replace it
		}
		if ended {
			return false
		}
		if wanted && time.Since(since) >= lockPatience {
			f.mu.Lock()
			f.taken = true
			f.mu.Unlock()
			return true
		}
		f.wait(lockEvery)
	}
	r := s.load()
	f.mu.Lock()
	f.last = &r
	loaded := f.loaded
	f.mu.Unlock()
	loaded()
	return true
}

// due returns what is to be saved now, and whether the end has come.
func (f *stateFile) due() (r *record, ended bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.taken || f.ended { // at the end what is new counts, though it was not put together with what the last run left
		r = f.next
	}
	return r, f.ended
}

// tried notes that saving r was tried.
func (f *stateFile) tried(r *record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == r {
		f.next = nil
	}
}

// wait waits until there is something to do, for a time at most; 0: for as long as it takes.
func (f *stateFile) wait(atMost time.Duration) {
	var timeout <-chan time.Time
	if atMost > 0 {
		timeout = time.After(atMost)
	}
	select {
	case <-f.todo:
	case <-timeout:
	}
}

// A saver reads, writes and locks the file. One goroutine uses it.
type saver struct {
	path    string
	log     logr.Logger
	lock    *os.File // held as long as this process saves; nil: not held
	written []byte   // the file's content
	failed  string   // why, the last time
}

// acquireLock reports false while another process holds the lock. Where there can be none, saving will say why.
func (s *saver) acquireLock() bool {
	if s.lock != nil || makeDir(s.path) != nil {
		return true
	}
	f, err := os.OpenFile(s.path+".lock", os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return true
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		_ = f.Close()
		return false
	}
	s.lock = f
	return true
}

func (s *saver) unlock() {
	if s.lock != nil {
		_ = s.lock.Close()
		s.lock = nil
	}
}

// load reads the file; a record of nothing if there is none that can be believed.
func (s *saver) load() (r record) {
	data, err := readSaved(s.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(data) == 0 { // emptied, for something could not be saved
		return record{}
	}
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		s.log.Error(err, "the saved states cannot be used: nothing is known until Keepalived speaks", logkey.Path, s.path)
		return record{}
	}
	s.written = data
	return r
}

// save writes r, or removes the file where that fails. It reports whether r is saved.
func (s *saver) save(r record) bool {
	data, err := json.Marshal(r)
	if err == nil && s.lock != nil && bytes.Equal(data, s.written) {
		return true
	}
	if err == nil {
		err = s.write(data)
	}
	if err == nil {
		s.written = data
		if s.failed != "" {
			s.failed = ""
			s.log.Info("the states are saved again", logkey.Path, s.path)
		}
		return true
	}
	s.written = nil
	if discardErr := discardSaved(s.path); discardErr != nil {
		err = fmt.Errorf("%w; after a restart what was saved before would count: %w", err, discardErr)
	}
	if said := err.Error(); said != s.failed {
		s.failed = said
		s.log.Error(err, "saving the states failed: after a restart of floaty (as vrrp_notify_fifo_script, after each reload of "+
			"Keepalived) nothing is written until Keepalived says MASTER again", logkey.Path, s.path)
	}
	return false
}

func (s *saver) write(data []byte) error {
	if !s.acquireLock() {
		return errLocked
	}
	return writeSaved(s.path, data)
}

// discardSaved removes the file, or empties it where its directory may not be changed. Neither takes space or a descriptor.
func discardSaved(path string) error {
	err := os.Remove(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if emptied := os.Truncate(path, 0); emptied != nil {
		return errors.Join(err, emptied)
	}
	return nil
}
