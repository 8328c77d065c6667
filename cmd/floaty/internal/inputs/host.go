package inputs

import (
	"os"

	"floaty/config"
)

// HostName returns this host's current name; empty: unknown.
func HostName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// ServerByHostName returns the server that the configuration maps a host name to; empty: none. byName reports whether
// the configuration maps host names at all.
func ServerByHostName(c *config.Config, host string) (id string, byName bool) {
	if c.Server() != "" || len(c.Servers()) == 0 {
		return "", false
	}
	return c.Servers()[host], true
}
