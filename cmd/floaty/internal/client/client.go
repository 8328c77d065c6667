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
	// maxStatus bounds an answer, in bytes: ten thousand addresses take some 4 MB.
	maxStatus = 64 << 20
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
		code, body, err := c.get(ctx, "/status")
		switch {
		case err != nil:
			return status, err
		case code == http.StatusOK:
			if err := json.Unmarshal(body, &status); err != nil {
				return status, fmt.Errorf("%s: this is not an answer of floaty: %w", c.socket, err)
			}
			return status, nil
		case code != http.StatusServiceUnavailable:
			return status, fmt.Errorf("%s: this is not an answer of floaty: status %d", c.socket, code)
		}
		select { // it answers two at a time
		case <-ctx.Done():
			return status, fmt.Errorf("%s: the daemon is busy answering others", c.socket)
		case <-time.After(busyPause):
		}
	}
}

// Ready returns nil if the daemon could take over now, else an error of one line that says why not.
func (c *Client) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	code, body, err := c.get(ctx, "/readyz")
	switch {
	case err != nil:
		return err
	case code == http.StatusOK:
		return nil
	}
	why := strings.TrimSpace(string(body))
	if first, _, more := strings.Cut(why, "\n"); more {
		why = first
	}
	return errors.New(strings.TrimPrefix(why, "not ready: ")) // the caller says that itself
}

// get makes one request.
func (c *Client) get(ctx context.Context, path string) (code int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, c.explain(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxStatus))
	if err != nil {
		return 0, nil, c.explain(err)
	}
	return resp.StatusCode, body, nil
}

// explain returns in one line why there was no answer.
func (c *Client) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: there is no such socket: the daemon does not run, or has another state-dir or configuration", c.socket)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%s: the daemon that made this socket has ended", c.socket)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: no permission: only root, the daemon's user and the socket's group may ask", c.socket)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: the daemon has not answered within %v", c.socket, askTimeout)
	}
	return fmt.Errorf("%s: %w", c.socket, errors.Unwrap(err))
}
