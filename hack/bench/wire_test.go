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

// arrivals sends two words to target and returns when each was sent and when it arrived at w. The first word counts as sent before the
// connection was opened. Each word is read only late after it was sent.
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
	if took := arrived[1].Sub(sent[1]); took > late/2 { // not the first word, because the kernel's timestamps may begin a moment after the option is set
		t.Errorf("got an arrival %v after it was sent, want it not delayed by a reader that was %v late", took, late)
	}
}

func TestTheRelayDelaysByHalfARoundTripAndTheFirstWordAlsoByTheHandshake(t *testing.T) {
	w, near := &wire{Listener: listen(t)}, listen(t)
	go new(world).relay(t.Context(), near, w.Addr().String())
	sent, arrived := arrivals(t, w, near.Addr().String(), 0)
	for i, want := range []time.Duration{roundTrip * 3 / 2, roundTrip / 2} {
		if took := arrived[i].Sub(sent[i]); took < want-time.Millisecond {
			t.Errorf("word %d arrived after %v, want at least %v", i+1, took, want)
		}
	}
}
