package main

import (
	"context"
	"net/netip"
	"os"

	"floaty/config"
	"floaty/desired"
	"floaty/providers/logkey"
)

// hostName returns what this host is called now; empty: that is not known, and in no configuration either.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// hostServer returns the server that the configuration has for a host name; empty: the name is not there. byName reports whether it
// goes by host names at all.
func hostServer(c *config.Config, host string) (id string, byName bool) {
	if c.Provider != "cloudscale" || c.Cloudscale.ServerUUID != "" || len(c.Cloudscale.HostnameToServerUUID) == 0 {
		return "", false
	}
	return c.Cloudscale.HostnameToServerUUID[host], true
}

// A hostNamed is a cloud that is asked which server this is only where this host's name does not tell. The name may come, or be put
// right, after the start: cloud-init, DHCP, a clone of the other host.
type hostNamed struct {
	cloud
	config func() *config.Config
}

// Server implements [providers.Provider].
func (h hostNamed) Server(ctx context.Context) (string, error) {
	if id, _ := hostServer(h.config(), hostName()); id != "" {
		return id, nil
	}
	return h.cloud.Server(ctx)
}

// found takes over what was found out about which server this is: the host's name counts more, and where it has come to be one that
// the configuration lacks, the server that is known stays.
func (d *daemon) found(server string) {
	id, byName := hostServer(d.secrets.Load(), hostName())
	known, _ := d.state.Server(netip.Addr{})
	switch {
	case id != "":
		server = id
	case byName && known != "":
		server = known
	}
	d.setServer(server)
}

// renamed takes over a new name of this host, if the configuration has a server for it.
func (d *daemon) renamed() {
	id, _ := hostServer(d.secrets.Load(), hostName())
	if id == "" {
		return
	}
	known, _ := d.state.Server(netip.Addr{})
	if id == known {
		return
	}
	if known != "" {
		d.log.Info("this host was renamed: its server has changed", logkey.From, known, logkey.To, id)
		d.setServer("") // ends the writes for the other one
	}
	d.setServer(id)
}

// setServer takes over which server this is; empty: that is not known.
func (d *daemon) setServer(id string) {
	d.command.names.self.Store(&id)
	d.update(func() desired.Change { return d.state.SetServer(id) })
}
