package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"net/netip"
	"sync"
	"time"

	"floaty/cmd/floaty/internal/inspect"
)

// A contact notes whether the API was there at all, from what net/http tells of the calls with its context.
type contact struct {
	mu       sync.Mutex // guards all below
	metadata bool       // the last connection that was asked for is one to the metadata service
	asked    time.Time  // the first request to the API; zero: none
	contact  inspect.Contact
}

// trace returns a context whose calls are noted.
func (c *contact) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(hostPort string) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.metadata = linkLocal(hostPort)
			if c.asked.IsZero() && !c.metadata {
				c.asked = time.Now()
			}
		},
		TLSHandshakeDone: func(state tls.ConnectionState, err error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if err == nil {
				c.contact.TLS = tls.VersionName(state.Version)
			}
		},
		GotFirstResponseByte: func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if !c.metadata && !c.contact.Reached {
				c.contact.Reached, c.contact.Took = true, time.Since(c.asked)
			}
		},
	})
}

// made returns what was noted.
func (c *contact) made() inspect.Contact {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.contact
}

// linkLocal reports whether a host is one of the own link: there the metadata service answers, which Exoscale's zone may come from
// before the API is asked.
func linkLocal(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLinkLocalUnicast()
}
