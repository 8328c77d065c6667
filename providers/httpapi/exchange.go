package httpapi

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
)

// maxInterim is how many interim (1xx) answers to one request are accepted. With a trace set, net/http does not bound them.
const maxInterim = 5

// exchange makes a request and returns its final answer. It skips the interim answers that a server may send unasked (100 and 103); any
// other interim answer fails the call at once. net/http returns a 101 (Switching Protocols) as an answer whose body never ends, not even
// when the request's context does. got is called with the connection that is used; it may be nil.
func exchange(base http.RoundTripper, req *http.Request, got func(httptrace.GotConnInfo)) (*http.Response, error) {
	var conn net.Conn
	interim := 0
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			conn = info.Conn
			if got != nil {
				got(info)
			}
		},
		Got1xxResponse: func(status int, _ textproto.MIMEHeader) error {
			interim++
			if status != http.StatusContinue && status != http.StatusEarlyHints || interim > maxInterim {
				return interimError(status)
			}
			return nil
		},
	})
	resp, err := base.RoundTrip(req.WithContext(ctx))
	var unexpected interimError
	if errors.As(err, &unexpected) { // the transport's own error says less
		return nil, unexpected
	}
	if err == nil && resp.StatusCode <= 199 {
		_ = conn.Close() // whatever comes next on it is not HTTP
		_ = resp.Body.Close()
		return nil, interimError(resp.StatusCode)
	}
	return resp, err
}

// An interimError is the status of an unexpected interim answer.
type interimError int

func (e interimError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("unexpected interim answer %d %s", int(e), http.StatusText(int(e))))
}
