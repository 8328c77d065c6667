// Package client asks a running daemon for its status, over its unix socket.
//
// It knows the paths and answers of package serve. Its callers show what it returns; only [Client.Watch] draws.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"floaty/cmd/floaty/internal/report"
)

const (
	// askTimeout is how long a daemon may take to answer.
	askTimeout = 5 * time.Second
	// busyPause is how long to wait before a daemon is asked again that is busy answering others.
	busyPause = 100 * time.Millisecond
	// maxStatus and maxReady bound the answers, in bytes: the status of ten thousand addresses takes some 4 MB. The rest is cut off.
	maxStatus = 64 << 20
	maxReady  = 16 << 10
)

// A Client asks the daemon at one socket. Create it with [New].
type Client struct {
	socket string
	http   http.Client
}

// New returns a client of the daemon that listens on socket. It does not connect yet.
func New(socket string) *Client {
	return &Client{socket: socket, http: http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}}
}

// Status returns what the daemon knows.
func (c *Client) Status(ctx context.Context) (report.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var status report.Status
	for {
		code, body, err := c.get(ctx, "/status", maxStatus)
		switch {
		case err != nil:
			return status, err
		case code == http.StatusOK:
			err := json.Unmarshal(body, &status)
			if err == nil && status.Version == "" { // every version of floaty includes its version
				err = errors.New("it lacks the version")
			}
			if err != nil {
				return status, fmt.Errorf("%s: this is not an answer of floaty: %w", c.socket, err)
			}
			return status, nil
		case code != http.StatusServiceUnavailable:
			return status, c.foreign(code)
		}
		select { // it answers two at a time
		case <-ctx.Done():
			return status, fmt.Errorf("%s: the daemon is busy answering others", c.socket)
		case <-time.After(busyPause):
		}
	}
}

// Ready returns nil if the daemon could take over now, else a one-line error with the reason.
func (c *Client) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	code, body, err := c.get(ctx, "/readyz", maxReady)
	if err != nil {
		return err
	}
	answer, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	why, notReady := strings.CutPrefix(answer, "not ready: ") // the caller adds that itself
	switch {
	case code == http.StatusOK && answer == "ready": // another program might answer everything with status 200
		return nil
	case code == http.StatusServiceUnavailable && notReady:
		return errors.New(why)
	}
	return c.foreign(code)
}

// foreign returns the error for an answer that floaty does not give.
func (c *Client) foreign(code int) error {
	return fmt.Errorf("%s: this is not an answer of floaty: status %d", c.socket, code)
}

// get makes one request, and returns at most limit bytes of the answer.
func (c *Client) get(ctx context.Context, path string, limit int64) (code int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, c.explain(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(resp.Body, limit))
	if err != nil {
		return 0, nil, c.explain(err)
	}
	return resp.StatusCode, body, nil
}

// explain returns in one line why there was no answer.
func (c *Client) explain(err error) error {
	if info, statErr := os.Stat(c.socket); statErr == nil && info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s: this is not a socket: move it away, so that the daemon can make one", c.socket)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: there is no such socket: the daemon does not run, or has another state-dir or configuration", c.socket)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%s: the daemon that made this socket has ended", c.socket)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: no permission: only root, the daemon's user and the socket's group may ask", c.socket)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: the daemon has not answered within %v", c.socket, askTimeout)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("%s: the daemon closed the connection before it had answered", c.socket)
	case errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("%s: this path is too long for a socket: choose a shorter state-dir", c.socket)
	}
	var request *url.Error // names a URL that nobody has typed
	if errors.As(err, &request) {
		err = request.Err
	}
	return fmt.Errorf("%s: %w", c.socket, err)
}
