package conformance

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"floaty/providers"
)

func anErrorHasTheRightKind(t *testing.T, s Subject) {
	s.Cloud.Put(addr4, s.Other)
	forbidden := cmp.Or(s.Forbidden, providers.ErrRefused)
	date := time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)
	for _, test := range []struct {
		status     int
		retryAfter string
		kind       error
		least      float64 // seconds to wait
		most       float64
	}{
		{status: 400, kind: providers.ErrRefused},
		{status: 401, kind: providers.ErrUnauthorized},
		{status: 403, kind: forbidden},
		{status: 404, kind: providers.ErrNotFound},
		{status: 409},
		{status: 422, kind: providers.ErrRefused},
		{status: 429},
		{status: 429, retryAfter: "7", least: 7, most: 7},
		{status: 429, retryAfter: date, least: 50, most: 60},
		{status: 429, retryAfter: "later"},
		{status: 500},
		{status: 500, retryAfter: "7"},
		{status: 502},
		{status: 503},
		{status: 503, retryAfter: "7", least: 7, most: 7},
		{status: 503, retryAfter: "1000000", least: 300, most: 300},
		{status: 504},
	} {
		// The kinds of bodies that clouds send: none, a flat object, an object with arrays, and a proxy's page.
		for _, body := range []string{
			"", `{"detail": "No."}`, `{"server": ["Object with uuid x does not exist."]}`, "<html><title>No</title></html>",
		} {
			s.Cloud.Fail(Failure{Status: test.status, RetryAfter: test.retryAfter, Body: body})
			for _, c := range s.calls() {
				what := fmt.Sprintf("%s, %d %s with %q", c.name, test.status, test.retryAfter, body)
				err := c.make(t.Context())
				wantKind(t, what, err, test.kind)
				if got := wait(err); got < test.least || got > test.most {
					t.Errorf("%s: got a wait of %v s, want %v to %v s", what, got, test.least, test.most)
				}
				if err != nil && !strings.Contains(err.Error(), fmt.Sprint(test.status)) {
					t.Errorf("%s: got %q, want the status in it", what, err)
				}
			}
			s.Cloud.Heal()
		}
	}
	if got := s.Cloud.Holders(addr4); !sameServers(got, []string{s.Other}) {
		t.Errorf("got it held by %q although every call has failed, want %q", got, s.Other)
	}
	for _, c := range s.calls() {
		s.well(t, c)
	}
}

func aFailureIsNotRetried(t *testing.T, s Subject) {
	s.Cloud.Put(addr4, s.Other)
	for _, f := range []Failure{
		{Status: 409},
		{Status: 429},
		{Status: 429, RetryAfter: "1"},
		{Status: 500},
		{Status: 502},
		{Status: 503},
		{Status: 503, RetryAfter: "1"},
		{Status: 504},
	} {
		s.Cloud.Fail(f)
		for _, c := range s.calls() {
			before, _ := s.Cloud.Requests()
			wantKind(t, c.name, c.make(t.Context()), nil)
			after, _ := s.Cloud.Requests()
			if got := after - before; got < 1 || got > c.most {
				t.Errorf("%s, %d: got %d requests, want 1 to %d", c.name, f.Status, got, c.most)
			}
		}
		s.Cloud.Heal()
	}
}

func anErrorPageBecomesOneLine(t *testing.T, s Subject) {
	s.Cloud.Put(addr4, s.Other)
	page := "<!DOCTYPE html>\n<html>\n<head><title>502 Bad\n Gateway</title><style>b { color: red }</style></head>\n" +
		"<body>" + strings.Repeat("<b>sorry</b>\n", 1000) + "</body></html>\n"
	s.Cloud.Fail(Failure{Status: 502, Body: page})
	for _, c := range s.calls() {
		err := c.make(t.Context())
		wantKind(t, c.name, err, nil)
		if err != nil && (strings.Contains(err.Error(), "<") || len(err.Error()) > 1000) {
			t.Errorf("%s: got %q, want it short and without tags", c.name, err)
		}
		if err != nil && !strings.Contains(err.Error(), "Bad Gateway") {
			t.Errorf("%s: got %q, want the page's title in it", c.name, err)
		}
	}
}

