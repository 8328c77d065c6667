package main

import (
	"net"
	"testing"
	"time"
)

// The kernel's time is that of the arrival, however late it is read.
func TestAStampIsTheTimeOfArrival(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	near, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = near.Close() }()
	far, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = far.Close() }()
	s, err := newStamped(far)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"first", "second"} { // the kernel may begin a moment after it was asked
		if _, err := near.Write([]byte(word)); err != nil {
			t.Fatal(err)
		}
		sent := time.Now()
		time.Sleep(50 * time.Millisecond) // the reader is late
		buf := make([]byte, 100)
		if n, err := s.Read(buf); err != nil || string(buf[:n]) != word {
			t.Fatalf("got %q, %v, want %q", buf[:n], err, word)
		}
		if late := s.at.Sub(sent); word == "second" && late > 25*time.Millisecond {
			t.Errorf("got a stamp %v after it was sent, want the time of its arrival", late)
		}
	}
}
