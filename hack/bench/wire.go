package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A protocol is the protocol of the cloud's API.
type protocol int

const (
	plain protocol = iota // HTTP/1.1 without TLS
	http1                 // HTTP/1.1 over TLS
	http2                 // HTTP/2 over TLS
)

func (p protocol) String() string {
	return [...]string{"plain HTTP", "TLS + HTTP/1.1 only", "TLS + HTTP/2"}[p]
}

// newCertificate returns a self-signed certificate for loopback, and writes it to path. It has an elliptic-curve key, as the clouds' do: the
// RSA key of net/http/httptest would make each handshake 0.7 ms longer.
func newCertificate(path string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 0, 1),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, os.WriteFile(path, text, 0o600)
}

// serve starts a server on a listener.
func serve(listener net.Listener, handler http.Handler, p protocol, cert tls.Certificate) *httptest.Server {
	server := &httptest.Server{
		Listener: listener, EnableHTTP2: p == http2, TLS: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}},
		Config: &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, ErrorLog: silent}, // the bench kills clients during handshakes
	}
	if p == plain {
		server.Start()
	} else {
		server.StartTLS()
	}
	return server
}

// A wire is a listener on loopback that counts all bytes, and lets a function watch what arrives.
type wire struct {
	net.Listener
	bytes atomic.Int64 // in both directions
	seen  atomic.Pointer[func(data []byte, at time.Time)]
}

// watch calls f with all data that arrives from now on, and its time of arrival. Calls for several connections may be concurrent.
func (w *wire) watch(f func(data []byte, at time.Time)) { w.seen.Store(&f) }

// Accept implements net.Listener.
func (w *wire) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	raw, err := conn.(*net.TCPConn).SyscallConn() // a listener for TCP accepts nothing else
	if err != nil {
		return nil, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) })
	return &wireConn{conn, raw, w}, errors.Join(err, failed)
}

// A wireConn gets the kernel's timestamp for all data that is read, so the time of arrival is right however late this process reads it.
type wireConn struct {
	net.Conn
	raw  syscall.RawConn
	wire *wire
}

// Read implements net.Conn.
func (c *wireConn) Read(p []byte) (n int, err error) {
	var oob [64]byte
	var length int
	failed := c.raw.Read(func(fd uintptr) bool {
		n, length, _, _, err = unix.Recvmsg(int(fd), p, oob[:], 0)
		return !errors.Is(err, unix.EAGAIN)
	})
	switch {
	case failed != nil: // not wrapped, because net/http checks whether it is a timeout
		return 0, failed
	case err != nil:
		return 0, err
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	c.wire.bytes.Add(int64(n))
	if f := c.wire.seen.Load(); f != nil {
		(*f)(p[:n], arrival(oob[:length]))
	}
	return n, nil
}

// Write implements net.Conn.
func (c *wireConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.wire.bytes.Add(int64(n))
	return n, err
}

// arrival returns the kernel's timestamp, or the current time for data that arrived before the option was set.
func arrival(oob []byte) time.Time {
	messages, _ := unix.ParseSocketControlMessage(oob) // none, if they cannot be read
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
			sec, nsec := binary.NativeEndian.Uint64(m.Data), binary.NativeEndian.Uint64(m.Data[8:])
			return time.Unix(int64(sec), int64(nsec)) //nolint:gosec // a time
		}
	}
	return time.Now()
}
