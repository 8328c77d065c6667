package main

import (
	"floaty/config"
	"floaty/desired/keepalived"
	"floaty/desired/keepalived/conf"
)

// A configID is the config id of Keepalived's VRRP process.
type configID struct {
	value string // empty: the host name is used instead
	known bool
}

// findConfigID returns the config id of the VRRP process with that process ID.
func findConfigID(pid int) configID {
	value, known := keepalived.ConfigID(pid)
	return configID{value: value, known: known}
}

// readKeepalived reads keepalived.conf as Keepalived does. The config id matters only if there are @id lines. It is
// the configured one, else id if known, else that of the process in the PID file, else the host name as a guess.
func readKeepalived(c *config.Config, id configID) (*conf.Config, error) {
	if c.KeepalivedConfigID != "" {
		id = configID{value: c.KeepalivedConfigID, known: true}
	}
	read, err := conf.Parse(c.KeepalivedConfig, conf.Options{ID: id.value, Guessed: !id.known})
	if id.known || !read.Conditions {
		return read, err
	}
	p, missing := keepalived.FindProcess(inputs{config: c, keepalived: read}.pidFile())
	if missing != nil {
		return read, err
	}
	defer p.Close()
	if id = findConfigID(p.PID); !id.known {
		return read, err
	}
	return conf.Parse(c.KeepalivedConfig, conf.Options{ID: id.value})
}

// identified handles that the VRRP process has become known: keepalived.conf is read again if it was read with
// another config id.
func (d *daemon) identified(pid int) {
	id := findConfigID(pid)
	if !id.known || id == d.loader.id {
		return
	}
	d.loader.id = id
	if read := d.running.keepalived; d.running.config.KeepalivedConfigID == "" && (read == nil || read.Conditions) {
		d.loader.start(false)
	}
}
