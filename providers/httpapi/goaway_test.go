package httpapi

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A load balancer that restarts says GOAWAY, and may close the connection before the last requests on it are answered. An error code in
// the GOAWAY says something about the requests, for example that there are too many.
func TestRequestCutOffByAGoAwayIsRepeated(t *testing.T) {
	t.Parallel()
	for code, want := range map[http2.ErrCode]int64{http2.ErrCodeNo: 3, http2.ErrCodeEnhanceYourCalm: 2} {
		var requests atomic.Int64
		server := serveFrames(t, func(f *http2.Framer, stream uint32) bool {
			if requests.Add(1) == 2 {
				_ = f.WriteGoAway(stream, code, nil)
				return false
			}
			var headers bytes.Buffer
			_ = hpack.NewEncoder(&headers).WriteField(hpack.HeaderField{Name: ":status", Value: "204"})
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: headers.Bytes(), EndHeaders: true, EndStream: true})
			return true
		})
		client := clientOf(t, server, server.URL)
		if _, err := call(t, client, http.MethodPatch, server.URL); err != nil {
			t.Fatal(err)
		}
		_, err := call(t, client, http.MethodPatch, server.URL)
		if repeated := want == 3; (err == nil) != repeated {
			t.Errorf("%v: got %v, want it repeated: %v", code, err, repeated)
		}
		if got := requests.Load(); got != want {
			t.Errorf("%v: got %d requests, want %d", code, got, want)
		}
	}
}

// serveFrames starts an HTTP/2 server that calls answer with each request whose body has ended, and closes the connection if it returns
// false.
func serveFrames(t *testing.T, answer func(f *http2.Framer, stream uint32) bool) *httptest.Server {
	t.Helper()
	serve := func(conn *tls.Conn) {
		defer func() { _ = conn.Close() }()
		_, _ = io.ReadFull(conn, make([]byte, len(http2.ClientPreface)))
		f := http2.NewFramer(conn, conn)
		_ = f.WriteSettings()
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			switch frame := frame.(type) {
			case *http2.SettingsFrame:
				if !frame.IsAck() {
					_ = f.WriteSettingsAck()
				}
			case *http2.DataFrame:
				if frame.StreamEnded() && !answer(f, frame.StreamID) {
					_ = conn.CloseWrite()
					_, _ = io.Copy(io.Discard, conn) // closing with unread data would reset the connection, and the GOAWAY might be lost
					return
				}
			}
		}
	}
	server := httptest.NewUnstartedServer(nil)
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{NextProtos: []string{"h2"}}
	server.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
		"h2": func(_ *http.Server, conn *tls.Conn, _ http.Handler) { serve(conn) },
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}
