package httpapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// A transport makes requests and keeps their answers for the caller (see [Capture]).
type transport struct {
	base *http.Transport
	warm *warmer // nil: connections are not kept
	opts Options
	slot chan struct{} // has room for one: see waitForSlot
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context()) // a RoundTripper must not change the request that it is given
	if req.Method == http.MethodPatch || req.Method == http.MethodPut {
		// An empty list is never sent, but tells net/http that it may repeat the request if the server has dropped the idle
		// connection. Without it 150 of 300 requests failed, with it none.
		out.Header["X-Idempotency-Key"] = []string{}
	}
	hidden := secrets{t.authorize(out)}
	if t.opts.Secrets != nil {
		hidden = append(hidden, t.opts.Secrets()...)
	}
	answer := captured(req.Context())
	answer.begin(req, hidden)
	if err := fence(out, t.opts.Before); err != nil {
		return nil, err
	}
	if t.warm != nil {
		t.warm.called(req.URL)
	}
	begun := time.Now()
	resp, err := t.send(out)
	t.observed(req.Context(), resp, time.Since(begun))
	if err != nil {
		return nil, err
	}
	answer.answered(resp)
	if t.warm != nil {
		t.warm.answered(resp.ProtoMajor, answer.retryAfter) //nolint:contextcheck // connections outlive the call
	}
	b := &body{Closer: resp.Body, rest: io.LimitReader(resp.Body, answer.limit+1), left: answer.limit, answer: answer, req: req, slot: t.slot}
	if resp.Body = b; success(resp.StatusCode) && req.Method == http.MethodGet {
		return resp, nil
	}
	text, err := b.readShort(success(resp.StatusCode))
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(text))
	return resp, nil
}

// observed calls Observe with the result of a request; resp is nil if there was no answer.
func (t *transport) observed(ctx context.Context, resp *http.Response, took time.Duration) {
	switch {
	case t.opts.Observe == nil:
	case resp != nil:
		t.opts.Observe(ctx, resp.StatusCode, took)
	case !errors.Is(ctx.Err(), context.Canceled): // a missed deadline counts, because there was no answer
		t.opts.Observe(ctx, 0, took)
	}
}

// authorize sets the credential and returns it. It returns "" if the request goes elsewhere.
func (t *transport) authorize(req *http.Request) string {
	if t.opts.Token == nil || req.URL.Scheme != t.opts.Endpoint.Scheme || !strings.EqualFold(req.URL.Host, t.opts.Endpoint.Host) {
		return ""
	}
	token := t.opts.Token()
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return token
}

// CloseIdleConnections makes [http.Client.CloseIdleConnections] work.
func (t *transport) CloseIdleConnections() {
	if t.warm != nil {
		t.warm.pause()
	}
	t.base.CloseIdleConnections()
}

func success(status int) bool { return status >= 200 && status <= 299 }
