package cloudscale_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"floaty/providers"
	"floaty/providers/cloudscale"
	"floaty/providers/httpapi"
)

func TestAssignIsOneRequest(t *testing.T) {
	t.Parallel()
	type request struct{ method, path, body, authorization, agent string }
	var got []request
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		agent, _, _ := strings.Cut(r.UserAgent(), "/")
		got = append(got, request{r.Method, r.URL.Path, string(body), r.Header.Get("Authorization"), agent})
		w.WriteHeader(http.StatusNoContent)
	})
	p := provider(t, cloudscale.Options{Endpoint: url + "/base"})
	for text, path := range map[string]string{
		"192.0.2.1":        "192.0.2.1",
		"::ffff:192.0.2.1": "192.0.2.1",
		"2001:DB8:0::1":    "2001:db8::1",
		"2001:db8::1%eth0": "2001:db8::1",
	} {
		got = nil
		if err := p.Assign(t.Context(), netip.MustParseAddr(text), here, nil); err != nil {
			t.Errorf("%s: got %v, want no error", text, err)
		}
		want := request{"PATCH", "/base/v1/floating-ips/" + path, `{"server":"` + here + `"}` + "\n", "Bearer " + token, "floaty"}
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %+v, want only %+v", text, got, want)
		}
	}
}

func TestOnlyAnAcknowledgementIsSuccess(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 201, 202, 206} {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "<html><title>Please log in</title></html>")
		})
		err := provider(t, cloudscale.Options{Endpoint: url}).Assign(t.Context(), addr, here, nil)
		if err == nil || !strings.Contains(err.Error(), "unexpected status (want 204 No Content): Please log in") {
			t.Errorf("%d: got %v, want an error with the page's text", status, err)
		}
	}
}

// In these responses the message is in a list, and for those the SDK loses the status.
func TestMissingServerIsARefusal(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	const gone = "99999999-9999-4999-8999-999999999999"
	err := w.Assign(t.Context(), addr, gone, nil)
	want := "assigning 192.0.2.1: PATCH " + w.url + "/v1/floating-ips/192.0.2.1: 400 Bad Request: server: Object with uuid=" + gone + " does not exist."
	if !errors.Is(err, providers.ErrRefused) || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestRotatedTokenTakesEffectImmediately(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	now := "old"
	w.Provider = provider(t, cloudscale.Options{Endpoint: w.url, Token: func() string { return now }})
	for _, next := range []string{"old", "new", "newer"} {
		w.SetToken(next)
		if err := w.Assign(t.Context(), addr, here, nil); next != now && !errors.Is(err, providers.ErrUnauthorized) {
			t.Errorf("%s instead of %s: got %v, want %v", now, next, err, providers.ErrUnauthorized)
		}
		now = next
		if err := w.Assign(t.Context(), addr, here, nil); err != nil {
			t.Errorf("%s: got %v, want no error", now, err)
		}
		if got := read(t, w, addr.String()); !got.At(here) {
			t.Errorf("%s: got %+v, want it held by %s", now, got, here)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var strangers []string
	stranger := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		strangers = append(strangers, r.Method+" "+r.Header.Get("Authorization"))
	})
	for _, status := range []int{301, 302, 303, 307, 308} {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, stranger+r.URL.Path, status) //nolint:gosec // a redirect elsewhere is what is tested
		})
		p := provider(t, cloudscale.Options{Endpoint: url})
		_, err := p.Read(t.Context(), []netip.Addr{addr})
		for _, err := range []error{err, p.Assign(t.Context(), addr, here, nil)} {
			if err == nil || !strings.Contains(err.Error(), "a redirect to "+stranger) {
				t.Errorf("%d: got %v, want an error that names %s", status, err, stranger)
			}
		}
	}
	if len(strangers) != 0 {
		t.Errorf("got the requests %q at the redirect's target, want none", strangers)
	}
}

func TestCloseClosesOnlyIdleConnections(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	for range 2 {
		for range 2 {
			read(t, w, addr.String())
		}
		w.Close()
	}
	remotes := map[string]int{}
	for _, call := range w.Calls() {
		remotes[call.Remote]++
	}
	if len(w.Calls()) != 4 || len(remotes) != 2 {
		t.Errorf("got calls by connection %v, want 2 connections with 2 calls each", remotes)
	}
}

func TestAssignPassesTheFence(t *testing.T) {
	t.Parallel()
	stopped := errors.New("no longer wanted")
	w := newEnv(t)
	p := provider(t, cloudscale.Options{Endpoint: w.url, Hooks: httpapi.Hooks{Before: func(context.Context) error { return stopped }}})
	if err := p.Assign(t.Context(), addr, here, nil); !errors.Is(err, stopped) {
		t.Errorf("got %v, want %v", err, stopped)
	}
	if calls := w.Calls(); len(calls) != 0 {
		t.Errorf("got the calls %v, want none", calls)
	}
}
