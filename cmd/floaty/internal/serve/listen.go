package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// MaxSocketPath is the longest path of a socket, in bytes: sun_path has 108, one of them for its end.
const MaxSocketPath = 107

// socketMode lets the daemon's user and group connect: connecting requires write permission.
const socketMode = 0o660

// probeTimeout is how long an existing socket may take to accept a connection: its backlog may be full.
const probeTimeout = time.Second

// recheckSocket is how often a socket checks that its path still leads to it. Each check wakes an idle daemon about ten times, because Go's
// monitor thread polls while anything runs.
const recheckSocket = time.Minute

// errReplaced is why nobody can connect to a socket any more.
var errReplaced = errors.New("the socket was removed or replaced")

// errTaken is why a socket is left alone.
var errTaken = errors.New("another process is listening on this socket: is a second floaty running with this configuration?")

// listenUnix listens on a Unix socket at path. It replaces a socket that a dead process has left behind. If another process is
// listening there, or the file is not a socket, it returns an error.
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
	// It is made under another name and then renamed, so that the path never lacks a socket, and never leads to an unfinished one.
	fresh := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%d", os.Getpid()))
	_ = os.Remove(fresh)
	config := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) error {
		var chmodErr error
		err := conn.Control(func(fd uintptr) { chmodErr = unix.Fchmod(int(fd), 0o600) }) // an upper bound on the mode that bind sets
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
	s := &socket{Listener: listener, path: path, made: made}
	s.recheck = time.AfterFunc(math.MaxInt64, s.check) // check uses recheck, so it must be set before
	s.recheck.Reset(recheckSocket)
	return s, nil
}

// checkFree returns an error if no socket can be made at path, with the reason.
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

// A socket is a listener that removes its path when it is closed, unless another process has replaced it by then. It fails once its path
// no longer leads to it, because nobody can connect any more.
type socket struct {
	net.Listener
	path    string
	made    os.FileInfo
	recheck *time.Timer
	lost    atomic.Bool
	once    sync.Once
}

// reachable reports whether the path leads to the socket.
func (s *socket) reachable() bool {
	now, err := os.Lstat(s.path)
	return err == nil && os.SameFile(now, s.made)
}

// check ends Accept if the socket cannot be reached.
func (s *socket) check() {
	if s.reachable() {
		s.recheck.Reset(recheckSocket)
		return
	}
	s.lost.Store(true)
	_ = s.Listener.Close()
}

// Accept implements [net.Listener].
func (s *socket) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil && s.lost.Load() {
		return nil, errReplaced
	}
	return conn, err
}

// Close implements [net.Listener].
func (s *socket) Close() error {
	s.once.Do(func() {
		s.recheck.Stop()
		if !s.lost.Load() && s.reachable() { // once it is closed, a new file may have its inode
			_ = os.Remove(s.path)
		}
	})
	return s.Listener.Close()
}
