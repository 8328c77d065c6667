package main

import (
	"maps"
	"strings"
	"sync/atomic"

	"floaty/cmd/floaty/internal/inputs"
	"floaty/config"
	"floaty/providers/logkey"
)

// serverNames maps server IDs to names for log lines. A name comes from the configuration, else from the last reading
// of the cloud, else, for this server, from the host name. The zero value knows no names.
type serverNames struct {
	configured atomic.Pointer[map[string]string] // by ID
	cloud      atomic.Pointer[cloud]
	self       atomic.Pointer[string] // the ID of this host's server
}

// configure replaces the names from the configuration.
func (n *serverNames) configure(c *config.Config) {
	names := map[string]string{}
	for host, id := range maps.All(c.Cloudscale.HostnameToServerUUID) {
		if known, ok := names[id]; !ok || host < known {
			names[id] = host
		}
	}
	n.configured.Store(&names)
}

// name returns the name of a server; empty: unknown.
func (n *serverNames) name(id string) string {
	if names := n.configured.Load(); names != nil && (*names)[id] != "" {
		return (*names)[id]
	}
	if cloud := n.cloud.Load(); cloud != nil {
		if name := (*cloud).ServerName(id); name != "" {
			return name
		}
	}
	if self := n.self.Load(); self != nil && id != "" && *self == id {
		return inputs.HostName()
	}
	return ""
}

// show replaces the IDs in a log value that contains servers by names, and returns any other value unchanged.
func (n *serverNames) show(key, value string) string {
	if key != logkey.Server && key != logkey.From && key != logkey.To {
		return value
	}
	ids := strings.Split(value, ", ")
	for i, id := range ids {
		if name := n.name(id); name != "" {
			ids[i] = name
		}
	}
	return strings.Join(ids, ", ")
}
