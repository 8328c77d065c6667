package simulator

import (
	"fmt"
	"net/http"
	"net/netip"
)

// message is the form of Exoscale's errors: its SDK reads "message", as well as "error", "title", "detail" and "errors".
func message(status int, text string) answer {
	return object(status, map[string]string{"message": text})
}

func missing(kind, id string) answer {
	return message(http.StatusNotFound, fmt.Sprintf("There is no %s %s.", kind, id))
}

func (c exoscale) usual(status int) answer {
	if status == http.StatusUnauthorized {
		return message(status, "Invalid credentials")
	}
	return message(status, http.StatusText(status))
}

// An elasticIP is an address as Exoscale shows it: without those who hold it.
type elasticIP struct {
	ID          string       `json:"id"`
	IP          netip.Addr   `json:"ip"`
	Family      string       `json:"addressfamily"`
	CIDR        netip.Prefix `json:"cidr"`
	Description string       `json:"description"`
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

// elasticIP returns a as Exoscale shows it.
func (a *address) elasticIP() elasticIP {
	addr := a.network.Addr()
	shown := elasticIP{ID: a.elasticIPID, IP: addr, Family: "inet4", CIDR: a.network}
	if addr.Is6() {
		shown.Family = "inet6"
	}
	if a.managed { // the numbers are the defaults that the SDK documents
		shown.Healthcheck = &healthcheck{Mode: "tcp", Port: 80, Interval: 10, Timeout: 2, StrikesOK: 2, StrikesFail: 3}
	}
	return shown
}
