package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"floaty/providers"
	"floaty/providers/conformance"
	"floaty/providers/httpapi"
)

const credential = "s3cr3t-T0ken"

// The suite is also meant for clouds where an address can have several holders and assigning takes several requests. This is the
// smallest such cloud: GET ADDRESS lists its holders, PUT ADDRESS/SERVER and DELETE ADDRESS/SERVER attach and detach.
func TestCloudWithSeveralHoldersConforms(t *testing.T) {
	t.Parallel()
	conformance.Run(t, func(t *testing.T) conformance.Subject {
		c := &cloud{holders: map[netip.Addr][]string{}}
		server := httptest.NewServer(c)
		t.Cleanup(server.Close)
		endpoint, err := httpapi.ParseEndpoint(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		client := httpapi.New(httpapi.Options{Endpoint: endpoint, Token: func() string { return credential }, Parallel: 100})
		t.Cleanup(client.CloseIdleConnections)
		return conformance.Subject{
			Provider: &provider{client, server.URL}, Cloud: c, Server: "here", Other: "other", Third: "third",
			Credential: credential, ReadCalls: 1, AssignCalls: 1,
		}
	})
}

type provider struct {
	client *http.Client
	url    string
}

func (p *provider) Server(context.Context) (string, error) { return "here", nil }

func (p *provider) Read(ctx context.Context, addrs []netip.Addr) (map[netip.Addr]providers.Holding, error) {
	got := map[netip.Addr]providers.Holding{}
	for _, addr := range addrs {
		servers, err := p.holders(ctx, addr)
		if err != nil && !errors.Is(err, providers.ErrNotFound) {
			return nil, err
		}
		got[addr] = providers.Holding{Servers: servers, Err: err}
	}
	return got, nil
}

func (p *provider) Assign(ctx context.Context, addr netip.Addr, server string, _ []string) error {
	if err := p.call(ctx, http.MethodPut, addr, "/"+server, nil); err != nil {
		return err
	}
	servers, err := p.holders(ctx, addr)
	for _, other := range servers {
		if other != server {
			err = errors.Join(err, p.call(ctx, http.MethodDelete, addr, "/"+other, nil))
		}
	}
	return err
}

func (p *provider) holders(ctx context.Context, addr netip.Addr) (servers []string, err error) {
	err = p.call(ctx, http.MethodGet, addr, "", &servers)
	if err == nil && servers == nil {
		err = errors.New("not a list")
	}
	return servers, err
}

func (p *provider) call(ctx context.Context, method string, addr netip.Addr, rest string, into any) error {
	ctx, answer := httpapi.Capture(ctx)
	req, err := http.NewRequestWithContext(ctx, method, p.url+"/"+addr.Unmap().String()+rest, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err == nil {
		defer resp.Body.Close() //nolint:errcheck // it was only read
		if into != nil {
			err = json.NewDecoder(resp.Body).Decode(into)
		} else if resp.StatusCode != http.StatusNoContent {
			err = errors.New("not an acknowledgement")
		}
	}
	return answer.Err(err)
}

type cloud struct {
	mu            sync.Mutex // guards all below
	holders       map[netip.Addr][]string
	failure       *conformance.Failure
	all, changing int
}

func (c *cloud) Put(addr netip.Addr, holders ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holders[addr] = append([]string{}, holders...)
}

// AddAddress does nothing, because this cloud has no networks.
func (c *cloud) AddAddress(netip.Prefix, ...string) {}

func (c *cloud) Holders(addr netip.Addr) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.holders[addr])
}

func (c *cloud) Fail(f conformance.Failure) { c.set(&f) }
func (c *cloud) Heal()                      { c.set(nil) }

func (c *cloud) set(f *conformance.Failure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failure = f
}

func (c *cloud) Requests() (all, changing int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all, c.changing
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.Split(r.URL.Path, "/")
	addr, _ := netip.ParseAddr(path[1])
	if f := c.failureFor(r.Method != http.MethodGet, addr); f != nil {
		fail(w, r, f)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	servers, ok := c.holders[addr]
	switch {
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodGet:
		_ = json.NewEncoder(w).Encode(servers)
	default:
		servers = slices.DeleteFunc(servers, func(s string) bool { return s == path[2] })
		if r.Method == http.MethodPut {
			servers = append(servers, path[2])
		}
		c.holders[addr] = servers
		w.WriteHeader(http.StatusNoContent)
	}
}

// failureFor counts a request and returns the failure to answer it with, or nil.
func (c *cloud) failureFor(changes bool, addr netip.Addr) *conformance.Failure {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all++
	if changes {
		c.changing++
	}
	if f := c.failure; f != nil && (!f.Addr.IsValid() || changes && f.Addr == addr) {
		return f
	}
	return nil
}

func fail(w http.ResponseWriter, r *http.Request, f *conformance.Failure) {
	switch f.Kind { //nolint:exhaustive // this cloud has no operations
	case conformance.Answer:
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		w.WriteHeader(f.Status)
		_, _ = io.WriteString(w, f.Body)
	case conformance.BrokenJSON:
		_, _ = fmt.Fprint(w, `["oth`)
	case conformance.SlowBody:
		_, _ = fmt.Fprint(w, "[")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	case conformance.Hang:
		<-r.Context().Done()
	case conformance.Reset:
		panic(http.ErrAbortHandler)
	}
}
