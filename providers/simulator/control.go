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
	"time"
)

// serveControl answers the control API, which does for scripts what the methods of Cloud do for tests:
//
//	GET    /sim/state
//	POST   /sim/servers   {"id": "…", "name": "…"}
//	POST   /sim/addresses {"address": "192.0.2.1/32", "servers": ["…"]}
//	POST   /sim/move      {"address": "192.0.2.1", "servers": ["…"]}
//	POST   /sim/token     {"tokens": ["…"]}
//	POST   /sim/latency   {"latency": "100ms"}
//	POST   /sim/fault     {"kind": "status", "status": 503, "method": "PATCH", "path": "192.0.2.1", "body": "…",
//	                       "retry_after": "5", "times": 1, "for": "15s"}
//	DELETE /sim/faults
//	GET    /sim/calls
//	DELETE /sim/calls
//
// What has nothing to say is answered with 204, a mistake with 400, 404 or 405 and {"error": "…"}.
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
	case "POST /sim/servers":
		return done, c.controlServers(r)
	case "POST /sim/addresses":
		return done, c.controlAddresses(r)
	case "POST /sim/move":
		return done, c.controlMove(r)
	case "POST /sim/token":
		return done, c.controlToken(r)
	case "POST /sim/latency":
		return done, c.controlLatency(r)
	case "POST /sim/fault":
		return done, c.controlFault(r)
	}
	return answer{}, unknown(r)
}

// unknown says what is wrong with a request that control does not know.
func unknown(r *http.Request) error {
	paths := []string{"state", "servers", "addresses", "move", "token", "latency", "fault", "faults", "calls"}
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
}

type state struct {
	Addresses []addressState `json:"addresses"`
	Servers   []server       `json:"servers"`
}

func (c *Cloud) state() state {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := state{Addresses: []addressState{}, Servers: append([]server{}, c.servers...)}
	for _, a := range c.addresses {
		s.Addresses = append(s.Addresses, addressState{
			Address: a.network.Addr(), Network: a.network, Servers: append([]string{}, a.holders...), LoadBalancer: a.loadBalancer,
		})
	}
	return s
}

func (c *Cloud) controlServers(r *http.Request) error {
	var in server
	if err := decode(r, &in); err != nil {
		return err
	}
	if in.ID == "" {
		return errors.New("id is missing")
	}
	c.AddServer(in.ID, in.Name)
	return nil
}

func (c *Cloud) controlAddresses(r *http.Request) error {
	var in struct {
		Address netip.Prefix `json:"address"`
		Servers []string     `json:"servers"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	if err := CheckNetwork(in.Address); err != nil {
		return fmt.Errorf("address: %w", err)
	}
	if err := c.knowServers(in.Servers); err != nil {
		return err
	}
	c.AddAddress(in.Address, in.Servers...)
	return nil
}

func (c *Cloud) controlMove(r *http.Request) error {
	var in struct {
		Address netip.Addr `json:"address"`
		Servers []string   `json:"servers"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	if err := c.knowAddress(in.Address); err != nil {
		return err
	}
	if err := c.knowServers(in.Servers); err != nil {
		return err
	}
	c.Move(in.Address, in.Servers...)
	return nil
}

func (c *Cloud) controlToken(r *http.Request) error {
	var in struct {
		Tokens []string `json:"tokens"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	c.SetToken(in.Tokens...)
	return nil
}

func (c *Cloud) controlLatency(r *http.Request) error {
	var in struct {
		Latency duration `json:"latency"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	c.SetLatency(time.Duration(in.Latency))
	return nil
}

func (c *Cloud) controlFault(r *http.Request) error {
	var in struct {
		Method     string   `json:"method"`
		Path       string   `json:"path"`
		Kind       *Kind    `json:"kind"`
		Status     int      `json:"status"`
		Body       string   `json:"body"`
		RetryAfter string   `json:"retry_after"`
		Times      int      `json:"times"`
		For        duration `json:"for"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	switch {
	case in.Kind == nil:
		return errors.New("kind is missing")
	case in.Status != 0 && (in.Status < 200 || in.Status > 599):
		return fmt.Errorf("status %d is not in 200 to 599", in.Status)
	case in.Times < 0:
		return fmt.Errorf("times %d is below 0", in.Times)
	}
	c.Fail(Fault{
		Method: in.Method, Path: in.Path, Kind: *in.Kind, Status: in.Status, Body: in.Body, RetryAfter: in.RetryAfter,
		Times: in.Times, For: time.Duration(in.For),
	})
	return nil
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

// A duration is written as Go does, "100ms".
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
