package simulator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	floatingIPs  = "/v1/floating-ips"
	servers      = "/v1/servers/"
	metadataPath = "/openstack/latest/meta_data.json"
	maxBody      = 1 << 20 // bytes of a request that are read; an API of this size has no larger ones
)

// A visit is a request on its way through the cloud.
type visit struct {
	call    *Call
	body    []byte
	latency time.Duration
	fault   *Fault
	cleared <-chan struct{}
}

// arrive reads a request to its end, decides its fate and, if it counts, puts it on the list of calls. The body is read
// first because net/http notices that a client has gone only after that.
func (c *Cloud) arrive(r *http.Request, counts bool) *visit {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		abort() // it never arrived whole
	}
	now := time.Now()
	v := &visit{body: body, call: &Call{At: now, Method: r.Method, Path: r.URL.Path, Remote: r.RemoteAddr}}
	if r.Method == http.MethodPatch {
		v.call.Address = bareAddress(r.URL.Path)
		v.call.Server, _ = wantedServer(body)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	v.latency, v.cleared = c.latency, c.cleared
	v.fault = c.takeFault(r.Method, r.URL.Path, now)
	if counts {
		c.calls = append(c.calls, v.call)
	}
	return v
}

// serveAPI answers as cloudscale.ch's API.
func (c *Cloud) serveAPI(w http.ResponseWriter, r *http.Request) {
	v := c.arrive(r, true)
	defer c.end(v.call)
	a, done := v.meet(w, r)
	switch {
	case done:
		c.answered(v.call, a.status)
	case v.fault != nil && v.fault.Kind == LostAnswer:
		c.take(v, r, false)
		reset(w)
	default:
		a = c.take(v, r, true)
	}
	a.write(w)
}

// take lets a request have its effect and returns its answer; noted says whether the list of calls shows that answer. The
// effect and the note are one for everybody who looks.
func (c *Cloud) take(v *visit, r *http.Request, noted bool) answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Context().Err() != nil {
		abort() // gone while it waited for the lock
	}
	a := c.route(v, r)
	if noted {
		v.call.Status = a.status
	}
	return a
}

// route finds out what a request wants, and does it. c.mu is held.
func (c *Cloud) route(v *visit, r *http.Request) answer {
	if !c.accepts(r.Header.Get("Authorization")) {
		return usual(http.StatusUnauthorized)
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

func (c *Cloud) accepts(authorization string) bool {
	token, ok := strings.CutPrefix(authorization, "Bearer ")
	return len(c.tokens) == 0 || ok && slices.Contains(c.tokens, token)
}

func (c *Cloud) list(base string) answer {
	all := make([]floatingIP, len(c.addresses))
	for i, a := range c.addresses {
		all[i] = c.floatingIP(a, base)
	}
	return object(http.StatusOK, all)
}

func (c *Cloud) get(addr netip.Addr, base string) answer {
	a := c.address(addr)
	if a == nil {
		return notFound
	}
	return object(http.StatusOK, c.floatingIP(a, base))
}

// patch aims an address at one server. The real API takes more (a load balancer, a reverse pointer, tags).
func (c *Cloud) patch(addr netip.Addr, body []byte) answer {
	a := c.address(addr)
	if a == nil {
		return notFound
	}
	id, err := wantedServer(body)
	switch {
	case err != nil:
		return detail(http.StatusBadRequest, "JSON parse error - "+err.Error())
	case id == "":
		return badServer("This field is required.")
	case c.serverIndex(id) >= 0:
		a.holders, a.loadBalancer = []string{id}, ""
		return answer{status: http.StatusNoContent}
	case !uuid.MatchString(id):
		return badServer(fmt.Sprintf("“%s” is not a valid UUID.", id))
	}
	return badServer(fmt.Sprintf("Object with uuid=%s does not exist.", id))
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func (c *Cloud) getServer(id, base string) answer {
	i := c.serverIndex(id)
	if i < 0 {
		return notFound
	}
	return object(http.StatusOK, serverDetails{
		reference: c.reference(id, base), Status: "running", Zone: slug{"lpg1"}, Tags: map[string]string{},
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
