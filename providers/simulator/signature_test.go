package simulator_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	v3 "github.com/exoscale/egoscale/v3"
)

func TestSignatureIsRequiredOnceAKeyIsSet(t *testing.T) {
	t.Parallel()
	w := newEnv(t, false)
	old, fresh, wrong := w.exoscale("old", secret), w.exoscale(key, secret), w.exoscale(key, "guessed")
	accepted := func(client *v3.Client, want bool) {
		t.Helper()
		_, errList := client.ListElasticIPS(t.Context())
		_, errFilter := client.ListInstances(t.Context(), v3.ListInstancesWithIPAddress("2001:db8::1"), v3.ListInstancesWithLabels("a;b,c"))
		_, errAttach := w.attach(client, addr4, lb1)
		for _, err := range []error{errList, errFilter, errAttach} {
			var said *v3.APIError
			if want && err != nil || !want && (!errors.Is(err, v3.ErrForbidden) || !errors.As(err, &said) || said.Message != "Forbidden") {
				t.Errorf("got %v, want it accepted: %v", err, want)
			}
		}
	}
	accepted(wrong, true) // no signature is required yet
	w.SetKey("old", secret)
	accepted(old, true)
	accepted(fresh, false)
	w.SetKey(key, secret)
	accepted(old, true)
	accepted(fresh, true)
	accepted(wrong, false)
	w.SetKey("old", "")
	accepted(old, false)
	accepted(fresh, true)
	w.SetKey(key, "changed")
	accepted(fresh, false)
	w.SetKey(key, "")
	accepted(old, true)
}

func TestWrongSignatureIsRefused(t *testing.T) {
	t.Parallel()
	w, client := newExoscale(t)
	for what, alter := range map[string]func(r *http.Request){
		"path":   func(r *http.Request) { r.URL.Path = attachPath(addr6) },
		"method": func(r *http.Request) { r.Method = http.MethodPost },
		"body": func(r *http.Request) {
			body := `{"instance":{"id":"` + stranger + `"}}`
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		},
		"no header":  func(r *http.Request) { r.Header.Del("Authorization") },
		"a token":    func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret) },
		"only a key": func(r *http.Request) { r.Header.Set("Authorization", "EXO2-HMAC-SHA256 credential="+key) },
	} {
		altered := *w.client
		altered.Transport = transport(func(r *http.Request) (*http.Response, error) {
			r = r.Clone(r.Context())
			alter(r)
			return w.client.Transport.RoundTrip(r)
		})
		if _, err := w.attach(client.WithHTTPClient(&altered), addr4, lb2); !errors.Is(err, v3.ErrForbidden) {
			t.Errorf("%s: got %v, want %v", what, err, v3.ErrForbidden)
		}
	}
	w.wantHolders(addr4, lb1)
	w.wantHolders(addr6, lb2)
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The SDK's signatures are valid for 10 minutes, so this test makes its own.
func TestSignatureExpires(t *testing.T) {
	t.Parallel()
	w, _ := newExoscale(t)
	header := func(expires string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte("GET /v2/instance\n\n192.0.2.1\n\n" + expires))
		return "Authorization: EXO2-HMAC-SHA256 credential=" + key + ",signed-query-args=ip-address,expires=" + expires +
			",signature=" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	for expires, want := range map[string]int{
		fmt.Sprint(time.Now().Add(time.Minute).Unix()):  200,
		fmt.Sprint(time.Now().Add(-time.Second).Unix()): 403,
		"never": 403,
		"":      403,
	} {
		got, err := w.try(context.WithoutCancel(t.Context()), http.MethodGet, "/v2/instance?ip-address=192.0.2.1", "", header(expires))
		if err != nil || got.status != want {
			t.Errorf("%s: got %d %s, %v, want %d", expires, got.status, got.body, err, want)
		}
	}
}
