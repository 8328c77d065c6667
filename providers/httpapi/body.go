package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxError is how much of an answer is kept for its message, in bytes, and how much is read of one that is no success, or to a change.
// With a hundred writes side by side, answers of 16 MiB each took 2.7 GB.
const maxError = 64 << 10

// A body is that of an answer, handed on as it comes: a list of 10,000 floating IPs takes 4 MB, and who reads it need not hold
// it. Its start is noted in the answer.
type body struct {
	io.Closer
	rest   io.Reader // of the answer, one byte more than the limit
	left   int64     // bytes until the limit is passed
	answer *Answer
	req    *http.Request
	long   chan struct{} // has room for those that are read beyond maxOne
	held   bool          // a place in long
}

// Read implements [io.Reader]. An answer that breaks off, or is longer than the limit, is an error that says so.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.rest.Read(p)
	b.left -= int64(n)
	b.answer.read(p[:n])
	switch {
	case b.left < 0:
		return n, fmt.Errorf("reading the answer: it is longer than %d bytes", b.answer.limit)
	case err != nil && !errors.Is(err, io.EOF):
		if cause := context.Cause(b.req.Context()); cause != nil { // the transport may say how it ended the call instead
			err = cause
		}
		return n, fmt.Errorf("reading the answer: %w", err)
	case !b.held && b.answer.limit-b.left > maxOne:
		if cause := b.waitForRoom(); cause != nil {
			return n, fmt.Errorf("reading the answer: %w", cause)
		}
	}
	return n, err
}

// waitForRoom waits until no other long answer is being read: many lists side by side, each as long as it may be, would take more
// memory than there is.
func (b *body) waitForRoom() error {
	select {
	case b.long <- struct{}{}:
		b.held = true
		return nil
	case <-b.req.Context().Done():
		return context.Cause(b.req.Context())
	}
}

// Close reads what is left, if it is little, and closes the body. A JSON decoder stops before the end, and HTTP/1.1 would then
// close the connection instead of using it again.
func (b *body) Close() error {
	_, _ = io.CopyN(io.Discard, b, maxError) // what goes wrong changes nothing now
	if b.held {
		<-b.long
		b.held = false
	}
	return b.Closer.Close()
}

// readShort reads an answer to a change, or one that is no success, as far as its message may go, and returns that. The status
// decides what such an answer means; the rest is not read, and the connection is closed. A success is none until what is read
// of it came whole; what goes wrong with another answer says less than its status.
func (b *body) readShort(success bool) ([]byte, error) {
	defer func() { _ = b.Closer.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(b, maxError))
	if !success {
		err = nil
	}
	return text, err
}
