package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// serveControl answers the control API, which does for scripts what the methods of Cloud do for tests:
//
//	GET    /sim/state
//	POST   /sim/servers         {"id": "…", "name": "…"}
//	DELETE /sim/servers         {"id": "…"}
//	POST   /sim/addresses       {"address": "192.0.2.1/32", "servers": ["…"]}
//	POST   /sim/move            {"address": "192.0.2.1", "servers": ["…"]}
//	POST   /sim/managed         {"address": "192.0.2.1", "on": true}
//	POST   /sim/region          {"address": "192.0.2.1", "region": "rma"}; without region: a global one
//	POST   /sim/server-region   {"id": "…", "region": "rma"}
//	POST   /sim/token           {"tokens": ["…"]}
//	POST   /sim/key             {"key": "…", "secret": "…"}
//	POST   /sim/latency         {"latency": "100ms"}
//	POST   /sim/operation-time  {"time": "2s"}
//	POST   /sim/busy            {"on": true}
//	POST   /sim/attach-conflict {"on": true}
//	POST   /sim/attach-failure  {"on": true}
//	POST   /sim/ignore-filter   {"on": true}
//	POST   /sim/fault           {"kind": "status", "status": 503, "method": "PATCH", "path": "192.0.2.1", "body": "…",
//	                             "no_body": true, "retry_after": "5", "reason": "…", "message": "…", "times": 1, "for": "15s"}
//	DELETE /sim/faults
//	GET    /sim/calls
//	DELETE /sim/calls
//
// A request without a result is answered with 204, and a mistake with 400, 404 or 405 and {"error": "…"}.
func (c *Cloud) serveControl(w http.ResponseWriter, r *http.Request) {
	a, err := c.control(r)
	if err != nil {
		status := http.StatusBadRequest
		if refused := (*refusal)(nil); errors.As(err, &refused) {
			status = refused.status
		}
		a = object(status, map[string]string{"error": err.Error()})
	}
	a.write(w)
}

// A refusal is an error with a status other than 400.
type refusal struct {
	status int
	reason string
}

func (r *refusal) Error() string { return r.reason }

func (c *Cloud) control(r *http.Request) (answer, error) {
	done := answer{status: http.StatusNoContent}
	switch r.Method + " " + r.URL.Path {
	case "GET /sim/state":
		return object(http.StatusOK, c.state()), nil
	case "GET /sim/calls":
		return object(http.StatusOK, c.Calls()), nil
	case "DELETE /sim/calls":
		c.ForgetCalls()
		return done, nil
	case "DELETE /sim/faults":
		c.ClearFaults()
		return done, nil
	case "DELETE /sim/servers":
		return done, c.controlRemoval(r)
	}
	if name, ok := strings.CutPrefix(r.URL.Path, "/sim/"); ok && r.Method == http.MethodPost {
		if change, ok := c.controls()[name]; ok {
			return done, change(r)
		}
	}
	return answer{}, unknown(r)
}

// controls returns what a POST can change, by the last part of its path.
func (c *Cloud) controls() map[string]func(*http.Request) error {
	return map[string]func(*http.Request) error{
		"servers": c.controlServers, "addresses": c.controlAddresses, "move": c.controlMove, "managed": c.controlManaged,
		"token": c.controlToken, "key": c.controlKey,
		"latency": c.controlLatency, "operation-time": c.controlOperationTime,
		"region": c.controlRegion, "server-region": c.controlServerRegion,
		"busy": onOff(c.SetBusy), "attach-conflict": onOff(c.SetAttachConflict), "attach-failure": onOff(c.SetAttachFailure),
		"ignore-filter": onOff(c.SetIgnoreFilter), "fault": c.controlFault,
	}
}

// unknown describes what is wrong with a request that control does not know.
func unknown(r *http.Request) error {
	paths := []string{
		"state", "servers", "addresses", "move", "managed", "region", "server-region", "token", "key", "latency", "operation-time",
		"busy", "attach-conflict", "attach-failure", "ignore-filter", "fault", "faults", "calls",
	}
	if slices.ContainsFunc(paths, func(p string) bool { return r.URL.Path == "/sim/"+p }) {
		return &refusal{http.StatusMethodNotAllowed, fmt.Sprintf("no %s for %s", r.Method, r.URL.Path)}
	}
	return &refusal{http.StatusNotFound, fmt.Sprintf("no path %s; there are %v under /sim/", r.URL.Path, paths)}
}

type addressState struct {
	Address      netip.Addr   `json:"address"`
	Network      netip.Prefix `json:"network"`
	Servers      []string     `json:"servers"`
	LoadBalancer string       `json:"load_balancer,omitempty"`
	ElasticIP    string       `json:"elastic_ip"` // the ID at Exoscale's API
	Managed      bool         `json:"managed,omitempty"`
}

type state struct {
	Addresses []addressState `json:"addresses"`
	Servers   []server       `json:"servers"`
}

func (c *Cloud) state() state {
	c.lock()
	defer c.mu.Unlock()
	s := state{Addresses: []addressState{}, Servers: append([]server{}, c.servers...)}
	for _, a := range c.addresses {
		s.Addresses = append(s.Addresses, addressState{
			Address: a.network.Addr(), Network: a.network, Servers: append([]string{}, a.holders...), LoadBalancer: a.loadBalancer,
			ElasticIP: a.elasticIPID, Managed: a.managed,
		})
	}
	return s
}

func (c *Cloud) knowAddress(addr netip.Addr) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.address(addr) == nil {
		return &refusal{http.StatusNotFound, fmt.Sprintf("no address %v", addr)}
	}
	return nil
}

func (c *Cloud) knowServers(ids []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		if c.serverIndex(id) < 0 {
			return &refusal{http.StatusNotFound, fmt.Sprintf("no server %q", id)}
		}
	}
	return nil
}

// A duration is written as in Go, such as "100ms".
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return err
	}
	if parsed < 0 {
		return fmt.Errorf("duration %s is below 0", text)
	}
	*d = duration(parsed)
	return nil
}

// decode reads the request into v: one JSON value, with known keys only.
func decode(r *http.Request, v any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("reading the request: more than one JSON value")
	}
	return nil
}
