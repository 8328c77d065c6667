package simulator

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// exoscale is the dialect of Exoscale's API, version 2.
type exoscale struct{ *Cloud }

const elasticIPs = "/v2/elastic-ip"

// ElasticIPID returns the UUID by which Exoscale's API knows the elastic IP whose network starts with addr, in every cloud. It
// is part of the path of each request about that elastic IP alone.
func ElasticIPID(addr netip.Addr) string {
	sum := sha256.Sum256(addr.AsSlice())
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8: the application chooses the content (RFC 9562)
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// SetManaged gives the elastic IP addr a health check, or takes it away. It does nothing if there is no such address.
func (c *Cloud) SetManaged(addr netip.Addr, managed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.address(addr); a != nil {
		a.managed = managed
	}
}

// SetIgnoreFilter makes Exoscale's API list every instance when it is asked for those with an address.
func (c *Cloud) SetIgnoreFilter(ignore bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ignoreFilter = ignore
}

// startsOperation reports whether a request is one to attach or to detach an instance.
func startsOperation(method, path string) bool {
	_, _, ok := wantedChange(path)
	return ok && method == http.MethodPut
}

// wantedChange splits a path such as "/v2/elastic-ip/ID:attach" into ID and command.
func wantedChange(path string) (id, command string, ok bool) {
	rest, ok := strings.CutPrefix(path, elasticIPs+"/")
	id, command, _ = strings.Cut(rest, ":")
	return id, command, ok && (command == "attach" || command == "detach")
}

// subject returns the address and the instance of a request to attach or detach.
func (c exoscale) subject(r *http.Request, body []byte) (netip.Addr, string) {
	if !startsOperation(r.Method, r.URL.Path) {
		return netip.Addr{}, ""
	}
	instance, _ := wantedInstance(body)
	id, _, _ := wantedChange(r.URL.Path)
	if a := c.elasticIP(id); a != nil {
		return a.network.Addr(), instance
	}
	return netip.Addr{}, instance
}

func (c exoscale) truncated() string { return `{"elastic-ips":[{"id":"` }

func (c exoscale) route(v *request, r *http.Request) answer {
	if !c.accepts(r, v.body) {
		return message(http.StatusForbidden, "Forbidden")
	}
	kind, id, one := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/")
	if bare, _, _ := strings.Cut(id, ":"); one && !uuid.MatchString(bare) {
		return invalid(fmt.Sprintf("%q is not a UUID", bare))
	}
	switch get := r.Method == http.MethodGet; {
	case startsOperation(r.Method, r.URL.Path):
		return c.change(v, r.URL.Path)
	case get && kind == "elastic-ip" && one:
		return c.getElasticIP(id)
	case get && kind == "elastic-ip":
		return c.listElasticIPs()
	case get && kind == "instance" && one:
		return c.getInstance(id)
	case get && kind == "instance":
		return c.listInstances(r.URL.Query()["ip-address"])
	case get && kind == "operation" && one:
		return c.getOperation(id)
	}
	return c.errorBody(http.StatusNotFound)
}

func (c exoscale) listElasticIPs() answer {
	all := make([]elasticIP, len(c.addresses))
	for i, a := range c.addresses {
		all[i] = a.elasticIP()
	}
	return exoscaleObject(http.StatusOK, map[string][]elasticIP{"elastic-ips": all})
}

func (c exoscale) getElasticIP(id string) answer {
	a := c.elasticIP(id)
	if a == nil {
		return missing("Elastic IP")
	}
	return exoscaleObject(http.StatusOK, a.elasticIP())
}

// listInstances lists the instances that hold the wanted address, or all if there is none wanted. It compares the text of the address as
// the API writes it: what the real API does with another spelling is not known.
func (c exoscale) listInstances(wanted []string) answer {
	all := len(wanted) == 0 || c.ignoreFilter
	var holders []string
	if !all {
		for _, a := range c.addresses {
			if a.exoscaleIP().String() == wanted[0] {
				holders = a.holders
			}
		}
	}
	found := []instance{}
	for _, s := range c.servers {
		if all || slices.Contains(holders, s.ID) {
			found = append(found, instance{ID: s.ID, Name: s.Name, State: "running"})
		}
	}
	return exoscaleObject(http.StatusOK, map[string][]instance{"instances": found})
}

func (c exoscale) getInstance(id string) answer {
	i := c.serverIndex(id)
	if i < 0 {
		return missing("Instance")
	}
	shown := instanceDetails{
		instance: instance{ID: id, Name: c.servers[i].Name, State: "running"}, ElasticIPs: []elasticIPReference{},
	}
	for _, a := range c.addresses {
		if slices.Contains(a.holders, id) {
			shown.ElasticIPs = append(shown.ElasticIPs, elasticIPReference{ID: a.elasticIPID, IP: a.exoscaleIP()})
		}
	}
	return exoscaleObject(http.StatusOK, shown)
}

// elasticIP returns the address that the API knows by an ID, or nil.
func (c exoscale) elasticIP(id string) *address {
	i := slices.IndexFunc(c.addresses, func(a *address) bool { return a.elasticIPID == id })
	if i < 0 {
		return nil
	}
	return c.addresses[i]
}

// wantedInstance returns which instance a request is to attach or detach, empty if it does not say.
func wantedInstance(body []byte) (string, error) {
	var wanted struct {
		Instance struct {
			ID string `json:"id"`
		} `json:"instance"`
	}
	if err := json.Unmarshal(body, &wanted); err != nil {
		return "", fmt.Errorf("reading the request: %w", err)
	}
	return wanted.Instance.ID, nil
}
