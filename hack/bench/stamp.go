package main

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A stamped connection tells when the kernel received what is read: that is when it was on the wire. When this process woke up for
// it is of no interest.
type stamped struct {
	net.Conn
	raw syscall.RawConn
	at  time.Time // what was read last came then
}

func newStamped(conn net.Conn) (*stamped, error) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, errors.New("not a TCP connection")
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) })
	return &stamped{Conn: conn, raw: raw}, errors.Join(err, failed)
}

// Read implements net.Conn.
func (s *stamped) Read(p []byte) (n int, err error) {
	var oob [64]byte
	var length int
	failed := s.raw.Read(func(fd uintptr) bool {
		n, length, _, _, err = unix.Recvmsg(int(fd), p, oob[:], 0)
		return !errors.Is(err, unix.EAGAIN)
	})
	switch {
	case failed != nil: // as it is: net/http asks whether it is a timeout
		return 0, failed
	case err != nil:
		return 0, err
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	s.at = arrival(oob[:length])
	return n, nil
}

// arrival returns what the kernel says of when a message arrived. Of one that came before it was asked, the first of a connection
// perhaps, it says nothing.
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
