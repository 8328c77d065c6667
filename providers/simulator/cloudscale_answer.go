package simulator

import (
	"net/http"
	"net/netip"
	"time"
)

// detail is the form of most of the API's errors.
func detail(status int, message string) answer {
	return object(status, map[string]string{"detail": message})
}

// badServer is the form of an error about one field of a request: the message is in a list.
func badServer(message string) answer {
	return object(http.StatusBadRequest, map[string][]string{"server": {message}})
}

var notFound = detail(http.StatusNotFound, "Not found.")

func (c cloudscale) errorBody(status int) answer {
	switch status {
	case http.StatusBadRequest:
		return badServer("This field is not valid.")
	case http.StatusUnauthorized:
		return detail(status, "Invalid token.")
	case http.StatusForbidden:
		return detail(status, "You do not have permission to perform this action.")
	case http.StatusNotFound:
		return notFound
	case http.StatusTooManyRequests:
		return detail(status, "Request was throttled.")
	}
	return detail(status, http.StatusText(status)+".")
}

// A floatingIP is an address as cloudscale.ch shows it.
type floatingIP struct {
	Href         string            `json:"href"`
	CreatedAt    time.Time         `json:"created_at"`
	Network      netip.Prefix      `json:"network"`
	IPVersion    int               `json:"ip_version"`
	Server       *reference        `json:"server"`
	LoadBalancer *reference        `json:"load_balancer"`
	Region       *slug             `json:"region"` // null: it is a global one
	Type         string            `json:"type"`
	NextHop      string            `json:"next_hop"`
	ReversePtr   string            `json:"reverse_ptr"`
	Tags         map[string]string `json:"tags"`
}

// A reference names a server or a load balancer.
type reference struct {
	Href string `json:"href"`
	UUID string `json:"uuid"`
	Name string `json:"name"`
}

type slug struct {
	Slug string `json:"slug"`
}

// A serverDetails is a server as the API shows it by itself, as far as that is simulated.
type serverDetails struct {
	reference
	Status string            `json:"status"`
	Zone   slug              `json:"zone"`
	Tags   map[string]string `json:"tags"`
}

// floatingIP returns a as the API shows it: with one server, the first. c.mu is held.
func (c *Cloud) floatingIP(a *address, base string) floatingIP {
	addr := a.network.Addr()
	shown := floatingIP{
		Href: base + floatingIPs + "/" + addr.String(), CreatedAt: a.created.UTC(), Network: a.network, IPVersion: 4,
		Region: &slug{a.region}, Type: "regional", NextHop: "198.51.100.1", Tags: map[string]string{},
	}
	if a.region == "" {
		shown.Region, shown.Type = nil, "global"
	}
	if addr.Is6() {
		shown.IPVersion, shown.NextHop = 6, "2001:db8:ffff::1"
	}
	if len(a.holders) > 0 {
		holder := c.reference(a.holders[0], base)
		shown.Server = &holder
	}
	if id := a.loadBalancer; id != "" {
		shown.LoadBalancer = &reference{Href: base + "/v1/load-balancers/" + id, UUID: id}
	}
	return shown
}

// reference returns the server with an ID as the API refers to it; one that the cloud does not know has no name.
func (c *Cloud) reference(id, base string) reference {
	r := reference{Href: base + servers + id, UUID: id}
	if i := c.serverIndex(id); i >= 0 {
		r.Name = c.servers[i].Name
	}
	return r
}
