package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// MaxSocketPath is the longest path of a socket, in bytes: sun_path has 108, one of them for its end.
const MaxSocketPath = 107

// socketMode lets the daemon's user and group connect, for which a socket must be writable.
const socketMode = 0o660

// probeTimeout is how long a socket that is there may take to accept a connection: its backlog may be full.
const probeTimeout = time.Second

// errTaken is why a socket is left alone.
var errTaken = errors.New("another process listens on it: does a second floaty run with this configuration?")

// listenUnix listens on a socket at path. One that a dead process has left is replaced; one on which somebody listens, and whatever
// is no socket, is an error.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if len(path) > MaxSocketPath {
		return nil, fmt.Errorf("a socket's path has at most %d bytes, and this one has %d: choose a shorter state-dir", MaxSocketPath, len(path))
	}
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := checkFree(ctx, path); err != nil {
		return nil, err
	}
	// It is made under another name and renamed, so that there is one at any time, and none that is not finished.
	fresh := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%d", os.Getpid()))
	_ = os.Remove(fresh)
	config := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) error {
		var chmodErr error
		err := conn.Control(func(fd uintptr) { chmodErr = unix.Fchmod(int(fd), 0o600) }) // what bind makes has no more
		return errors.Join(err, chmodErr)
	}}
	listener, err := config.Listen(ctx, "unix", fresh)
	if err != nil {
		return nil, err
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	err = os.Chmod(fresh, socketMode)
	if err == nil {
		err = os.Rename(fresh, path)
	}
	var made os.FileInfo
	if err == nil {
		made, err = os.Lstat(path)
	}
	if err != nil {
		_ = os.Remove(fresh)
		_ = listener.Close()
		return nil, err
	}
	return &socket{Listener: listener, path: path, made: made}, nil
}

// checkFree returns why path cannot be taken.
func checkFree(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("it is not a socket: move it away")
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close()
		return errTaken
	}
	if !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("%w (%w)", errTaken, err)
	}
	return nil
}

// A socket is a listener whose path goes with it, unless somebody else's is there by then.
type socket struct {
	net.Listener
	path string
	made os.FileInfo
	once sync.Once
}

// Close implements [net.Listener].
func (s *socket) Close() error {
	s.once.Do(func() {
		if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.made) {
			_ = os.Remove(s.path)
		}
	})
	return s.Listener.Close()
}
