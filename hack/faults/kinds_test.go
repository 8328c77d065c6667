package faults

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"
)

// A fault is a way for a call to go wrong.
type fault struct {
	name   string
	raw    bool              // needs HTTP/1.1, because net/http gives no access to an HTTP/2 connection
	wide   bool              // makes calls for all addresses wait
	void   func(c call) bool // reports whether the fault is impossible for a call; nil: it never is
	answer func(x *exchange)
}

// An exchange is one request that is answered with a fault.
type exchange struct {
	env *env
	*breakage
	w    http.ResponseWriter
	r    *http.Request
	body []byte
}

func readOnce(body []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(body)) }

func kinds() []fault {
	reads := func(c call) bool { return !c.writes }
	plain := func(c call) bool { return c.metadata }
	return []fault{
		status(500, ""), status(503, ""), wide(status(503, "1")), wide(status(429, "1")), wide(status(401, "")),
		status(403, ""), status(404, ""), status(400, ""), status(409, ""),
		{name: "no answer", answer: (*exchange).hang},
		{name: "no answer, HTTP/1.1", raw: true, answer: (*exchange).hang},
		{name: "a body without an end", answer: func(x *exchange) { x.start("[{"); x.hang() }},
		{name: "a reset", raw: true, answer: func(x *exchange) { x.cut("") }},
		{name: "a truncated body", raw: true, answer: func(x *exchange) {
			x.cut("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n[{")
		}},
		{name: "a page of HTML, 200", answer: func(x *exchange) { x.says(200, "text/html", "<html><title>Please log in</title></html>") }},
		{name: "a page of HTML, 502", answer: func(x *exchange) { x.says(502, "text/html", "<html><title>502 Bad Gateway</title></html>") }},
		{name: "broken JSON", answer: func(x *exchange) { x.says(200, "application/json", `{"`) }},
		{name: "101", raw: true, answer: func(x *exchange) {
			conn := x.raw("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			<-x.over
			_ = conn.Close()
		}},
		{name: "102", answer: func(x *exchange) { x.w.WriteHeader(http.StatusProcessing); x.hang() }},
		{name: "a huge answer", answer: (*exchange).huge},
		{name: "a redirect", answer: (*exchange).redirect},
		{name: "slow", answer: func(x *exchange) { x.wait(700 * time.Millisecond); x.pass() }},
		{name: "TLS cut", raw: true, void: plain, answer: (*exchange).cutTLS},
		{name: "an answer to another question", answer: func(x *exchange) {
			if x.call.empty == "" {
				x.w.WriteHeader(http.StatusNoContent)
			} else {
				x.says(200, "application/json", x.call.empty)
			}
		}},
		{name: "a stale answer", void: func(c call) bool { return len(c.lists) == 0 }, answer: func(x *exchange) {
			old := x.stale[x.r.URL.Path]
			x.says(old.status, "application/json", string(old.body))
		}},
		{name: "a late effect", void: reads, answer: (*exchange).late},
		{name: "an effect without an answer", raw: true, void: reads, answer: func(x *exchange) {
			x.env.pass(httptest.NewRecorder(), x.r, x.body)
			x.cut("")
		}},
		{name: "a second answer, with the credential", raw: true, answer: (*exchange).echo},
	}
}

func status(code int, retryAfter string) fault {
	name := fmt.Sprint(code)
	if retryAfter != "" {
		name += ", Retry-After: " + retryAfter
	}
	return fault{name: name, answer: func(x *exchange) {
		if retryAfter != "" {
			x.w.Header().Set("Retry-After", retryAfter)
		}
		body := `{"detail":"No.","message":"No."}`
		if code == http.StatusForbidden { // without this message, Exoscale's 403 means that the credential is not accepted
			body = `{"detail":"Forbidden","message":"Forbidden by role policy for compute"}`
		}
		x.says(code, "application/json", body)
	}}
}

func wide(f fault) fault {
	f.wide = true
	return f
}

func (x *exchange) pass() { x.env.pass(x.w, x.r, x.body) }

// says sends a whole answer.
func (x *exchange) says(code int, kind, body string) {
	x.w.Header().Set("Content-Type", kind)
	x.w.WriteHeader(code)
	_, _ = io.WriteString(x.w, body)
}

// start sends a header and the start of a body.
func (x *exchange) start(body string) {
	x.says(200, "application/json", body)
	_ = http.NewResponseController(x.w).Flush()
}

// wait waits, at most until the fault ends or the client gives up.
func (x *exchange) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-x.over:
	case <-x.r.Context().Done():
	}
}

// hang sends nothing more, and aborts the request when the fault ends.
func (x *exchange) hang() {
	x.wait(time.Hour)
	panic(http.ErrAbortHandler)
}

// raw takes over the connection and writes text to it.
func (x *exchange) raw(text string) net.Conn {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		x.env.t.Error(err)
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(conn, text)
	return conn
}

// cut writes text and closes the connection, with a reset if text is empty.
func (x *exchange) cut(text string) {
	conn := x.raw(text)
	if over, ok := conn.(*tls.Conn); ok {
		conn = over.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok && text == "" {
		_ = tcp.SetLinger(0) // makes Close send RST instead of FIN
	}
	_ = conn.Close()
}

// cutTLS sends an incomplete TLS record and closes the connection.
func (x *exchange) cutTLS() {
	conn := x.raw("")
	if over, ok := conn.(*tls.Conn); ok {
		conn = over.NetConn()
	}
	_, _ = conn.Write([]byte("\x17\x03\x03\x40\x00half a record"))
	_ = conn.Close()
}

// huge answers with 64 MiB.
func (x *exchange) huge() {
	x.start(`[{"network":"`)
	piece := strings.Repeat("x", 1<<20)
	for range 64 {
		if _, err := io.WriteString(x.w, piece); err != nil {
			return
		}
	}
}

// redirect redirects the client to another server, which must get no request.
func (x *exchange) redirect() {
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		x.env.leak(r.Method + " of a redirect")
	}))
	x.env.t.Cleanup(thief.Close)
	x.w.Header().Set("Location", thief.URL+x.r.URL.Path)
	x.w.WriteHeader(http.StatusTemporaryRedirect)
}

// late acknowledges a write that takes effect only when the fault ends.
func (x *exchange) late() {
	answer := httptest.NewRecorder()
	later := x.r.Clone(x.env.t.Context())
	if x.call.empty == "" {
		x.w.WriteHeader(http.StatusNoContent)
	} else {
		x.says(200, "application/json", x.call.empty)
	}
	body := x.body
	go func() {
		select {
		case <-x.over:
			x.env.pass(answer, later, body)
		case <-later.Context().Done():
		}
	}()
}

// echo answers correctly, and then sends a second, unsolicited answer that contains the request's credential.
func (x *exchange) echo() {
	answer := httptest.NewRecorder()
	x.env.pass(answer, x.r, x.body)
	length := ""
	if answer.Code != http.StatusNoContent {
		length = fmt.Sprintf("Content-Length: %d\r\n", answer.Body.Len())
	}
	conn := x.raw(fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%s\r\n%s", answer.Code, length, answer.Body))
	time.Sleep(50 * time.Millisecond) // until the client considers the connection idle
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nX-Echo: %s\r\n\r\n", x.r.Header.Get("Authorization"))
	_ = conn.Close()
}
