package faults

import (
	"context"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"floaty/observed"
	"floaty/providers"
	"floaty/providers/cloudscale"
	"floaty/providers/exoscale"
)

// metadataOf returns a provider that queries the metadata service at url for the server's ID.
func metadataOf(t *testing.T, at cloud, url string) (p providers.Provider, closing func()) {
	t.Helper()
	if at.name == "exoscale" {
		p, err := exoscale.New(exoscale.Options{
			Endpoint: url, MetadataURL: url + "/latest/meta-data/", Credential: func() (key, secret string) { return "", "" },
		})
		if err != nil {
			t.Fatal(err)
		}
		return p, p.Close
	}
	c, err := cloudscale.New(cloudscale.Options{
		Endpoint: url, MetadataURL: url + "/openstack/latest/meta_data.json", Token: func() string { return "" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, c.Close
}

// runMetadata runs the lookup of this server's ID while calls of the metadata service fail, and returns the outcome.
func runMetadata(t *testing.T, at cloud, c call, f fault) string {
	s := &scenario{call: c, fault: f, env: newEnv(t, at, rival, (*httptest.Server).Start)}
	p, closing := metadataOf(t, at, s.url)
	found := make(chan string, 10)
	o := observed.New(observed.Options{
		Provider: p, Addresses: func() []netip.Addr { return nil }, Interval: time.Minute, Timeout: time.Second,
		BackOff: observed.BackOff{Initial: 100 * time.Millisecond, Multiplier: 1.1, Max: 500 * time.Millisecond},
		Found:   func(server string) { found <- server }, Log: logr.Discard(),
	})
	s.breaks(c, f)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { o.Run(ctx); close(ended) }()
	time.Sleep(during)
	before := len(found) > 0
	s.hits = s.heal()
	s.took = s.soon("the server's ID is known", enough, func() bool { return len(found) > 0 })
	if before {
		s.took = 0
	}
	stop()
	select {
	case <-ended:
	case <-time.After(enough):
		t.Errorf("Run has not returned %v after its context ended", enough)
	}
	closing()
	for range len(found) {
		if got := <-found; got != here {
			t.Errorf("got %q for this server, want %q", got, here)
		}
	}
	return s.outcome()
}
