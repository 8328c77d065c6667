package cloudscale_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"floaty/providers/cloudscale"
	"floaty/providers/conformance"
	"floaty/providers/simulator"
)

var _ conformance.Cloud = (*cloud)(nil)

// A cloud is the simulated cloud, adapted to the conformance suite.
type cloud struct {
	*simulator.Cloud
	t     *testing.T
	proto int // the expected major version of HTTP
}

func (c *cloud) Put(addr netip.Addr, holders ...string) {
	c.AddAddress(netip.PrefixFrom(addr, addr.BitLen()), holders...)
}

func (c *cloud) Fail(f conformance.Failure) {
	fault := simulator.Fault{
		Kind: map[conformance.Kind]simulator.Kind{
			conformance.Answer: simulator.Status, conformance.BrokenJSON: simulator.BrokenJSON, conformance.SlowBody: simulator.SlowBody,
			conformance.Hang: simulator.Hang, conformance.Reset: simulator.Reset,
		}[f.Kind],
		Status: f.Status, Body: f.Body, NoBody: f.Kind == conformance.Answer && f.Body == "", RetryAfter: f.RetryAfter,
	}
	if f.Addr.IsValid() {
		fault.Method, fault.Path = http.MethodPatch, "/"+f.Addr.String()
	}
	c.Cloud.Fail(fault)
}

func (c *cloud) Heal() { c.ClearFaults() }

// ServeHTTP passes requests to the simulator, after checking the version of HTTP.
func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != c.proto {
		c.t.Errorf("got a request over %s, want HTTP/%d", r.Proto, c.proto)
	}
	c.Handler().ServeHTTP(w, r)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, proto := range []int{1, 2} {
		t.Run(fmt.Sprint("HTTP/", proto), func(t *testing.T) {
			t.Parallel()
			conformance.Run(t, func(t *testing.T) conformance.Subject {
				c := &cloud{Cloud: simulator.New(), t: t, proto: proto}
				c.SetToken(token)
				c.AddServer(here, "lb1")
				c.AddServer(elsewhere, "lb2")
				c.SetMetadata(nil, here)
				server := httptest.NewUnstartedServer(c)
				if proto == 2 {
					server.EnableHTTP2 = true
					server.StartTLS()
				} else {
					server.Start()
				}
				t.Cleanup(server.Close)
				return conformance.Subject{
					Provider: provider(t, cloudscale.Options{Endpoint: server.URL, MetadataURL: server.URL + metadataPath}),
					Cloud:    c, Server: here, Other: elsewhere, Credential: token, Network: netip.MustParsePrefix("2001:db8:1::/56"), ReadCalls: 1, AssignCalls: 1,
				}
			})
		})
	}
}
