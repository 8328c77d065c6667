package main

import (
	"context"
	"net/netip"
	"os"

	"floaty/config"
	"floaty/desired"
	"floaty/providers/logkey"
)

// hostName returns this host's current name; empty: unknown.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// serverByHostName returns the server that the configuration maps a host name to; empty: none. byName reports whether
// the configuration maps host names at all.
func serverByHostName(c *config.Config, host string) (id string, byName bool) {
	if c.Provider != "cloudscale" || c.Cloudscale.ServerUUID != "" || len(c.Cloudscale.HostnameToServerUUID) == 0 {
		return "", false
	}
	return c.Cloudscale.HostnameToServerUUID[host], true
}

// A namedByHost is a cloud that is asked for this server only if this host's name does not determine it. The name may
// be set or corrected after the start, by cloud-init, by DHCP, or after cloning another host.
type namedByHost struct {
	cloud
	config func() *config.Config
}

// Server implements [providers.Provider].
func (h namedByHost) Server(ctx context.Context) (string, error) {
	if id, _ := serverByHostName(h.config(), hostName()); id != "" {
		return id, nil
	}
	return h.cloud.Server(ctx)
}

// serverFound is called with this server's ID as the cloud tells it. This host's name takes precedence. If the
// configuration maps host names but lacks the current one, a server that is already known stays.
func (d *daemon) serverFound(server string) {
	id, byName := serverByHostName(d.current.Load(), hostName())
	known, _ := d.state.Server(netip.Addr{})
	switch {
	case id != "":
		server = id
	case byName && known != "":
		server = known
	}
	d.setServer(server)
}

// checkHostName applies a changed name of this host, if the configuration maps it to a server.
func (d *daemon) checkHostName() {
	id, _ := serverByHostName(d.current.Load(), hostName())
	if id == "" {
		return
	}
	known, _ := d.state.Server(netip.Addr{})
	if id == known {
		return
	}
	if known != "" {
		d.log.Info("this host was renamed: its server has changed", logkey.From, known, logkey.To, id)
		d.setServer("") // cancels the writes for the previous server
	}
	d.setServer(id)
}

// setServer sets this server's ID; empty: unknown.
func (d *daemon) setServer(id string) {
	d.command.names.self.Store(&id)
	d.update(func() desired.Change { return d.state.SetServer(id) })
}
