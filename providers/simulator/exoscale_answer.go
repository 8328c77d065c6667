package simulator

import (
	"net/http"
	"net/netip"
)

// exoscaleObject is an answer with the content type that Exoscale's API was recorded with.
func exoscaleObject(status int, v any) answer {
	a := object(status, v)
	a.contentType = "application/json; charset=utf-8"
	return a
}

// message is the form of Exoscale's errors: its SDK reads "message", as well as "error", "title", "detail" and "errors".
func message(status int, text string) answer {
	return exoscaleObject(status, map[string]string{"message": text})
}

// missing is the form of a 404, recorded as "Instance not found.".
func missing(kind string) answer {
	return message(http.StatusNotFound, kind+" not found.")
}

// invalid is the form of a 400.
func invalid(text string) answer {
	return exoscaleObject(http.StatusBadRequest, map[string]any{
		"message": "Invalid request", "errors": []map[string]string{{"message": text}},
	})
}

func (c exoscale) errorBody(status int) answer {
	switch status {
	case http.StatusBadRequest:
		return invalid("The request is not valid.")
	case http.StatusForbidden:
		return message(status, "Forbidden by role policy for compute")
	}
	return message(status, http.StatusText(status))
}

// An elasticIP is an address as Exoscale shows it: without its holders.
type elasticIP struct {
	ID          string       `json:"id"`
	IP          netip.Addr   `json:"ip"`
	Family      string       `json:"addressfamily"`
	CIDR        netip.Prefix `json:"cidr"`
	Healthcheck *healthcheck `json:"healthcheck,omitempty"`
}

type healthcheck struct {
	Mode        string `json:"mode"`
	Port        int    `json:"port"`
	Interval    int    `json:"interval"` // seconds
	Timeout     int    `json:"timeout"`  // seconds
	StrikesOK   int    `json:"strikes-ok"`
	StrikesFail int    `json:"strikes-fail"`
}

// An instance is a server as a list of Exoscale's shows it, as far as that is simulated.
type instance struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	State string `json:"state"`
}

// An instanceDetails is a server as Exoscale shows it by itself.
type instanceDetails struct {
	instance
	ElasticIPs []elasticIPReference `json:"elastic-ips"`
}

type elasticIPReference struct {
	ID string     `json:"id"`
	IP netip.Addr `json:"ip"`
}

// exoscaleIP returns what Exoscale calls the IP of a: the first address of its network, but the second one of a /96.
func (a *address) exoscaleIP() netip.Addr {
	if a.network.Bits() == 96 {
		return a.network.Addr().Next()
	}
	return a.network.Addr()
}

// elasticIP returns a as Exoscale shows it. It has no description, which the API then leaves out.
func (a *address) elasticIP() elasticIP {
	shown := elasticIP{ID: a.elasticIPID, IP: a.exoscaleIP(), Family: "inet4", CIDR: a.network}
	if shown.IP.Is6() {
		shown.Family = "inet6"
	}
	if a.managed { // the numbers are the defaults that the SDK documents
		shown.Healthcheck = &healthcheck{Mode: "tcp", Port: 80, Interval: 10, Timeout: 2, StrikesOK: 2, StrikesFail: 3}
	}
	return shown
}
