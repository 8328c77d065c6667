package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"floaty/cmd/floaty/internal/logform"
)

func TestASocketThatADeadProcessLeftIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	l, err := listenUnix(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("got %v, %v, want mode 0660", info, err)
	}
	if _, err := listenUnix(t.Context(), path); !errors.Is(err, errTaken) {
		t.Errorf("a second one: got %v, want %v", err, errTaken)
	}
	_ = l.Close()
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 0 {
		t.Errorf("after the end: got %v, %v, want nothing", entries, err)
	}
}

func TestTheSocketOfASuccessorStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	first, err := listenUnix(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second, err := listenUnix(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Close() }()
	_ = first.Close()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the successor's socket: %v", err)
	}
}

func TestAFileThatIsNotASocketIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenUnix(t.Context(), path); err == nil || !strings.Contains(err.Error(), "it is not a socket") {
		t.Errorf("got %v, want an error that it is not a socket", err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "precious" { //nolint:gosec // our own
		t.Errorf("the file: got %q, %v, want it unchanged", data, err)
	}
	if _, err := listenUnix(t.Context(), "/tmp/"+strings.Repeat("x", 103)); err == nil || !strings.Contains(err.Error(), "107 bytes") {
		t.Errorf("a path of 108 bytes: got %v, want the limit", err)
	}
}

func TestARemovedOrReplacedSocketIsNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	for what, remove := range map[string]func() error{
		"removed":  func() error { return os.Remove(path) },
		"replaced": func() error { return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)) },
	} {
		l, err := listenUnix(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		s := l.(*socket)
		s.check()
		conn, err := new(net.Dialer).DialContext(t.Context(), "unix", path)
		if err != nil {
			t.Fatalf("still there: %v", err)
		}
		_ = conn.Close()
		if err := remove(); err != nil {
			t.Fatal(err)
		}
		s.check()
		accepted, err := s.Accept() // the connection that was made before the removal
		for ; err == nil; accepted, err = s.Accept() {
			_ = accepted.Close()
		}
		if !errors.Is(err, errReplaced) {
			t.Errorf("%s: got %v, want %v", what, err, errReplaced)
		}
		_ = s.Close()
		if _, err := os.Lstat(path); (err == nil) != (what == "replaced") {
			t.Errorf("%s: after Close: got %v for the path, want only another process's file to be left", what, err)
		}
		_ = os.Remove(path)
	}
}

// In this line, as in all others, "next" is a time.
func TestASocketThatCannotBeMadeIsLoggedWithTheNextTry(t *testing.T) {
	taken := filepath.Join(t.TempDir(), "s.sock")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var line bytes.Buffer
	log := logform.Form{JSON: true}.Logger(lineWriter{&line, stop})
	New(Options{Socket: taken, Monitor: newMonitor(t, nil, "VI_1"), Log: log}).Run(ctx)
	var logged struct{ Next any }
	if err := json.Unmarshal(line.Bytes(), &logged); err != nil {
		t.Fatalf("%v: want one line, got %q", err, line.String())
	}
	text, _ := logged.Next.(string)
	if at, err := time.Parse(time.RFC3339, text); err != nil || time.Until(at) > retryListening {
		t.Errorf("got next %v, want a time within %v", logged.Next, retryListening)
	}
}

// A lineWriter calls done after each line.
type lineWriter struct {
	io.Writer
	done func()
}

func (w lineWriter) Write(line []byte) (int, error) {
	defer w.done()
	return w.Writer.Write(line)
}

func (lineWriter) Sync() error { return nil }
