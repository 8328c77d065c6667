// Package simulator implements the HTTP APIs of all clouds that floaty knows over one in-memory state, for tests, demos and benchmarks.
//
// It keeps servers, addresses and their holders. It answers as the real APIs of cloudscale.ch and Exoscale do, with a chosen latency,
// fails on request in the ways that real APIs fail (see [Fault]), and records each call and each change. Tests drive it through the
// methods of [Cloud], scripts through its control API under /sim/.
//
// "Server" also means an instance at Exoscale, and "address" an elastic IP. How Exoscale's API answers was read in its SDK, egoscale
// v3.1.43, and in recorded answers of the real API. Neither shows the status for a refused credential (here 403, as its Python SDK
// assumes), the answer to a second attachment of an instance, how long operations take, or the wording of most messages.
//
// The package does not listen: the caller does, for example with net/http/httptest. It keeps nothing on disk, has no rate limit, and
// implements only the parts of the APIs that floaty calls. Nothing can be created or deleted through them.
package simulator

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Cloud is one account at a cloud. Create it with [New]; its methods may be called from many goroutines at once.
type Cloud struct {
	mu        sync.Mutex        // guards all below; never held while waiting or answering
	now       time.Time         // when it was locked by lock
	tokens    []string          // accepted; empty: no token is required
	keys      map[string]string // secrets by key; empty: no key is required
	servers   []server          // in the order they were added
	addresses []*address        // in the order they were added
	latency   time.Duration
	metadata  map[netip.Addr]string // the server's ID by source address
	fallback  string                // the server's ID for all other source addresses
	faults    []*fault
	cleared   chan struct{} // closed by the next ClearFaults
	calls     []*Call       // in order of arrival
	ended     func(Call)

	operations     map[string]*operation // by ID
	pending        []*operation          // those that have not ended
	operationTime  time.Duration
	busy           bool
	attachConflict bool
	attachFailure  bool
	ignoreFilter   bool
}

// A server can hold addresses.
type server struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Region string `json:"-"` // at cloudscale.ch
}

// An address is a floating IP or a network of them. Methods that take an address mean the smallest network that contains it.
type address struct {
	network      netip.Prefix
	elasticIPID  string
	created      time.Time
	holders      []string // IDs of servers; some clouds allow several
	loadBalancer string   // the ID of the load balancer that it points at instead of servers, or empty
	managed      bool     // it has a health check
	region       string   // at cloudscale.ch; empty: it is a global one
	changes      []Change // of holders
}

// New returns a cloud without servers and addresses. It requires no credential and answers at once.
func New() *Cloud {
	return &Cloud{cleared: make(chan struct{}), keys: map[string]string{}, operations: map[string]*operation{}}
}

// Handler returns the cloud's HTTP side: cloudscale.ch's API under /v1/ and its metadata service under
// /openstack/latest/meta_data.json, Exoscale's under /v2/ and under /latest/meta-data/ or /1.0/meta-data/, and the control
// API under /sim/.
func (c *Cloud) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.HasPrefix(path, "/v1/"):
			c.serveAPI(w, r, cloudscale{c})
		case strings.HasPrefix(path, "/v2/"):
			c.serveAPI(w, r, exoscale{c})
		case path == metadataPath:
			c.serveMetadata(w, r, cloudscale{c}, c.metadataJSON)
		case path == "/latest/meta-data/instance-id", path == "/1.0/meta-data/instance-id":
			c.serveMetadata(w, r, exoscale{c}, func(id string) answer { return text(http.StatusOK, "text/plain", id) })
		case path == "/latest/meta-data/availability-zone", path == "/1.0/meta-data/availability-zone":
			c.serveMetadata(w, r, exoscale{c}, func(string) answer { return text(http.StatusOK, "text/plain", Zone) })
		case strings.HasPrefix(path, "/sim/"):
			c.serveControl(w, r)
		default:
			notFound.write(w)
		}
	})
}

// SetToken makes tokens the only bearer tokens that cloudscale.ch's API accepts. Without arguments it requires none, like a new cloud.
func (c *Cloud) SetToken(tokens ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens = slices.Clone(tokens)
}

// SetLatency delays each answer of the APIs and the metadata services by d, and the effect of a write with it. If the client leaves
// within that time, the write has no effect.
func (c *Cloud) SetLatency(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.latency = d
}

// AddServer adds a server, or renames the one with that ID.
func (c *Cloud) AddServer(id, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.serverIndex(id); i >= 0 {
		c.servers[i].Name = name
		return
	}
	c.servers = append(c.servers, server{ID: id, Name: name, Region: DefaultRegion})
}

