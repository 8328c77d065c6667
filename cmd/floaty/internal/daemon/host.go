package daemon

import (
	"floaty/cmd/floaty/internal/inputs"
	"floaty/desired"
	"floaty/providers/logkey"
)

// serverFound is called with this server's ID as the cloud gives it. This host's name takes precedence. If the configuration maps host
// names but lacks the current one, a server that is already known stays.
func (d *daemon) serverFound(server string) {
	d.deciding.Lock()
	defer d.deciding.Unlock()
	id, byName := inputs.ServerByHostName(d.current.Load(), inputs.HostName())
	known := d.state.Server()
	switch {
	case id != "":
		server = id
	case byName && known != "":
		server = known
	}
	if known == "" { // otherwise the first line, or one about a renamed host, has shown it
		d.opts.Log.Info("it is now known which server this is", logkey.Server, server)
	}
	d.changeServer(known, server)
}

// checkHostName applies a changed name of this host, if the configuration maps it to a server.
func (d *daemon) checkHostName() {
	if id := d.serverByHostName(); id == "" || id == d.state.Server() {
		return // without the lock, because a MASTER line waits for this
	}
	d.deciding.Lock()
	defer d.deciding.Unlock()
	if id := d.serverByHostName(); id != "" { // a rebuild may have put another configuration into force
		d.changeServer(d.state.Server(), id)
	}
}

// serverByHostName returns the ID of the server to which the configuration in force maps the name of this host; empty: none.
func (d *daemon) serverByHostName() string {
	id, _ := inputs.ServerByHostName(d.current.Load(), inputs.HostName())
	return id
}

// changeServer sets this server's ID, and logs that it has changed if another one was known.
func (d *daemon) changeServer(known, id string) {
	if id == known {
		return
	}
	if known != "" {
		d.opts.Log.Info("this host was renamed: its server has changed", logkey.From, known, logkey.To, id)
		d.setServer("") // cancels the writes for the previous server
	}
	d.setServer(id)
}

// setServer sets this server's ID; empty: unknown.
func (d *daemon) setServer(id string) {
	d.opts.Names.self.Store(&id)
	d.update(func() desired.Change { return d.state.SetServer(id) })
}
