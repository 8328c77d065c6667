package serve

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
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

func TestWhatIsNoSocketIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenUnix(t.Context(), path); err == nil || !strings.Contains(err.Error(), "it is not a socket") {
		t.Errorf("got %v, want that it is not a socket", err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "precious" { //nolint:gosec // our own
		t.Errorf("the file: got %q, %v", data, err)
	}
	if _, err := listenUnix(t.Context(), "/tmp/"+strings.Repeat("x", 103)); err == nil || !strings.Contains(err.Error(), "107 bytes") {
		t.Errorf("a path of 108 bytes: got %v, want the limit", err)
	}
}
