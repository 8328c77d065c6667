package main

import (
	"maps"
	"strings"
	"sync/atomic"

	"floaty/config"
	"floaty/providers/logkey"
)

// A serverNames knows servers by their names, for log lines: from the configuration, else from what the cloud has said last, else
// this host's own from its host name. Its zero value knows none.
type serverNames struct {
	configured atomic.Pointer[map[string]string] // by ID
	cloud      atomic.Pointer[cloud]
	self       atomic.Pointer[string] // the ID of this host's server
}

// configure takes over the names that a configuration has.
func (n *serverNames) configure(c *config.Config) {
	names := map[string]string{}
	for host, id := range maps.All(c.Cloudscale.HostnameToServerUUID) {
		if known, ok := names[id]; !ok || host < known {
			names[id] = host
		}
	}
	n.configured.Store(&names)
}

// name returns the name of a server; empty: it is not known.
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
		return hostName()
	}
	return ""
}

// show returns the names in place of the IDs in a log value that names servers, and any other value as it is.
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
