package httpapi

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxError is how much of an answer that is no success is read, in bytes: enough for a message.
const maxError = 64 << 10

// A keeper makes a request, reads the whole answer and keeps it for the caller.
type keeper struct {
	base     *http.Transport
	warm     *warmer  // nil: connections are not kept
	endpoint *url.URL // the token's only destination
	token    func() string
	secrets  func() []string // beside the token, to be kept out of messages
	limit    int64           // of an answer, in bytes
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
	if k.warm != nil {
		k.warm.called(req.URL)
	}
	resp, err := k.send(out)
	if err != nil {
		return nil, err
	}
	body, err := k.swallow(resp)
	answer.answered(resp, body)
	if k.warm != nil && answer.retryAfter > 0 {
		k.warm.wait(answer.retryAfter)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	// A JSON decoder stops before the end, and HTTP/1.1 then closes the connection instead of using it again.
	resp.Body = io.NopCloser(bytes.NewReader(body))
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

// swallow reads the answer. An answer that is no success is short enough for its message, and what went wrong while it
// was read says less than its status.
func (k *keeper) swallow(resp *http.Response) ([]byte, error) {
	defer func() { _ = resp.Body.Close() }() // it was only read
	if !success(resp.StatusCode) {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
		return body, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, k.limit+1))
	if int64(len(body)) > k.limit {
		return body, fmt.Errorf("it is longer than %d bytes", k.limit)
	}
	return body, err
}

// CloseIdleConnections makes [http.Client.CloseIdleConnections] work.
func (k *keeper) CloseIdleConnections() {
	if k.warm != nil {
		k.warm.rest()
	}
	k.base.CloseIdleConnections()
}

func success(status int) bool { return status >= 200 && status <= 299 }
