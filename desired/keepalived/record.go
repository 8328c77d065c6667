package keepalived

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"

	"floaty/providers/failurelog"
	"floaty/providers/logkey"
)

// maxSaved bounds the file of saved states, in bytes: a thousand instances take 100 kB.
const maxSaved = 1 << 20

// A record is what survives a restart of floaty.
type record struct {
	FIFO      string                   `json:"fifo"`  // its path
	Boot      string                   `json:"boot"`  // the kernel's boot ID, because start times count from the boot
	PID       int                      `json:"pid"`   // of the VRRP process; 0: not known
	Start     string                   `json:"start"` // its start time, in clock ticks
	Instances map[string]savedInstance `json:"instances"`
}

type savedInstance struct {
	State   string    `json:"state"`
	Since   time.Time `json:"since"`
	Resumes time.Time `json:"resumes,omitzero"` // when the suspension after a standstill ends; zero: there is none
}

// resumes returns when the suspension after a standstill ends; zero: there is none. If the clock was set back since it was saved, it lasts no
// longer than any other.
func (i savedInstance) resumes(now time.Time) time.Time {
	if left := i.Resumes.Sub(now); left > 0 {
		return now.Add(min(left, maxSuspension))
	}
	return time.Time{}
}

// A recordFile reads, writes and locks the file of a record. Only one goroutine uses it.
type recordFile struct {
	path    string
	log     logr.Logger
	lock    *os.File         // held for as long as this process saves; nil: not held
	written []byte           // the file's content
	failure failurelog.Entry // to save
}

// acquireLock reports false while another process holds the lock. If there cannot be a lock, it reports true, and save will fail.
func (f *recordFile) acquireLock() bool {
	if f.lock != nil || makeDir(f.path) != nil {
		return true
	}
	file, err := os.OpenFile(f.path+".lock", os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return true
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		_ = file.Close()
		return false
	}
	f.lock = file
	return true
}

func (f *recordFile) unlock() {
	if f.lock != nil {
		_ = f.lock.Close()
		f.lock = nil
	}
}

// load reads the file. If there is none that can be trusted, the record is empty.
func (f *recordFile) load() (r record) {
	data, err := readTrusted(f.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(data) == 0 { // it was emptied because something could not be saved
		return record{}
	}
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		f.log.Error(err, "cannot use the saved states: not assigning any address until Keepalived says MASTER again", logkey.Path, f.path)
		return record{}
	}
	f.written = data
	return r
}

// save writes r, unless the file holds it already. If that fails, it discards the file. It reports whether the file holds r.
func (f *recordFile) save(r record) bool {
	data, err := json.Marshal(r)
	if err == nil && f.lock != nil && bytes.Equal(data, f.written) {
		return true
	}
	if err == nil {
		err = f.write(data)
	}
	if err == nil {
		f.written = data
		if f.failure.Succeeded(time.Now()) {
			f.log.Info("the states are saved again", logkey.Path, f.path)
		}
		return true
	}
	f.written = nil
	if discardErr := discard(f.path); discardErr != nil {
		err = fmt.Errorf("%w; and the file still holds older states, which would count after a restart: %w", err, discardErr)
	}
	if f.failure.FailedBecause(err.Error(), time.Now()) {
		f.log.Error(err, "saving the states failed: after a restart of floaty (as vrrp_notify_fifo_script, after each reload of "+
			"Keepalived), no address is assigned until Keepalived says MASTER again", logkey.Path, f.path)
	}
	return false
}

func (f *recordFile) write(data []byte) error {
	if !f.acquireLock() {
		return errors.New("another process holds the lock")
	}
	return replaceFile(f.path, data)
}

// readTrusted reads a file. It fails if another user may have written it, or if this process cannot write it: then the last thing that
// the earlier run heard may not be in it.
func readTrusted(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0) //nolint:gosec // the configuration names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if owner := os.Geteuid(); !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 || ok && int(stat.Uid) != owner {
		return nil, fmt.Errorf("%s: must be a regular file that belongs to user %d and that only this user can write", path, owner)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSaved+1))
	if err == nil && len(data) > maxSaved {
		err = fmt.Errorf("%s: longer than %d bytes", path, maxSaved)
	}
	return data, err
}

// makeDir makes the directory of a file. Keepalived's children inherit the umask 0177, so the mode is then set explicitly.
func makeDir(path string) error {
	err := os.Mkdir(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.Chmod(filepath.Dir(path), 0o700) //nolint:gosec // a directory
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// replaceFile replaces a file as a whole, and makes its directory.
func replaceFile(path string, data []byte) error {
	if err := makeDir(path); err != nil {
		return err
	}
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) { // from a run that was killed
		return err
	}
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the configuration names it
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(0o600), f.Close()); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	return os.Rename(fresh, path)
}

// discard removes a file, or empties it if its directory must not be changed. Neither needs disk space or a descriptor.
func discard(path string) error {
	err := os.Remove(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if emptyErr := os.Truncate(path, 0); emptyErr != nil {
		return errors.Join(err, emptyErr)
	}
	return nil
}
