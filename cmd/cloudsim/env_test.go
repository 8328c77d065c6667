package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain runs the program itself instead of the tests if the environment says so: some tests need a separate process.
func TestMain(m *testing.M) {
	if os.Getenv("CLOUDSIM_IS_THE_PROGRAM") != "" {
		main()
	}
	os.Exit(m.Run())
}

const (
	lb1   = "11111111-1111-4111-8111-111111111111"
	lb2   = "22222222-2222-4222-8222-222222222222"
	token = "s3cr3t"
)

// A program is cloudsim running inside the test process.
type program struct {
	*testing.T
	url    string
	stderr *text
	client *http.Client
	stop   context.CancelFunc
	status chan int
}

// start runs the program on a free port until the test ends or calls stop.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := &program{T: t, stderr: &text{}, stop: cancel, status: make(chan int, 1), client: &http.Client{Transport: &http.Transport{}}}
	output, stdout := io.Pipe()
	go func() {
		p.status <- run(ctx, append([]string{"--listen", "127.0.0.1:0"}, args...), stdout, p.stderr)
		_ = stdout.Close()
	}()
	t.Cleanup(func() {
		cancel()
		p.client.CloseIdleConnections()
	})
	url, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatalf("got no URL: %v; its log: %s", err, p.stderr)
	}
	p.url = strings.TrimSpace(url)
	return p
}

// ends waits for the program's end and checks its exit status.
func (p *program) ends(want int) {
	p.Helper()
	select {
	case got := <-p.status:
		if got != want {
			p.Errorf("got status %d, want %d; its log: %s", got, want, p.stderr)
		}
	case <-time.After(10 * time.Second):
		p.Fatal("got no end within 10 s")
	}
}

// eventually waits until is returns true. The text what describes that in the failure message.
func (p *program) eventually(what string, is func() bool) {
	p.Helper()
	for deadline := time.Now().Add(5 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			p.Fatalf("not within 5 s: %s; its log: %s", what, p.stderr)
		}
	}
}

// call makes a request and returns the status and body of the response.
func (p *program) call(method, path, body string) (int, string) {
	p.Helper()
	req, err := http.NewRequestWithContext(p.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := p.client.Do(req)
	if err != nil {
		p.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		p.Fatal(err)
	}
	return resp.StatusCode, string(got)
}

// wants makes a request and checks the status of the response, and that its body contains part.
func (p *program) wants(status int, part, method, path, body string) {
	p.Helper()
	gotStatus, got := p.call(method, path, body)
	if gotStatus != status || !strings.Contains(got, part) {
		p.Errorf("%s %s: got %d %q, want %d and %q in it", method, path, gotStatus, got, status, part)
	}
}

// A text collects what is written to it.
type text struct {
	mu      sync.Mutex // guards written
	written strings.Builder
}

func (t *text) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.written.Write(b)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.written.String()
}
