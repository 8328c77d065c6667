package keepalived

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxSaved bounds the file of saved states, in bytes: a thousand instances take 100 kB.
const maxSaved = 1 << 20

// A record is what outlives floaty's own restart.
type record struct {
	FIFO      string                   `json:"fifo"` // its path
	Boot      string                   `json:"boot"` // the kernel's boot ID: start times count from there
	PID       int                      `json:"pid"`  // of the VRRP process; 0: not known
	Start     string                   `json:"start"`
	Instances map[string]savedInstance `json:"instances"`
}

type savedInstance struct {
	State string    `json:"state"`
	Since time.Time `json:"since"`
}

// recall takes over what the last run has left: every state that was not heard since is in doubt until a writer shows and the
// time for its lines is over. That is read once the FIFO could be opened, so that not a second daemon of the same configuration
// does so, and once the last run has ended: on a reload, Keepalived starts the next one up to a second before that.
func (l *Listener) recall(now time.Time) {
	r, ok := l.stateFile.load()
	if !ok {
		return
	}
	if r.FIFO == l.opts.Path && r.Boot == l.boot && l.knows(r) {
		l.restore(r, now)
	}
	l.save(l.states)
}

// knows reports whether the VRRP process of a record, if it names one, still is the one.
func (l *Listener) knows(r record) bool {
	if r.PID == 0 {
		return true
	}
	p, err := OpenProcess(r.PID)
	if err != nil || p.startText() != r.Start || !IsKeepalived(p.PID) || l.process != nil && !p.Same(l.process) {
		p.Close()
		return false
	}
	l.process.Close()
	l.process = p
	return true
}

// restore puts the states of a record in doubt, but for those that were heard of since.
func (l *Listener) restore(r record, now time.Time) {
	for name, saved := range r.Instances {
		_, heard := l.states[name]
		if state, ok := parseState(saved.State); ok && !heard && l.opts.Named(name) {
			l.states[name] = Instance{State: state, Since: saved.Since, unconfirmed: true}.judged()
		}
	}
	l.doubt = &doubt{gone: now, recalled: true, named: r.PID != 0}
	if l.connected {
		l.doubt.back, l.doubt.another = now, r.PID == 0
	}
}

// save keeps instances over a restart.
func (l *Listener) save(instances map[string]Instance) {
	l.saved = l.process
	r := record{FIFO: l.opts.Path, Boot: l.boot, Instances: map[string]savedInstance{}}
	if l.process != nil {
		r.PID, r.Start = l.process.PID, l.process.startText()
	}
	for name, inst := range instances {
		if inst.State != Unknown {
			r.Instances[name] = savedInstance{inst.State.String(), inst.Since}
		}
	}
	l.stateFile.save(r)
}

// readSaved reads the file. One that another user may have written says nothing that can be believed, and neither does one that this
// process cannot write: what the last run was told last may not be in it.
func readSaved(path string) ([]byte, error) {
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
		return nil, fmt.Errorf("%s: it is not a file of user %d that only that user can write", path, owner)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSaved+1))
	if err == nil && len(data) > maxSaved {
		err = fmt.Errorf("%s: longer than %d bytes", path, maxSaved)
	}
	return data, err
}

// makeDir makes the directory of a file. Keepalived's children inherit the umask 0177, hence the mode that is set once more.
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

// writeSaved replaces the file as a whole, and makes its directory.
func writeSaved(path string, data []byte) error {
	if err := makeDir(path); err != nil {
		return err
	}
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a run that was cut off
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
