package cloudscale_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"floaty/providers"
	"floaty/providers/cloudscale"
)

func TestServerFromTheMetadataService(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		body   string
		want   string // the server, or a part of the error
		kind   error
	}{
		{200, `{"uuid":"` + elsewhere + `","meta":{"cloudscale_uuid":"` + here + `"}}`, here, nil},
		{200, `{"meta":{"cloudscale_uuid":"` + strings.ToUpper(here) + `"}}`, here, nil},
		{200, `{"uuid":"` + elsewhere + `","meta":{}}`, "no meta.cloudscale_uuid: this is not a server at cloudscale.ch", nil},
		{200, `{"uuid":"` + elsewhere + `"}`, "no meta.cloudscale_uuid", nil},
		{200, `{"meta":{"cloudscale_uuid":"` + here[1:] + `"}}`, "meta.cloudscale_uuid: parsing a UUID", nil},
		{200, `{"meta":{"cloudscale_uuid":7}}`, "cannot unmarshal number", nil},
		{200, `{"meta":`, "unexpected end of JSON input", nil},
		{200, "<html>Please log in</html>", "invalid character '<'", nil},
		{200, "", "unexpected end of JSON input", nil},
		{302, "", "a redirect to nowhere", nil},
		{404, "404 Not Found", "404 Not Found", providers.ErrNotFound},
		{500, "", "500 Internal Server Error", nil},
	} {
		address := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Authorization"); got != "" {
				t.Errorf("got credential %q, want none", got)
			}
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
		})
		p := provider(t, cloudscale.Options{MetadataURL: address + metadataPath})
		got, err := p.Server(t.Context())
		if test.want == here {
			if got != here || err != nil {
				t.Errorf("%s: got %q, %v, want %q", test.body, got, err, here)
			}
			continue
		}
		if got != "" || err == nil || !strings.HasPrefix(err.Error(), "asking the metadata service: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%d %s: got %q, %v, want an error with %s", test.status, test.body, got, err, test.want)
		}
		if test.kind != nil && !errors.Is(err, test.kind) {
			t.Errorf("%d: got %v, want %v", test.status, err, test.kind)
		}
	}
}

// A proxy would query the metadata service of its own host. TestProxyOfTheEnvironmentIsUsed shows that the proxy is in effect, and explains
// the address 0.0.0.0.
func TestMetadataServiceIsQueriedWithoutAProxy(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	u, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	p := provider(t, cloudscale.Options{MetadataURL: "http://0.0.0.0:" + port + metadataPath})
	if got, err := p.Server(t.Context()); got != here || err != nil {
		t.Errorf("got %q, %v, want %q; the proxy returns %q", got, err, here, elsewhere)
	}
}

func TestHangingMetadataServiceEndsWithTheContext(t *testing.T) {
	t.Parallel()
	address := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	p := provider(t, cloudscale.Options{MetadataURL: address})
	if got, err := p.Server(ctx); got != "" || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %q, %v, want %v", got, err, context.DeadlineExceeded)
	}
}

func TestConfiguredServerNeedsNoMetadata(t *testing.T) {
	t.Parallel()
	address := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("got a request, want none") })
	p := provider(t, cloudscale.Options{Server: strings.ToUpper(here), MetadataURL: address})
	if got, err := p.Server(t.Context()); got != here || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, here)
	}
}

// A host may be renamed while this process runs.
func TestTheHostNameIsLookedUpWithEachCall(t *testing.T) {
	t.Parallel()
	w := newEnv(t) // its metadata service returns here
	const named, configured = "33333333-3333-4333-8333-333333333333", elsewhere
	var byName string
	opts := cloudscale.Options{ServerByHostName: func() string { return byName }, MetadataURL: w.url + metadataPath}
	unconfigured := provider(t, opts)
	opts.Server = configured
	both := provider(t, opts)
	for _, byName = range []string{"", named, ""} {
		for p, otherwise := range map[*cloudscale.Provider]string{unconfigured: here, both: configured} {
			want := cmp.Or(byName, otherwise)
			if got, err := p.Server(t.Context()); got != want || err != nil {
				t.Errorf("with %q by the host's name: got %q, %v, want %q", byName, got, err, want)
			}
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		opts cloudscale.Options
		want string
	}{
		{cloudscale.Options{Endpoint: "ftp://api.example.com"}, "parsing the endpoint: it is not the URL of an API: want http or https"},
		{cloudscale.Options{Endpoint: "https://user:" + token + "@api.example.com"}, "parsing the endpoint: it must not contain @"},
		{cloudscale.Options{Server: "lb1"}, "parsing a UUID"},
	} {
		p, err := cloudscale.New(test.opts)
		if p != nil || err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), token) {
			t.Errorf("%+v: got %v, %v, want %s", test.opts, p, err, test.want)
		}
	}
}

func TestEnvironmentOfTheSDKIsIgnored(t *testing.T) {
	stranger := serve(t, func(http.ResponseWriter, *http.Request) {
		t.Error("got a request at CLOUDSCALE_API_URL, want none")
	})
	t.Setenv("CLOUDSCALE_API_URL", stranger)
	t.Setenv("CLOUDSCALE_API_TOKEN", "another")
	w := newEnv(t)
	if got := read(t, w, addr.String()); !got.At(elsewhere) {
		t.Errorf("got %+v, want it held by %s", got, elsewhere)
	}
	if err := w.Assign(t.Context(), addr, here, nil); err != nil {
		t.Errorf("got %v, want no error", err)
	}
}
