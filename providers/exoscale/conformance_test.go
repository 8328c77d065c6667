package exoscale_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"floaty/providers"
	"floaty/providers/conformance"
	"floaty/providers/exoscale"
	"floaty/providers/simulator"
)

var _ conformance.Cloud = (*cloud)(nil)

// A cloud is the simulated one, as the suite wants it.
type cloud struct {
	*simulator.Cloud
	bare atomic.Pointer[string] // answers to requests with this in their path have no body; nil: all have one
}

// Put adds an IPv6 address as a part of a /96: there are no smaller ones.
func (c *cloud) Put(addr netip.Addr, holders ...string) { c.AddAddress(network(addr), holders...) }

// network is the elastic IP that addr is in.
func network(addr netip.Addr) netip.Prefix {
	if addr.Is4() {
		return netip.PrefixFrom(addr, 32)
	}
	return netip.PrefixFrom(addr, 96).Masked()
}

func (c *cloud) PutNetwork(network netip.Prefix, holders ...string) {
	c.AddAddress(network, holders...)
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
		Status: f.Status, Body: f.Body, RetryAfter: f.RetryAfter,
	}
	if f.Addr.IsValid() {
		fault.Method, fault.Path = http.MethodPut, simulator.ElasticIPID(network(f.Addr).Addr())
	}
	if f.Kind == conformance.OperationUnknown {
		fault.Path = "/v2/operation/"
	}
	c.Cloud.Fail(fault)
	if f.Kind == conformance.Answer && f.Body == "" {
		c.bare.Store(&fault.Path)
	}
}

func (c *cloud) Heal() {
	c.bare.Store(nil)
	c.SetAttachFailure(false)
	c.ClearFaults()
}

func (c *cloud) Requests() (all, changing int) {
	calls := c.Calls()
	for _, call := range calls {
		if call.Method != http.MethodGet {
			changing++
		}
	}
	return len(calls), changing
}

// ServeHTTP answers as the simulator does, except that a chosen failure has no body.
func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if part := c.bare.Load(); part != nil && strings.Contains(r.URL.Path, *part) {
		w = headOnly{w}
	}
	c.Handler().ServeHTTP(w, r)
}

type headOnly struct{ http.ResponseWriter }

func (headOnly) Write(b []byte) (int, error) { return len(b), nil }

func (h headOnly) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, pending := range []time.Duration{0, 50 * time.Millisecond} {
		t.Run(fmt.Sprint("operations of ", pending), func(t *testing.T) {
			t.Parallel()
			conformance.Run(t, func(t *testing.T) conformance.Subject {
				c := &cloud{Cloud: newCloud()}
				c.SetMetadata(nil, here)
				c.SetOperationTime(pending)
				server := httptest.NewServer(c)
				t.Cleanup(server.Close)
				p := newProvider(t, server.URL, func(o *exoscale.Options) {
					o.Instance, o.MetadataURL = "", server.URL+"/latest/meta-data"
				})
				return conformance.Subject{
					Provider: p, Cloud: c, Server: here, Other: elsewhere, Third: third, Credential: secret, Forbidden: providers.ErrUnauthorized,
					Network: netip.MustParsePrefix("2001:db8:500:1::/96"), Asynchronous: true,
					// A reading takes two lists, and at first the try of the filter. An assignment looks at the holders while
					// it attaches, so that some calls are made concurrently with the one that fails.
					ReadCalls: 3, AssignCalls: 5,
				}
			})
		})
	}
}
