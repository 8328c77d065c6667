package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxError bounds, in bytes, how much of an answer is kept for an error's text, and how much is read of an unsuccessful answer or of the
// answer to a change. A hundred concurrent writes with answers of 16 MiB each took 2.7 GB.
const maxError = 64 << 10

// A body streams the body of an answer, so that no reader has to hold all of it: a list of 10,000 floating IPs takes 4 MB. Its start
// is kept in the Answer.
type body struct {
	io.Closer
	rest   io.Reader // at most one byte more than the limit
	left   int64     // bytes until the limit is reached
	answer *Answer
	req    *http.Request
	slot   chan struct{} // has room for one body longer than maxOne
	held   bool          // this body has the slot
}

// Read implements [io.Reader]. It returns an error if the answer breaks off or is longer than the limit.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.rest.Read(p)
	b.left -= int64(n)
	b.answer.read(p[:n])
	switch {
	case b.left < 0:
		return n, fmt.Errorf("reading the answer: it is longer than %d bytes", b.answer.limit)
	case err != nil && !errors.Is(err, io.EOF):
		if cause := context.Cause(b.req.Context()); cause != nil { // the transport's error may only say how it ended the call
			err = cause
		}
		return n, fmt.Errorf("reading the answer: %w", err)
	case !b.held && b.answer.limit-b.left > maxOne:
		if cause := b.waitForSlot(); cause != nil {
			return n, fmt.Errorf("reading the answer: %w", cause)
		}
	}
	return n, err
}

// waitForSlot waits until no other long answer is being read. Many lists of the maximum length at once would take more memory than there
// is.
func (b *body) waitForSlot() error {
	select {
	case b.slot <- struct{}{}:
		b.held = true
		return nil
	case <-b.req.Context().Done():
		return context.Cause(b.req.Context())
	}
}

// Close reads up to maxError bytes of what is left and closes the body. A JSON decoder stops before the end of the body, and HTTP/1.1
// reuses a connection only after its end.
func (b *body) Close() error {
	_, _ = io.CopyN(io.Discard, b, maxError) // an error changes nothing now
	if b.held {
		<-b.slot
		b.held = false
	}
	return b.Closer.Close()
}

// readShort reads and returns at most maxError bytes of an unsuccessful answer or of the answer to a change, and closes the body. The
// status decides what such an answer means, so the rest is not read. If a successful answer cannot be read, that is an error; for any other
// answer the status says more than the read error.
func (b *body) readShort(success bool) ([]byte, error) {
	defer func() { _ = b.Closer.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(b, maxError))
	if !success {
		err = nil
	}
	return text, err
}
