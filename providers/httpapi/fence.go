package httpapi

import (
	"context"
	"io"
	"net/http"
)

// fence calls before when out is about to be sent, and again at the first read of its body, each time it is sent: a dial, a TLS
// handshake or a replay may take seconds in between.
//
// net/http writes the headers before it reads the body. So a request that is refused late lacks its body, and no server can act on
// it: HTTP/1.1 closes the connection, HTTP/2 resets the stream.
func fence(out *http.Request, before func(context.Context) error) error {
	if before == nil || out.Method == http.MethodGet || out.Method == http.MethodHead {
		return nil
	}
	if err := before(out.Context()); err != nil {
		if out.Body != nil {
			_ = out.Body.Close() // nothing was read from it
		}
		return err
	}
	if out.Body == nil || out.Body == http.NoBody {
		return nil
	}
	out.Body = &fencedBody{ReadCloser: out.Body, before: before, req: out}
	if open := out.GetBody; open != nil {
		out.GetBody = func() (io.ReadCloser, error) {
			body, err := open()
			if err != nil {
				return nil, err
			}
			return &fencedBody{ReadCloser: body, before: before, req: out}, nil
		}
	}
	return nil
}

// A fencedBody calls before at its first read, and cannot be read if that returns an error.
type fencedBody struct {
	io.ReadCloser
	before func(context.Context) error // nil once it has returned nil
	req    *http.Request
}

// Read implements [io.Reader].
func (b *fencedBody) Read(p []byte) (int, error) {
	if b.before != nil {
		if err := b.before(b.req.Context()); err != nil {
			return 0, err
		}
		b.before = nil
	}
	return b.ReadCloser.Read(p)
}
