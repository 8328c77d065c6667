package main

import (
	"floaty/config"
	"floaty/desired/keepalived"
	"floaty/desired/keepalived/conf"
)

// A configID is Keepalived's config id as its VRRP process has it.
type configID struct {
	value string // empty: the host name
	known bool
}

// findConfigID returns that of the VRRP process with that ID.
func findConfigID(pid int) configID {
	value, known := keepalived.ConfigID(pid)
	return configID{value: value, known: known}
}

// readKeepalived reads keepalived.conf as Keepalived does. The config id counts only where there are @id lines: it is the one of
// the configuration, else id, if that is known, else that of the process in the pid file, else a guess.
func readKeepalived(c *config.Config, id configID) (*conf.Config, error) {
	if c.KeepalivedConfigID != "" {
		id = configID{value: c.KeepalivedConfigID, known: true}
	}
	read, err := conf.Parse(c.KeepalivedConfig, conf.Options{ID: id.value, Guessed: !id.known})
	if id.known || !read.Conditions {
		return read, err
	}
	p, missing := keepalived.FindProcess(setup{config: c, keepalived: read}.pidFile())
	if missing != nil {
		return read, err
	}
	defer p.Close()
	if id = findConfigID(p.PID); !id.known {
		return read, err
	}
	return conf.Parse(c.KeepalivedConfig, conf.Options{ID: id.value})
}

// identified is told the VRRP process: keepalived.conf is read anew if it was read with another config id.
func (d *daemon) identified(pid int) {
	id := findConfigID(pid)
	if !id.known || id == d.loads.id {
		return
	}
	d.loads.id = id
	if read := d.running.keepalived; d.running.config.KeepalivedConfigID == "" && (read == nil || read.Conditions) {
		d.loads.start(false)
	}
}
