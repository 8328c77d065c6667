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
	servers := c.Servers()
	if len(servers) == 0 || c.Server() != "" {
		return "", false
	}
	return servers[host], true
}
