package simulator

import (
	"maps"
	"net/http"
	"net/netip"
)

// SetMetadata says which server the metadata service names: by the address that a request comes from, and fallback for all
// others. The empty ID is answered with 404. Latency and faults hit the service, the token does not.
func (c *Cloud) SetMetadata(byAddress map[netip.Addr]string, fallback string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.metadata, c.fallback = maps.Clone(byAddress), fallback
}

// serveMetadata answers as the metadata service that a server finds at 169.254.169.254.
func (c *Cloud) serveMetadata(w http.ResponseWriter, r *http.Request) {
	v := c.arrive(r, false)
	a, done := v.meet(w, r)
	if !done {
		a = c.metadataFor(r.RemoteAddr)
	}
	if v.fault != nil && v.fault.Kind == LostAnswer {
		reset(w)
	}
	a.write(w)
}

func (c *Cloud) metadataFor(remote string) answer {
	from, _ := netip.ParseAddrPort(remote) // what is no address gets the fallback
	c.mu.Lock()
	defer c.mu.Unlock()
	id, ok := c.metadata[from.Addr().Unmap()]
	if !ok {
		id = c.fallback
	}
	if id == "" {
		return text(http.StatusNotFound, "text/plain", "404 Not Found")
	}
	return object(http.StatusOK, map[string]any{
		"uuid": "00000000-0000-4000-8000-0000000000ff", // OpenStack's own ID, which is not the API's
		"name": c.reference(id, "").Name,
		"meta": map[string]string{"cloudscale_uuid": id},
	})
}
