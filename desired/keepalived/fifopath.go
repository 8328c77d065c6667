package keepalived

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"floaty/providers/failurelog"
	"floaty/providers/logkey"
)

const (
	checkEvery = 2 * time.Second  // between two checks of the path, if nothing would report that another FIFO is there now
	restEvery  = 30 * time.Second // between two checks of the path, or of the pid file, when no change is expected
	missingFor = 2 * time.Second  // how long the FIFO must be missing before floaty makes it: on each reload, Keepalived makes it again itself
)

// A fifoPath opens the FIFO at a path, and makes it if nothing is there.
type fifoPath struct {
	opts    *Options
	dir     *dirWatch        // tells when to check the path; nil: nothing does
	checked time.Time        // when the path was last checked
	missing time.Time        // since when nothing has been at the path; zero: something is
	existed bool             // a FIFO has been there, so if it is missing, Keepalived may be about to make it
	failure failurelog.Entry // to open the FIFO or to make it
}

// due reports whether it is time to check the path. waiting means that something is about to change there.
func (p *fifoPath) due(now time.Time, waiting bool) bool {
	news := p.dir.changed(now) // first: this empties its queue
	return news || now.Sub(p.checked) >= p.interval(waiting)
}

// interval is how often to check the path while the open FIFO has a writer.
func (p *fifoPath) interval(waiting bool) time.Duration {
	if waiting || !p.missing.IsZero() || p.dir == nil || !p.dir.complete {
		return checkEvery
	}
	return restEvery
}

// open opens the FIFO. If it is missing, open returns nil, and has it made once it may be (see makeMissing). On a failure it returns nil,
// too.
func (p *fifoPath) open(now time.Time) *fifoFile {
	file, err := openFIFO(p.opts.Path)
	if errors.Is(err, unix.ENOENT) {
		p.makeMissing(now)
		return nil
	}
	if err == nil {
		if err = file.checkOwner(p.opts.Trusted); err != nil {
			file.close()
		}
	}
	if err != nil {
		p.fail(err, now)
		return nil
	}
	p.found(now)
	return file
}

// found notes that the FIFO is there and can be read.
func (p *fifoPath) found(now time.Time) {
	p.missing, p.existed = time.Time{}, true
	if p.failure.Succeeded(now) {
		p.opts.Log.Info("the FIFO can be read now", logkey.Path, p.opts.Path)
	}
}

// makeMissing makes the FIFO: at once if it has never been there, otherwise only after it has been missing for missingFor.
func (p *fifoPath) makeMissing(now time.Time) {
	if p.missing.IsZero() {
		p.missing = now
	}
	if p.existed && now.Sub(p.missing) < missingFor {
		return
	}
	if err := unix.Mkfifo(p.opts.Path, 0o600); err != nil && !errors.Is(err, unix.EEXIST) {
		p.fail(fmt.Errorf("making the FIFO: %w", err), now)
		return
	}
	p.missing, p.existed = time.Time{}, true
	p.opts.Log.Info("FIFO made", logkey.Path, p.opts.Path)
	p.checked = time.Time{} // open it at once
}

func (p *fifoPath) fail(err error, now time.Time) {
	if p.failure.FailedBecause(err.Error(), now) {
		p.opts.Log.Error(err, "cannot read the FIFO, so nothing that Keepalived says arrives; trying again", logkey.Path, p.opts.Path)
	}
}

// CheckPath returns an error if there can never be a FIFO at path, however long floaty waits: path is empty, or names a directory or a
// regular file.
func CheckPath(path string) error {
	if path == "" {
		return errors.New("the path is empty")
	}
	info, err := os.Lstat(path)
	switch {
	case err != nil: // it may be made later
		return nil
	case info.IsDir():
		return errors.New("it is a directory")
	case info.Mode().IsRegular():
		return errors.New("it is a regular file")
	}
	return nil
}
