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

// errRefused is wrapped by what is wrong with a lock file that was there.
var errRefused = errors.New("is refused")

// replacePlanted puts a new file in the place of one that another user has put there, and returns nil if it did, or if there is none
// any more. In a directory that everybody may write to, every local user could else keep root's scripts from the lock for good: only
// root does this, and only where the sticky bit keeps the others from doing it again.
//
// The new file is exchanged with the old one in one step, and locked from before that: if what comes out is a good file after all,
// which a second root process has put there meanwhile and perhaps holds, both are exchanged back before anybody can use the new one.
func replacePlanted(path string, why error, log logr.Logger) error {
	switch there, err := statOf(path); {
	case errors.Is(err, unix.ENOENT), err == nil && acceptable(there) == nil: // another root process was quicker
		return nil
	case err != nil || !planted(there) || !mayReplace(path):
		return why
	}
	fresh, err := os.CreateTemp(filepath.Dir(path), ".floaty-*.lock")
	if err != nil {
		return fmt.Errorf("%w; putting another in its place: %w", why, err)
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
		return fmt.Errorf("%w; putting another in its place: %w", why, err)
	}
	if out, err := statOf(fresh.Name()); err == nil && !planted(out) {
		if err := exchange(fresh.Name(), path); err != nil {
			return fmt.Errorf("lock file %s: giving it back to another process: %w", path, err)
		}
		return os.Remove(fresh.Name())
	}
	log.Error(why, "a lock file that another user may have planted was replaced", logkey.Path, path)
	if err := os.Remove(fresh.Name()); err != nil && !errors.Is(err, unix.ENOENT) {
		log.Error(err, "what was in the lock file's place cannot be removed", logkey.Path, fresh.Name())
	}
	return nil
}

// planted reports whether what is in the lock file's place is not root's own doing: it belongs to another user, or is a second name
// of a file that root owns.
func planted(st *unix.Stat_t) bool {
	return st.Uid != 0 || st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink > 1
}

// mayReplace reports whether we are root, and nobody but root can take root's file at path away.
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
