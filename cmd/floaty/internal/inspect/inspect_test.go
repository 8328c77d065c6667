package inspect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"floaty/cmd/floaty/internal/report"
	"floaty/desired"
	"floaty/providers"
	"floaty/providers/httpapi"
)

const (
	self  = "11111111-1111-4111-8111-111111111111"
	rival = "22222222-2222-4222-8222-222222222222"
)

var (
	one = netip.MustParseAddr("198.51.100.1")
	two = netip.MustParseAddr("198.51.100.2")
	set = desired.Set{Addresses: map[netip.Addr]desired.Address{one: {Instances: []string{"VI_1"}}, two: {Instances: []string{"VI_1", "VI_2"}}}}

	reached = Contact{Reached: true, TLS: "TLS 1.3", Took: 35 * time.Millisecond}
	here    = map[netip.Addr]providers.Holding{one: {Servers: []string{self}}, two: {Servers: []string{rival}}}
	now     = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
)

// answered returns the error of a call that is answered with this status and message.
func answered(t *testing.T, status int, message string) error {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(message))
	}))
	defer s.Close()
	_, err := httpapi.Metadata(context.Background(), s.URL)
	if err == nil {
		t.Fatalf("no error for status %d", status)
	}
	return err
}

func TestSelfTestVerdicts(t *testing.T) {
	network := errors.New("GET https://api.example.com: dial tcp: connection refused")
	unauthorized := answered(t, http.StatusUnauthorized, "Invalid token.")
	forbidden := fmt.Errorf("%w: 403 Forbidden", providers.ErrUnauthorized)
	role := answered(t, http.StatusForbidden, "Forbidden by role policy for compute")
	missing := answered(t, http.StatusNotFound, "page not found")
	broken := answered(t, http.StatusInternalServerError, "oops")
	for name, c := range map[string]struct {
		test Test
		want []string // OK or FAILED, the check or the address, and a part of the text
	}{
		"all is well": {
			Test{Answers: Answers{Server: self, Holdings: here}, Contact: reached, Name: "lb1", Clock: now, Now: now, Rights: true, Right: "get-operation"},
			[]string{
				"OK api reached over TLS 1.3, first answer after 35ms", "OK credential accepted", "OK rights get-operation is allowed",
				"OK server " + self + " lb1", "OK clock as the API's", "OK 198.51.100.1 at this server", "OK 198.51.100.2 at " + rival,
			},
		},
		"no API there: the error is reported once": {
			Test{Answers: Answers{Server: self, ReadErr: network}, DescribeErr: network, Rights: true, RightsErr: network},
			[]string{
				"FAILED api connection refused", "FAILED credential not known", "FAILED rights not known", "FAILED server " + self + ": not known",
				"FAILED 198.51.100.1 not known", "FAILED 198.51.100.2 not known",
			},
		},
		"a wrong token": {
			Test{Answers: Answers{Server: self, ReadErr: unauthorized}, Contact: reached, DescribeErr: unauthorized},
			[]string{"OK api", "FAILED credential refused: ", "FAILED server " + self + ": not known", "FAILED 198.51.100.1 not known", "FAILED 198.51.100.2 not known"},
		},
		"a wrong key that the cloud answers with a 403": {
			Test{Answers: Answers{Server: self, ReadErr: forbidden}, Contact: reached, DescribeErr: forbidden, Rights: true, RightsErr: forbidden},
			[]string{"OK api", "FAILED credential refused: ", "FAILED rights not known", "FAILED server", "FAILED 198.51.100.1 not known", "FAILED 198.51.100.2 not known"},
		},
		"a role that may not read": {
			Test{Answers: Answers{Server: self, ReadErr: role}, Contact: reached, DescribeErr: role},
			[]string{"OK api", "FAILED credential accepted, but it may not read: ", "FAILED server", "FAILED 198.51.100.1 not known", "FAILED 198.51.100.2 not known"},
		},
		"a role that lacks get-operation": {
			Test{Answers: Answers{Server: self, Holdings: here}, Contact: reached, Name: "lb1", Rights: true, RightsErr: fmt.Errorf("get-operation is missing: %w", role)},
			[]string{"OK api", "OK credential", "FAILED rights get-operation is missing", "OK server", "OK 198.51.100.1", "OK 198.51.100.2"},
		},
		"nothing is found: the path is wrong": {
			Test{Answers: Answers{Server: self, ReadErr: missing}, Contact: reached, DescribeErr: missing},
			[]string{"OK api", "FAILED credential not known, nothing was found with it: is the endpoint right?", "FAILED server", "FAILED 198.51.100.1 not known", "FAILED 198.51.100.2 not known"},
		},
		"the API fails": {
			Test{Answers: Answers{Server: self, ReadErr: broken}, Contact: reached, DescribeErr: missing},
			[]string{"OK api", "FAILED credential not known: ", "FAILED server", "FAILED 198.51.100.1 not known", "FAILED 198.51.100.2 not known"},
		},
		"the list fails, but the server is found: the error is reported once": {
			Test{Answers: Answers{Server: self, ReadErr: broken}, Contact: Contact{Reached: true}, Name: "lb1"},
			[]string{"OK api reached over plain http", "OK credential accepted", "OK server", "FAILED 198.51.100.1 oops", "FAILED 198.51.100.2 not known"},
		},
		"no such server": {
			Test{Answers: Answers{Server: self, Holdings: here}, Contact: reached, DescribeErr: missing},
			[]string{"OK api", "OK credential", "FAILED server " + self + ": ", "OK 198.51.100.1", "OK 198.51.100.2"},
		},
		"the metadata service is down": {
			Test{Answers: Answers{ServerErr: network, Holdings: here}, Contact: reached},
			[]string{"OK api", "OK credential", "FAILED server cannot determine this server's ID: ", "OK 198.51.100.1 at " + self, "OK 198.51.100.2 at " + rival},
		},
		"one address is missing": {
			Test{Answers: Answers{Server: self, Holdings: map[netip.Addr]providers.Holding{one: {}, two: {Err: providers.ErrNotFound}}}, Contact: reached},
			[]string{"OK api", "OK credential", "OK server", "OK 198.51.100.1 not assigned to any server", "FAILED 198.51.100.2 not found"},
		},
		"a clock that is behind, where requests are signed": {
			Test{Answers: Answers{Server: self, Holdings: here}, Signature: 10 * time.Minute, Contact: reached, Clock: now.Add(11 * time.Minute), Now: now},
			[]string{"OK api", "OK credential", "OK server", "FAILED clock 11m0s behind", "OK 198.51.100.1", "OK 198.51.100.2"},
		},
		"a clock that is ahead, where requests are signed": {
			Test{Answers: Answers{Server: self, Holdings: here}, Signature: 10 * time.Minute, Contact: reached, Clock: now.Add(-11 * time.Minute), Now: now},
			[]string{"OK api", "OK credential", "OK server", "OK clock 11m0s ahead of", "OK 198.51.100.1", "OK 198.51.100.2"},
		},
	} {
		got := c.test.Checks(set)
		if len(got) != len(c.want) {
			t.Errorf("%s: got %d checks %+v, want %d", name, len(got), got, len(c.want))
			continue
		}
		for i, p := range got {
			mark, text := "FAILED", p.Name+" "+p.Text
			if p.OK {
				mark = "OK"
			}
			if p.Address.IsValid() {
				text = p.Address.String() + " " + p.Text
			}
			words := strings.SplitN(c.want[i], " ", 3)
			if mark != words[0] || !strings.HasPrefix(text, words[1]+" ") || len(words) == 3 && !strings.Contains(text, words[2]) {
				t.Errorf("%s: got %s %s, want %s", name, mark, text, c.want[i])
			}
		}
	}
}

func TestDiffVerdicts(t *testing.T) {
	network := errors.New("connection refused")
	for name, c := range map[string]struct {
		answers Answers
		want    []report.Action // of one and two
		text    string          // of the first error
	}{
		"one is here":         {Answers{Server: self, Holdings: here}, []report.Action{report.InPlace, report.Move}, ""},
		"nothing can be read": {Answers{Server: self, ReadErr: network}, []report.Action{report.Error, report.Error}, "connection refused"},
		"an unknown server":   {Answers{ServerErr: network, Holdings: here}, []report.Action{report.Error, report.Error}, "cannot determine this server's ID: connection refused"},
		"one is missing": {
			Answers{Server: self, Holdings: map[netip.Addr]providers.Holding{one: {Err: fmt.Errorf("%w: at all", providers.ErrNotFound)}, two: {}}},
			[]report.Action{report.Error, report.Move},
			"not found",
		},
	} {
		var got []report.Action
		changes := Diff(set, c.answers)
		for _, change := range changes {
			got = append(got, change.Action)
		}
		if !slices.Equal(got, c.want) || changes[0].Error != c.text {
			t.Errorf("%s: got %v and %q, want %v and %q", name, got, changes[0].Error, c.want, c.text)
		}
	}
}