// RemoveServer removes a server from the account and from each address that it holds. It does nothing if there is no such server.
func (c *Cloud) RemoveServer(id string) {
	c.lock()
	defer c.mu.Unlock()
	c.servers = slices.DeleteFunc(c.servers, func(s server) bool { return s.ID == id })
	for _, a := range c.addresses {
		if slices.Contains(a.holders, id) {
			a.hold(c.now, without(a.holders, id)...)
		}
	}
}

// AddAddress adds an address held by the servers with the IDs holders, or replaces the existing one. It panics if [CheckNetwork]
// rejects network.
func (c *Cloud) AddAddress(network netip.Prefix, holders ...string) {
	if err := CheckNetwork(network); err != nil {
		panic("simulator: adding an address: " + err.Error())
	}
	c.lock()
	defer c.mu.Unlock()
	added := &address{network: network, elasticIPID: ElasticIPID(network.Addr()), created: c.now, region: DefaultRegion}
	added.hold(c.now, holders...)
	if i := c.networkIndex(network.Addr()); i >= 0 {
		c.addresses[i] = added
		return
	}
	c.addresses = append(c.addresses, added)
}

// CheckNetwork returns an error unless one of the clouds hands out networks like this one, without host bits: a /32, a /128 or
// an IPv6 /56 of cloudscale.ch, a /32 or an IPv6 /96 of Exoscale.
func CheckNetwork(network netip.Prefix) error {
	switch {
	case !network.IsValid():
		return fmt.Errorf("no network")
	case network.Addr().Is4In6():
		return fmt.Errorf("%v is IPv4 in IPv6", network)
	case !network.IsSingleIP() && (network.Addr().Is4() || network.Bits() != 56 && network.Bits() != 96):
		return fmt.Errorf("%v is not a /32, /128, IPv6 /56 or IPv6 /96", network)
	case network != network.Masked():
		return fmt.Errorf("%v has host bits; the network is %v", network, network.Masked())
	}
	return nil
}

// RemoveAddress removes the network that contains an address from the account. If there is none, it does nothing.
func (c *Cloud) RemoveAddress(addr netip.Addr) {
	c.lock()
	defer c.mu.Unlock()
	if a := c.address(addr); a != nil {
		c.addresses = slices.DeleteFunc(c.addresses, func(other *address) bool { return other == a })
	}
}

// Holders returns the IDs of the servers that hold addr; none if it is aimed at nothing, at a load balancer, or not there.
func (c *Cloud) Holders(addr netip.Addr) []string {
	c.lock()
	defer c.mu.Unlock()
	if a := c.address(addr); a != nil {
		return slices.Clone(a.holders)
	}
	return nil
}

// Move makes holders the holders of addr, as somebody else's call would: it is not among the [Cloud.Calls]. Without
// holders the address is aimed at nothing. It does nothing if there is no such address.
func (c *Cloud) Move(addr netip.Addr, holders ...string) {
	c.aim(addr, holders, "")
}

// AimAtLoadBalancer takes addr from its holders and aims it at the load balancer with that ID.
func (c *Cloud) AimAtLoadBalancer(addr netip.Addr, id string) {
	c.aim(addr, nil, id)
}

func (c *Cloud) aim(addr netip.Addr, holders []string, loadBalancer string) {
	c.lock()
	defer c.mu.Unlock()
	if a := c.address(addr); a != nil {
		a.hold(c.now, holders...)
		a.loadBalancer = loadBalancer
	}
}

// lock locks c.mu and lets each operation that is due take effect, so that whoever reads or changes the holders sees them as they are at
// c.now.
func (c *Cloud) lock() {
	c.mu.Lock()
	c.now = time.Now()
	c.settle()
}

// address returns the smallest network that holds addr, or nil. c.mu is held.
func (c *Cloud) address(addr netip.Addr) *address {
	var smallest *address
	for _, a := range c.addresses {
		if a.network.Contains(addr) && (smallest == nil || a.network.Bits() > smallest.network.Bits()) {
			smallest = a
		}
	}
	return smallest
}

// networkIndex returns where the network that starts with addr is, or -1. c.mu is held.
func (c *Cloud) networkIndex(addr netip.Addr) int {
	return slices.IndexFunc(c.addresses, func(a *address) bool { return a.network.Addr() == addr })
}

func (c *Cloud) serverIndex(id string) int {
	return slices.IndexFunc(c.servers, func(s server) bool { return s.ID == id })
}
