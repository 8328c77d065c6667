package main

import (
	"net"
	"testing"
	"time"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// arrivals sends two words to target, of which w sees the arrival, and returns when each was sent and arrived. The first counts from before
// the connection was made. The reader is late.
func arrivals(t *testing.T, w *wire, target string, late time.Duration) (sent, arrived [2]time.Time) {
	t.Helper()
	begun := time.Now()
	client, err := net.Dial("tcp", target)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	server, err := w.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	for i := range sent {
		w.watch(func(_ []byte, at time.Time) { arrived[i] = at })
		sent[i] = time.Now()
		if i == 0 {
			sent[i] = begun
		}
		if _, err := client.Write([]byte("word")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(late)
		if n, err := server.Read(make([]byte, 100)); n != 4 || err != nil {
			t.Fatalf("got %d bytes, %v, want 4", n, err)
		}
	}
	return sent, arrived
}

func TestTheTimeOfArrivalIsTheKernels(t *testing.T) {
	const late = 300 * time.Millisecond
	w := &wire{Listener: listen(t)}
	sent, arrived := arrivals(t, w, w.Addr().String(), late)
	if took := arrived[1].Sub(sent[1]); took > late/2 { // for the first one, the kernel may begin a moment after it was asked to
		t.Errorf("arrived %v after it was sent, though only its reader was %v late", took, late)
	}
}

func TestTheRelayDelaysByHalfARoundTripAndTheFirstWordByTheHandshakeToo(t *testing.T) {
	w, near := &wire{Listener: listen(t)}, listen(t)
	go new(world).relay(t.Context(), near, w.Addr().String())
	sent, arrived := arrivals(t, w, near.Addr().String(), 0)
	for i, want := range []time.Duration{roundTrip * 3 / 2, roundTrip / 2} {
		if took := arrived[i].Sub(sent[i]); took < want-time.Millisecond {
			t.Errorf("word %d arrived after %v, want at least %v", i+1, took, want)
		}
	}
}
