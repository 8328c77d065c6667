package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

const (
	floatingIPs  = "/v1/floating-ips"
	servers      = "/v1/servers/"
	metadataPath = "/openstack/latest/meta_data.json"
)

// DefaultRegion is where servers and floating IPs of cloudscale.ch are unless told otherwise.
const DefaultRegion = "lpg"

// SetRegion puts a floating IP of cloudscale.ch into a region; the empty region makes it global, so that any server can have it. A regional
// one cannot go to a server of another region. It does nothing if there is no such address.
func (c *Cloud) SetRegion(addr netip.Addr, region string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.address(addr); a != nil {
		a.region = region
	}
}

// SetServerRegion puts a server into a region of cloudscale.ch. It does nothing if there is no such server.
func (c *Cloud) SetServerRegion(id, region string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.serverIndex(id); i >= 0 {
		c.servers[i].Region = region
	}
}

// cloudscale is the dialect of cloudscale.ch.
type cloudscale struct{ *Cloud }

// subject returns the address and the server of a PATCH.
func (c cloudscale) subject(r *http.Request, body []byte) (netip.Addr, string) {
	if r.Method != http.MethodPatch {
		return netip.Addr{}, ""
	}
	id, _ := wantedServer(body)
	return bareAddress(r.URL.Path), id
}

func (c cloudscale) truncated() string { return `[{"href":"https://api.clouds` }

func (c cloudscale) route(v *request, r *http.Request) answer {
	if !c.accepts(r.Header.Get("Authorization")) {
		return c.errorBody(http.StatusUnauthorized)
	}
	path := r.URL.Path
	switch {
	case path == floatingIPs && r.Method == http.MethodGet:
		return c.list(base(r))
	case strings.HasPrefix(path, floatingIPs+"/") && r.Method == http.MethodGet:
		return c.get(bareAddress(path), base(r))
	case strings.HasPrefix(path, floatingIPs+"/") && r.Method == http.MethodPatch:
		return c.patch(bareAddress(path), v.body)
	case strings.HasPrefix(path, servers) && r.Method == http.MethodGet:
		return c.getServer(strings.TrimPrefix(path, servers), base(r))
	case path == floatingIPs, strings.HasPrefix(path, floatingIPs+"/"), strings.HasPrefix(path, servers):
		return detail(http.StatusMethodNotAllowed, fmt.Sprintf("Method %q not allowed.", r.Method))
	}
	return notFound
}

func (c cloudscale) accepts(authorization string) bool {
	token, ok := strings.CutPrefix(authorization, "Bearer ")
	return len(c.tokens) == 0 || ok && slices.Contains(c.tokens, token)
}

func (c cloudscale) list(base string) answer {
	all := make([]floatingIP, len(c.addresses))
	for i, a := range c.addresses {
		all[i] = c.floatingIP(a, base)
	}
	return object(http.StatusOK, all)
}

func (c cloudscale) get(addr netip.Addr, base string) answer {
	i := c.networkIndex(addr)
	if i < 0 {
		return notFound
	}
	return object(http.StatusOK, c.floatingIP(c.addresses[i], base))
}

// patch aims an address at one server. The real API takes more (a load balancer, a reverse pointer, tags).
func (c cloudscale) patch(addr netip.Addr, body []byte) answer {
	i := c.networkIndex(addr)
	if i < 0 {
		return notFound
	}
	a := c.addresses[i]
	id, err := wantedServer(body)
	at := c.serverIndex(id)
	switch {
	case err != nil:
		return detail(http.StatusBadRequest, "JSON parse error - "+err.Error())
	case id == "":
		return badServer("This field is required.")
	case at >= 0 && a.region != "" && a.region != c.servers[at].Region:
		return badServer("The server must be in the region of the floating IP.")
	case at >= 0:
		a.hold(c.now, id)
		return answer{status: http.StatusNoContent}
	case !uuid.MatchString(id):
		return badServer(fmt.Sprintf("“%s” is not a valid UUID.", id))
	}
	return badServer(fmt.Sprintf("Object with uuid=%s does not exist.", id))
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func (c cloudscale) getServer(id, base string) answer {
	i := c.serverIndex(id)
	if i < 0 {
		return notFound
	}
	return object(http.StatusOK, serverDetails{
		reference: c.reference(id, base), Status: "running", Zone: slug{c.servers[i].Region + "1"}, Tags: map[string]string{},
	})
}

// wantedServer returns what a PATCH asks for, empty if it does not say.
func wantedServer(body []byte) (string, error) {
	var wanted struct {
		Server string `json:"server"`
	}
	if err := json.Unmarshal(body, &wanted); err != nil {
		return "", fmt.Errorf("reading the request: %w", err)
	}
	return wanted.Server, nil
}

// bareAddress returns the address that a path ends with. With a prefix length or anything else it is the zero Addr, which
// no account has.
func bareAddress(path string) netip.Addr {
	addr, _ := netip.ParseAddr(strings.TrimPrefix(path, floatingIPs+"/"))
	return addr
}

// base returns the URL of this API as the client sees it.
func base(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
