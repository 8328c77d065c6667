package handover

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"

	"floaty/providers/logkey"
)

// errRejected is wrapped by the error of a lock file that exists but must not be used.
var errRejected = errors.New("is rejected")

// replacePlanted replaces a file that another user has put in the lock file's place, and returns nil if it has done so, or if there is no
// such file any more. Otherwise it returns why, which says what is wrong with the file. In a directory that everybody may write to, any
// local user could otherwise keep root's scripts from acquiring the lock. Only root does this, and only if the sticky bit keeps others
// from replacing root's file in turn.
//
// The new file is exchanged with the old one in one step, and is locked before that. If the old one turns out to be acceptable, because a
// second root process has put it there meanwhile and perhaps holds it, both are exchanged back before anybody can use the new one.
func replacePlanted(path string, why error, log logr.Logger) error {
	switch there, err := statOf(path); {
	case errors.Is(err, unix.ENOENT), err == nil && acceptable(there) == nil: // another root process was faster
		return nil
	case err != nil || !planted(there) || !mayReplace(path):
		return why
	}
	fresh, err := os.CreateTemp(filepath.Dir(path), ".floaty-*.lock")
	if err != nil {
		return fmt.Errorf("%w; replacing it: %w", why, err)
	}
	defer func() { _ = fresh.Close() }() // nothing was written
	err = unix.Flock(int(fresh.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		err = exchange(fresh.Name(), path)
	}
	if err != nil {
		_ = os.Remove(fresh.Name())
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		return fmt.Errorf("%w; replacing it: %w", why, err)
	}
	if out, err := statOf(fresh.Name()); err == nil && !planted(out) {
		if err := exchange(fresh.Name(), path); err != nil {
			return fmt.Errorf("lock file %s: restoring the file of another process: %w", path, err)
		}
		return os.Remove(fresh.Name())
	}
	log.Error(why, "replaced a lock file that another user may have planted", logkey.Path, path)
	if err := os.Remove(fresh.Name()); err != nil && !errors.Is(err, unix.ENOENT) {
		log.Error(err, "cannot remove what was in the place of the lock file", logkey.Path, fresh.Name())
	}
	return nil
}

// planted reports whether somebody other than root may have put a file in the lock file's place: it belongs to another user, or is a
// further hard link to a file of root.
func planted(st *unix.Stat_t) bool {
	return st.Uid != 0 || st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink > 1
}

// mayReplace reports whether this process is root, and nobody but root can remove a file of root at path.
func mayReplace(path string) bool {
	var dir unix.Stat_t
	err := unix.Stat(filepath.Dir(path), &dir)
	return err == nil && os.Geteuid() == 0 && dir.Uid == 0 && dir.Mode&unix.S_ISVTX != 0
}

func exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}

func statOf(path string) (*unix.Stat_t, error) {
	var st unix.Stat_t
	return &st, unix.Lstat(path, &st)
}
