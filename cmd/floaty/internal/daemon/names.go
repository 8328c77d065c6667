package daemon

import (
	"strings"
	"sync/atomic"

	"floaty/cmd/floaty/internal/cloud"
	"floaty/cmd/floaty/internal/inputs"
	"floaty/config"
	"floaty/providers/logkey"
)

// ServerNames maps server IDs to names for log lines. A name comes from the configuration, else from readings
// of the cloud, else, for this server, from the host name. The zero value knows no names.
type ServerNames struct {
	configured atomic.Pointer[map[string]string] // by ID
	cloud      atomic.Pointer[cloud.Cloud]
	self       atomic.Pointer[string] // the ID of this host's server
}

// configure replaces the names from the configuration.
func (n *ServerNames) configure(c *config.Config) {
	names := map[string]string{}
	for host, id := range c.Servers() {
		if known, ok := names[id]; !ok || host < known {
			names[id] = host
		}
	}
	n.configured.Store(&names)
}

// name returns the name of a server; empty: unknown.
func (n *ServerNames) name(id string) string {
	if names := n.configured.Load(); names != nil && (*names)[id] != "" {
		return (*names)[id]
	}
	if api := n.cloud.Load(); api != nil {
		if name := (*api).ServerName(id); name != "" {
			return name
		}
	}
	if self := n.self.Load(); self != nil && id != "" && *self == id {
		return inputs.HostName()
	}
	return ""
}

// Show replaces the IDs in a log value that contains servers by names, and returns any other value unchanged.
func (n *ServerNames) Show(key, value string) string {
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
