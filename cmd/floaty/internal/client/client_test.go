package client

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newDaemon returns the client of a daemon that gives the same answer to each request and then closes the connection.
func newDaemon(t *testing.T, answer string) *Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = conn.Write([]byte(answer))
			_ = conn.Close()
		}
	}()
	return New(socket)
}

func answer(status, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
}

func TestOnlyADaemonThatAnswersReadyIsReady(t *testing.T) {
	for what, c := range map[string]struct {
		answer string
		want   string // empty: ready
	}{
		"ready":                          {answer("200 OK", "ready\n"), ""},
		"not ready: only the reasons":    {answer("503 Service Unavailable", "not ready: no server; no FIFO\n"), "no server; no FIFO"},
		"200 from another program":       {answer("200 OK", "<html>welcome"), "SOCKET: this is not an answer of floaty: status 200"},
		"204 from another program":       {answer("204 No Content", ""), "SOCKET: this is not an answer of floaty: status 204"},
		"503 from another program":       {answer("503 Service Unavailable", "x\n"), "SOCKET: this is not an answer of floaty: status 503"},
		"much from another program":      {answer("503 Service Unavailable", strings.Repeat("x", 5<<20)), "SOCKET: this is not an answer of floaty: status 503"},
		"a connection that ends at once": {"", "SOCKET: the daemon closed the connection before it had answered"},
		"a connection that ends midway":  {"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nrea", "SOCKET: the daemon closed the connection before it had answered"},
	} {
		daemon := newDaemon(t, c.answer)
		got := ""
		if err := daemon.Ready(t.Context()); err != nil {
			got = strings.ReplaceAll(err.Error(), daemon.socket, "SOCKET")
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", what, got, c.want)
		}
	}
}

func TestOnlyAStatusOfFloatyIsShown(t *testing.T) {
	for what, c := range map[string]struct {
		answer string
		want   string // empty: it is shown
	}{
		"an older version":               {answer("200 OK", `{"version":"2.0.0"}`), ""},
		"an object from another program": {answer("200 OK", `{}`), "SOCKET: this is not an answer of floaty: it lacks the version"},
		"a page from another program":    {answer("200 OK", "<html>"), "SOCKET: this is not an answer of floaty: invalid character '<' looking for beginning of value"},
		"a program without /status":      {answer("404 Not Found", "no"), "SOCKET: this is not an answer of floaty: status 404"},
		"a connection that ends midway":  {"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"version\":", "SOCKET: the daemon closed the connection before it had answered"},
	} {
		daemon := newDaemon(t, c.answer)
		got := ""
		if _, err := daemon.Status(t.Context()); err != nil {
			got = strings.ReplaceAll(err.Error(), daemon.socket, "SOCKET")
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", what, got, c.want)
		}
	}
}

func TestAnUnusableSocketIsExplained(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file:                           "this is not a socket: move it away, so that the daemon can make one",
		filepath.Join(dir, "none"):     "there is no such socket: the daemon does not run, or has another state-dir or configuration",
		"/" + strings.Repeat("x", 120): "this path is too long for a socket: choose a shorter state-dir",
	} {
		if err := New(path).Ready(context.Background()); err == nil || err.Error() != path+": "+want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
