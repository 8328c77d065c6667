package inspect

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"net/netip"
	"sync"
	"time"
)

// A Recorder records whether the API could be reached, from net/http's trace of the requests made with its context.
type Recorder struct {
	mu       sync.Mutex // guards all below
	metadata bool       // the last connection requested was one to the metadata service
	asked    time.Time  // when the first request to the API was made; zero: none was
	contact  Contact
}

// Trace returns a context whose requests are recorded.
func (c *Recorder) Trace(ctx context.Context) context.Context {
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

// Contact returns what was recorded.
func (c *Recorder) Contact() Contact {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.contact
}

// linkLocal reports whether a host is on the local link, like the metadata service, which may be asked before the
// first request to the API, for a zone for example.
func linkLocal(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLinkLocalUnicast()
}
