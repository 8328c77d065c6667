package simulator

import (
	"maps"
	"net/http"
	"net/netip"
)

// Zone is where all of Exoscale's instances are.
const Zone = "ch-gva-2"

// SetMetadata sets which server the metadata services name: by the address that a request comes from, and fallback for all others. The
// empty ID is answered with 404. Latency and faults apply to these services, and they require no credential.
func (c *Cloud) SetMetadata(byAddress map[netip.Addr]string, fallback string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.metadata, c.fallback = maps.Clone(byAddress), fallback
}

// serveMetadata answers as the metadata service that a server finds at 169.254.169.254; say returns the answer for a server.
func (c *Cloud) serveMetadata(w http.ResponseWriter, r *http.Request, api dialect, say func(id string) answer) {
	v := c.accept(r, api, false)
	a, done := v.injectFault(w, r)
	if !done {
		a = text(http.StatusNotFound, "text/plain", "404 Not Found")
		if id := c.whoAsks(r.RemoteAddr); id != "" {
			a = say(id)
		}
	}
	if v.fault != nil && v.fault.Kind == LostAnswer {
		reset(w)
	}
	a.write(w)
}

// whoAsks returns the ID of the server that a request comes from.
func (c *Cloud) whoAsks(remote string) string {
	from, _ := netip.ParseAddrPort(remote) // an invalid address gets the fallback
	c.mu.Lock()
	defer c.mu.Unlock()
	id, ok := c.metadata[from.Addr().Unmap()]
	if !ok {
		id = c.fallback
	}
	return id
}

// metadataJSON returns the answer of cloudscale.ch's metadata service.
func (c *Cloud) metadataJSON(id string) answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return object(http.StatusOK, map[string]any{
		"uuid": "00000000-0000-4000-8000-0000000000ff", // OpenStack's own ID, which is not the API's
		"name": c.reference(id, "").Name,
		"meta": map[string]string{"cloudscale_uuid": id},
	})
}
