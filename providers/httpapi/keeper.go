package httpapi

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// A keeper makes a request and keeps what was answered for the caller.
type keeper struct {
	base     *http.Transport
	warm     *warmer  // nil: connections are not kept
	endpoint *url.URL // the token's only destination
	token    func() string
	long     chan struct{}               // has room for one: see waitForRoom
	secrets  func() []string             // beside the token, to be kept out of messages
	before   func(context.Context) error // allows a changing request; nil: it needs no leave
}

// RoundTrip implements [http.RoundTripper].
func (k *keeper) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context()) // a RoundTripper must not change the request that it is given
	if req.Method == http.MethodPatch || req.Method == http.MethodPut {
		// Never sent, since it is empty, but net/http then knows that it may repeat the request when the server turns out to
		// have dropped the idle connection: without it 150 of 300 failed, with it none.
		out.Header["X-Idempotency-Key"] = []string{}
	}
	hide := secrets{k.authorize(out)}
	if k.secrets != nil {
		hide = append(hide, k.secrets()...)
	}
	answer := captured(req.Context())
	answer.asked(req, hide)
	if err := fence(out, k.before); err != nil {
		return nil, err
	}
	if k.warm != nil {
		k.warm.called(req.URL)
	}
	resp, err := k.send(out)
	if err != nil {
		return nil, err
	}
	answer.answered(resp)
	if k.warm != nil {
		k.warm.answered(resp.ProtoMajor, answer.retryAfter) //nolint:contextcheck // connections outlive the call
	}
	b := &body{Closer: resp.Body, rest: io.LimitReader(resp.Body, answer.limit+1), left: answer.limit, answer: answer, req: req, long: k.long}
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

// authorize sets the credential and returns it; "" if it is not for this request.
func (k *keeper) authorize(req *http.Request) string {
	if k.token == nil || req.URL.Scheme != k.endpoint.Scheme || !strings.EqualFold(req.URL.Host, k.endpoint.Host) {
		return ""
	}
	token := k.token()
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return token
}

// CloseIdleConnections makes [http.Client.CloseIdleConnections] work.
func (k *keeper) CloseIdleConnections() {
	if k.warm != nil {
		k.warm.rest()
	}
	k.base.CloseIdleConnections()
}

func success(status int) bool { return status >= 200 && status <= 299 }
