package simulator_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"floaty/providers/simulator"
)

func TestStatusFaultAnswersLikeTheAPI(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault  simulator.Fault
		status int
		body   string
	}{
		{simulator.Fault{}, 500, ""},
		{simulator.Fault{Status: 503}, 503, ""},
		{simulator.Fault{Status: 503, RetryAfter: "5", Body: "down"}, 503, "down"},
		{simulator.Fault{Status: 400}, 400, `{"server":["This field is not valid."]}` + "\n"},
		{simulator.Fault{Status: 401}, 401, `{"detail":"Invalid token."}` + "\n"},
		{simulator.Fault{Status: 403}, 403, `{"detail":"You do not have permission to perform this action."}` + "\n"},
		{simulator.Fault{Status: 404}, 404, `{"detail":"Not found."}` + "\n"},
		{simulator.Fault{Status: 409}, 409, `{"detail":"Conflict."}` + "\n"},
		{simulator.Fault{Status: 429, RetryAfter: "7"}, 429, `{"detail":"Request was throttled."}` + "\n"},
		{simulator.Fault{Status: 200, Body: "[]"}, 200, "[]"},
		{simulator.Fault{Kind: simulator.BrokenJSON}, 200, `[{"href":"https://api.clouds`},
	} {
		both(t, func(w *env) {
			w.Fail(test.fault)
			got, err := w.assign(addr4, lb2)
			if err != nil || got.status != test.status || got.body != test.body || got.header.Get("Retry-After") != test.fault.RetryAfter {
				w.Errorf("%+v: got %+v, %v, want %d %q", test.fault, got, err, test.status, test.body)
			}
			w.wantHolders(addr4, lb1)
		})
	}
}

func TestHTMLFaultAnswersWithAPage(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	w.Fail(simulator.Fault{Kind: simulator.HTML})
	got, err := w.assign(addr4, lb2)
	if err != nil || got.status != 502 || got.header.Get("Content-Type") != "text/html" || !strings.HasPrefix(got.body, "<html>") {
		t.Errorf("got %+v, %v, want 502 and a page", got, err)
	}
	w.wantHolders(addr4, lb1)
}

func TestHangLastsUntilFaultsAreCleared(t *testing.T) {
	t.Parallel()
	both(t, func(w *env) {
		w.Fail(simulator.Fault{Kind: simulator.Hang})
		answers := make(chan answer, 1)
		go func() {
			got, err := w.assign(addr4, lb2)
			if err != nil {
				w.Error(err)
			}
			answers <- got
		}()
		w.eventually("the request arrives", func() bool { return len(w.Calls()) == 1 })
		w.wantHolders(addr4, lb1)
		select {
		case got := <-answers:
			w.Errorf("got %+v, want no answer while it hangs", got)
		default:
		}
		w.ClearFaults()
		if got := <-answers; got.status != http.StatusNoContent {
			w.Errorf("got %+v, want 204", got)
		}
		w.wantHolders(addr4, lb2)
	})
}

// A request that its client has given up must not take effect later; otherwise a test would see behaviour that no real cloud has.
func TestRequestThatItsClientGaveUpHasNoEffect(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(w *env){
		"hang":      func(w *env) { w.Fail(simulator.Fault{Kind: simulator.Hang}) },
		"latency":   func(w *env) { w.SetLatency(time.Hour) },
		"slow body": func(w *env) { w.Fail(simulator.Fault{Kind: simulator.SlowBody}) },
	} {
		both(t, func(w *env) {
			ended := make(chan simulator.Call, 1)
			w.OnCall(func(c simulator.Call) { ended <- c })
			arrange(w)
			ctx, cancel := context.WithCancel(w.Context())
			defer cancel()
			failed := make(chan error, 1)
			go func() {
				_, err := w.try(ctx, http.MethodPatch, "/v1/floating-ips/192.0.2.1", `{"server": "`+lb2+`"}`)
				failed <- err
			}()
			w.eventually(name+": the request arrives", func() bool { return len(w.Calls()) == 1 })
			cancel()
			if err := <-failed; !errors.Is(err, context.Canceled) {
				w.Errorf("%s: got %v, want %v", name, err, context.Canceled)
			}
			if got := <-ended; got.Status != 0 {
				w.Errorf("%s: got status %d, want none", name, got.Status)
			}
			w.ClearFaults()
			w.wantHolders(addr4, lb1)
		})
	}
}

func TestSlowBodyBeginsImmediatelyAndDoesNotEnd(t *testing.T) {
	t.Parallel()
	both(t, func(w *env) {
		w.Fail(simulator.Fault{Kind: simulator.SlowBody})
		ctx, cancel := context.WithCancel(w.Context())
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/v1/floating-ips", http.NoBody)
		if err != nil {
			w.Fatal(err)
		}
		resp, err := w.client.Do(req)
		if err != nil {
			w.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // it was only read
		var start [3]byte
		if _, err := io.ReadFull(resp.Body, start[:]); err != nil || resp.StatusCode != 200 || string(start[:]) != "[  " {
			w.Errorf("got %d %q, %v, want 200 and the start of a list", resp.StatusCode, start, err)
		}
		cancel()
		if rest, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
			w.Errorf("got the end %q, %v, want %v", rest, err, context.Canceled)
		}
	})
}

func TestResetHasNoAnswer(t *testing.T) {
	t.Parallel()
	for kind, want := range map[simulator.Kind]string{simulator.Reset: lb1, simulator.LostAnswer: lb2} {
		both(t, func(w *env) {
			w.Fail(simulator.Fault{Kind: kind})
			got, err := w.assign(addr4, lb2)
			if err == nil {
				w.Errorf("%v: got %+v, want an error", kind, got)
			}
			if strings.HasPrefix(w.url, "http:") && !errors.Is(err, syscall.ECONNRESET) {
				w.Errorf("%v: got %v, want %v", kind, err, syscall.ECONNRESET)
			}
			w.wantHolders(addr4, want)
			if got := w.Calls(); len(got) != 1 || got[0].Status != 0 {
				w.Errorf("%v: got calls %+v, want one without a status", kind, got)
			}
			w.ClearFaults()
			w.wants(200, "", http.MethodGet, "/v1/floating-ips", "")
		})
	}
}

// A TLS close message before the reset would look like a regular end of the connection to the client.
func TestResetOverTLS(t *testing.T) {
	t.Parallel()
	w := newEnv(t, true)
	plain := w.client.Transport.(*http.Transport).Clone()
	plain.ForceAttemptHTTP2 = false
	plain.TLSClientConfig.NextProtos = []string{"http/1.1"}
	w.client = &http.Client{Transport: plain}
	t.Cleanup(plain.CloseIdleConnections)
	w.Fail(simulator.Fault{Kind: simulator.Reset})
	if got, err := w.assign(addr4, lb2); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %+v, %v, want %v", got, err, syscall.ECONNRESET)
	}
}