func anUnusableAnswerIsNotAReading(t *testing.T, s Subject) {
	s.Cloud.Put(addr4, s.Other)
	read := s.calls()[0]
	for name, f := range map[string]Failure{
		"cut off": {Kind: BrokenJSON},
		"a page":  {Status: 200, Body: "<html><title>Please log in</title></html>"},
		"nothing": {Status: 200},
		"null":    {Status: 200, Body: "null"},
		"a word":  {Status: 200, Body: `"yes"`},
	} {
		s.Cloud.Fail(f)
		wantKind(t, name, read.make(t.Context()), nil)
		s.well(t, read)
	}
}

func anUnusableAnswerIsNotASuccess(t *testing.T, s Subject) {
	assign := s.calls()[1]
	for name, f := range map[string]Failure{
		"cut off": {Kind: BrokenJSON},
		"a page":  {Status: 200, Body: "<html><title>Please log in</title></html>"},
		"nothing": {Status: 200},
	} {
		s.Cloud.Put(addr4, s.Other)
		f.Addr = addr4 // readings succeed
		s.Cloud.Fail(f)
		wantKind(t, name, assign.make(t.Context()), nil)
		s.well(t, assign)
		if got := s.Cloud.Holders(addr4); !sameServers(got, []string{s.Server}) {
			t.Errorf("%s: got it held by %q after the cloud's recovery, want %q", name, got, s.Server)
		}
	}
}

func aResetConnectionIsAnError(t *testing.T, s Subject) {
	s.Cloud.Put(addr4, s.Other)
	for _, c := range s.calls() {
		s.Cloud.Fail(Failure{Kind: Reset})
		wantKind(t, c.name, c.make(t.Context()), nil)
		s.well(t, c)
	}
}

func noErrorContainsTheCredential(t *testing.T, s Subject) {
	s.Cloud.Put(addr4, s.Other)
	for _, status := range []int{200, 301, 400, 401, 403, 404, 409, 429, 500, 503} {
		for _, body := range []string{
			"bad token " + s.Credential,
			`{"detail": "bad token ` + s.Credential + `"}`,
			`{"` + s.Credential + `": ["` + s.Credential + `"]}`,
			"<html><title>" + s.Credential + "</title></html>",
			strings.Repeat("x", 290) + s.Credential,
		} {
			s.Cloud.Fail(Failure{Status: status, RetryAfter: s.Credential, Body: body})
			for _, c := range s.calls() {
				err := c.make(t.Context())
				for _, text := range []string{fmt.Sprint(err), fmt.Sprintf("%+v", err)} {
					if strings.Contains(text, s.Credential) {
						t.Errorf("%s, %d with %q: got %q, want it without the credential", c.name, status, body, text)
					}
				}
			}
			s.Cloud.Heal()
		}
	}
}

func aFailingAddressDoesNotAffectOthers(t *testing.T, s Subject) {
	for _, f := range []Failure{{Status: 400}, {Status: 404}, {Status: 409}, {Status: 500}, {Kind: Reset}} {
		s.Cloud.Put(addr4, s.Other)
		s.Cloud.Put(second, s.Other)
		f.Addr = addr4
		s.Cloud.Fail(f)
		if err := s.assign(t, addr4); err == nil {
			t.Errorf("%+v: got no error, want one", f)
		}
		if err := s.assign(t, second); err != nil {
			t.Errorf("%+v: got %v for %v, want no error", f, err, second)
		}
		s.Cloud.Heal()
		got := s.read(t, []netip.Addr{addr4, second}...)
		wantHolding(t, got, addr4, s.Other)
		wantHolding(t, got, second, s.Server)
	}
}
