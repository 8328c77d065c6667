package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// A protocol is what the cloud's API speaks.
type protocol int

const (
	plain protocol = iota // HTTP/1.1 without TLS
	http1                 // HTTP/1.1 over TLS
	http2                 // HTTP/2 over TLS
)

func (p protocol) String() string {
	return [...]string{"plain HTTP", "TLS + HTTP/1.1 only", "TLS + HTTP/2"}[p]
}

// A certificate is one for loopback, its own authority.
type certificate struct {
	path string // of the file that a client trusts
	pair tls.Certificate
}

func newCertificate(path string) (certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificate{}, err
	}
	now := time.Now()
	about := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "bench"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 0, 1),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		return certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return certificate{path, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}, os.WriteFile(path, text, 0o600)
}

// A server serves a cloud's API on loopback and sees each byte that passes.
type server struct {
	wire *wire
	http *http.Server
	done chan error
}

// serve starts a server.
func serve(ctx context.Context, handler http.Handler, speaks protocol, stamps bool, cert certificate) (*server, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(speaks == http2)
	s := &server{
		wire: &wire{Listener: listener, stamps: stamps},
		http: &http.Server{
			Handler: handler, Protocols: protocols, ReadHeaderTimeout: time.Minute,
			ErrorLog:  log.New(io.Discard, "", 0), // clients are killed in mid-handshake here
			TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert.pair}},
		},
		done: make(chan error, 1),
	}
	go func() {
		if speaks == plain {
			s.done <- s.http.Serve(s.wire)
		} else {
			s.done <- s.http.ServeTLS(s.wire, "", "")
		}
	}()
	return s, nil
}

func (s *server) close() error {
	err := s.http.Close()
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// A wire is a listener that counts what passes, as it is on the wire, and shows what comes in.
type wire struct {
	net.Listener
	stamps  bool         // what comes in is seen with the kernel's time of its arrival
	in, out atomic.Int64 // bytes
	seen    atomic.Pointer[func(data []byte, at time.Time)]
}

// watch calls f with all that comes in from now on, and when, side by side for several connections; nil: no more.
func (w *wire) watch(f func(data []byte, at time.Time)) {
	if f == nil {
		w.seen.Store(nil)
		return
	}
	w.seen.Store(&f)
}

// Accept implements net.Listener.
func (w *wire) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &wireConn{Conn: conn, wire: w}
	if w.stamps {
		if c.stamped, err = newStamped(conn); err != nil {
			return nil, err
		}
		c.Conn = c.stamped
	}
	return c, nil
}

type wireConn struct {
	net.Conn
	wire    *wire
	stamped *stamped // nil: it is not
}

// Read implements net.Conn.
func (c *wireConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		if f := c.wire.seen.Load(); f != nil {
			at := time.Now()
			if c.stamped != nil {
				at = c.stamped.at
			}
			(*f)(p[:n], at)
		}
		c.wire.in.Add(int64(n))
	}
	return n, err
}

// Write implements net.Conn.
func (c *wireConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.wire.out.Add(int64(n))
	return n, err
}
