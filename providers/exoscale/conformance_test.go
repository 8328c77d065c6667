package exoscale_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"floaty/providers"
	"floaty/providers/conformance"
	"floaty/providers/exoscale"
	"floaty/providers/simulator"
)

var _ conformance.Cloud = (*cloud)(nil)

// A cloud is the simulated cloud, adapted to the conformance suite.
type cloud struct{ *simulator.Cloud }

// Put adds the network of addr. For IPv6 that is a /96: Exoscale has no smaller ones.
func (c *cloud) Put(addr netip.Addr, holders ...string) { c.AddAddress(network(addr), holders...) }

// network returns the network of the elastic IP that contains addr.
func network(addr netip.Addr) netip.Prefix {
	if addr.Is4() {
		return netip.PrefixFrom(addr, 32)
	}
	return netip.PrefixFrom(addr, 96).Masked()
}

func (c *cloud) Fail(f conformance.Failure) {
	if f.Kind == conformance.OperationRepeated {
		c.SetAttachFailure(true)
		return
	}
	fault := simulator.Fault{
		Kind: map[conformance.Kind]simulator.Kind{
			conformance.Answer: simulator.Status, conformance.BrokenJSON: simulator.BrokenJSON, conformance.SlowBody: simulator.SlowBody,
			conformance.Hang: simulator.Hang, conformance.Reset: simulator.Reset, conformance.OperationUnknown: simulator.Status,
			conformance.OperationFails: simulator.OperationFailure, conformance.OperationHangs: simulator.OperationPending,
			conformance.OperationSilent: simulator.OperationUnfinished,
		}[f.Kind],
		Status: f.Status, Body: f.Body, NoBody: f.Kind == conformance.Answer && f.Body == "", RetryAfter: f.RetryAfter,
	}
	if f.Addr.IsValid() {
		fault.Method, fault.Path = http.MethodPut, simulator.ElasticIPID(network(f.Addr).Addr())
	}
	if f.Kind == conformance.OperationUnknown {
		fault.Path = "/v2/operation/"
	}
	c.Cloud.Fail(fault)
}

func (c *cloud) Heal() {
	c.SetAttachFailure(false)
	c.ClearFaults()
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, pending := range []time.Duration{0, 50 * time.Millisecond} {
		t.Run(fmt.Sprint("operations of ", pending), func(t *testing.T) {
			t.Parallel()
			conformance.Run(t, func(t *testing.T) conformance.Subject {
				c := &cloud{newCloud()}
				c.SetMetadata(nil, here)
				c.SetOperationTime(pending)
				server := httptest.NewServer(c.Handler())
				t.Cleanup(server.Close)
				p := newProvider(t, server.URL, func(o *exoscale.Options) {
					o.Instance, o.MetadataURL = "", server.URL+"/latest/meta-data"
				})
				return conformance.Subject{
					Provider: p, Cloud: c, Server: here, Other: elsewhere, Third: third, Credential: secret, Forbidden: providers.ErrUnauthorized,
					Network: netip.MustParsePrefix("2001:db8:500:1::/96"), Asynchronous: true,
					// A read takes two lists, and the first one also a test of the filter. An assignment queries the holders while
					// it attaches, so some calls may be in progress when another one fails.
					ReadCalls: 3, AssignCalls: 5,
				}
			})
		})
	}
}
